// POST /v1/chat/completions, plain and streamed, over the simulated network.
#include <set>

#include "lab/tokens.h"
#include "tls/base64.h"
#include "unit/lab/talk.h"

using namespace mg;
using namespace mg::test;
using lab::count_tokens;

namespace {

const std::string kWeather =
    R"({"model":"gpt-4o","messages":[{"role":"user","content":"What is the weather in Seattle today?"}],)"
    R"("tools":[{"type":"function","function":{"name":"get_weather","description":"Get the weather of a place",)"
    R"("parameters":{"type":"object","properties":{"location":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":7}}}}},)"
    R"({"type":"function","function":{"name":"send_letter","description":"Send a letter","parameters":{"type":"object","properties":{"to":{"type":"string"}}}}}])";

int64_t words(const Json& message) {
  return message["content"].is_string() ? count_tokens(message["content"].get<std::string>()) : 0;
}

}  // namespace

TEST_CASE("a plain answer has OpenAI's shape, speaks of the prompt, and counts right") {
  SimLab sim;
  const Json answer = sim.chat(ask("Tell me about lanterns"));
  CHECK(answer["object"] == "chat.completion");
  CHECK(answer["id"].get<std::string>().starts_with("chatcmpl-"));
  CHECK(answer["model"] == "gpt-4o");
  CHECK(answer["created"] == sim.clock.wall_ms() / 1000 - 10);
  REQUIRE(answer["choices"].size() == 1);
  const Json& choice = answer["choices"][0];
  CHECK(choice["index"] == 0);
  CHECK(choice["finish_reason"] == "stop");
  CHECK(choice["message"]["role"] == "assistant");
  CHECK(choice["message"]["content"].get<std::string>().find("lanterns") != std::string::npos);
  CHECK_FALSE(choice["message"].contains("tool_calls"));
  CHECK_FALSE(choice["message"].contains("reasoning_content"));
  const Json& usage = answer["usage"];
  // 3, and 3 for the message with its 4 tokens.
  CHECK(usage["prompt_tokens"] == 10);
  CHECK(usage["completion_tokens"] == words(choice["message"]));
  CHECK(usage["total_tokens"] == 10 + words(choice["message"]));
  CHECK(usage["completion_tokens_details"]["reasoning_tokens"] == 0);
}

TEST_CASE("the same request gets the same bytes, twice and from another lab; another one others") {
  SimLab one, other({}, 99);
  const std::string request = post(kChat, ask("Tell me about lanterns", kStreamed));
  // All but the date, which is the clock's: both clocks stand alike here.
  const std::string first = one.exchange(request, 0), again = one.exchange(request, 0);
  CHECK(first == again);
  CHECK(first == other.exchange(request, 0));
  CHECK(first != one.exchange(post(kChat, ask("Tell me about lantern", kStreamed)), 0));
  // An hour later only the clock's part has changed.
  one.loop.run_for_ms(3'600'000);
  const auto later = events_of(parse_answers(one.exchange(request, 0))[0].body);
  const auto before = events_of(parse_answers(first)[0].body);
  REQUIRE(later.size() == before.size());
  for (size_t i = 0; i + 1 < later.size(); ++i) {
    Json a = json_of(before[i]), b = json_of(later[i]);
    CHECK(a["created"] != b["created"]);
    a.erase("created");
    b.erase("created");
    CHECK(a == b);
  }
}

TEST_CASE("a stream says what a plain answer says, piece by piece, and usage as OpenAI does") {
  SimLab sim;
  const Json plain = sim.chat(ask("Tell me about lanterns"));
  for (const bool asks_usage : {true, false}) {
    const auto events =
        sim.stream(ask("Tell me about lanterns", asks_usage ? kStreamed : R"(,"stream":true)"));
    REQUIRE(events.size() > 5);
    CHECK(events.back() == "[DONE]");
    CHECK(streamed_text(events) == plain["choices"][0]["message"]["content"]);
    const Json first = json_of(events.front());
    CHECK(first["object"] == "chat.completion.chunk");
    CHECK(first["id"] == plain["id"]);
    CHECK(first["choices"][0]["delta"] ==
          Json{{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}});
    const size_t chunks = events.size() - (asks_usage ? 2 : 1);
    for (size_t i = 0; i < chunks; ++i) {
      const Json chunk = json_of(events[i]);
      REQUIRE(chunk["choices"].size() == 1);
      CHECK(chunk.contains("usage") == asks_usage);
      if (asks_usage) CHECK(chunk["usage"].is_null());
      const bool is_last = i == chunks - 1;
      CHECK(chunk["choices"][0]["finish_reason"] == (is_last ? Json("stop") : Json()));
      if (is_last) CHECK(chunk["choices"][0]["delta"] == Json::object());
    }
    // One chunk for each token, one to begin and one to end.
    CHECK(static_cast<int64_t>(chunks) == words(plain["choices"][0]["message"]) + 2);
    if (!asks_usage) continue;
    const Json usage = json_of(events[events.size() - 2]);
    CHECK(usage["choices"] == Json::array());
    CHECK(usage["usage"] == plain["usage"]);
  }
}

TEST_CASE("lengths are kept: the request's limit, and the knob for exactly so many tokens") {
  SimLab sim;
  const std::string whole =
      sim.chat(ask("Tell me about lanterns"))["choices"][0]["message"]["content"];
  for (const char* member : {"max_tokens", "max_completion_tokens"}) {
    const Json cut = sim.chat(ask("Tell me about lanterns", ",\"" + std::string(member) + "\":5"));
    CHECK(cut["choices"][0]["finish_reason"] == "length");
    CHECK(cut["usage"]["completion_tokens"] == 5);
    CHECK(words(cut["choices"][0]["message"]) == 5);
    CHECK(whole.starts_with(cut["choices"][0]["message"]["content"].get<std::string>()));
  }
  // Exactly as long as it would be is no cut.
  const int64_t length = count_tokens(whole);
  const auto limited = [&](int64_t most) {
    return sim.chat(ask("Tell me about lanterns", ",\"max_tokens\":" + std::to_string(most)));
  };
  CHECK(limited(length)["choices"][0]["finish_reason"] == "stop");
  CHECK(limited(length - 1)["choices"][0]["finish_reason"] == "length");
  const Json exact = sim.chat(ask("Tell me about lanterns"), "x-lab-tokens: 333\r\n");
  CHECK(exact["usage"]["completion_tokens"] == 333);
  CHECK(words(exact["choices"][0]["message"]) == 333);
  CHECK(exact["choices"][0]["finish_reason"] == "stop");
  const Json both =
      sim.chat(ask("Tell me about lanterns", ",\"max_tokens\":20"), "x-lab-tokens: 333\r\n");
  CHECK(both["usage"]["completion_tokens"] == 20);
  CHECK(both["choices"][0]["finish_reason"] == "length");
  const Json none = sim.chat(ask("Tell me about lanterns"), "x-lab-tokens: 0\r\n");
  CHECK(none["choices"][0]["message"]["content"] == "");
}

TEST_CASE("several choices are told apart, and their tokens add up") {
  SimLab sim;
  const Json plain = sim.chat(ask("Tell me about lanterns", R"(,"n":3)"));
  REQUIRE(plain["choices"].size() == 3);
  int64_t sum = 0;
  std::set<std::string> texts;
  for (size_t i = 0; i < 3; ++i) {
    CHECK(plain["choices"][i]["index"] == i);
    sum += words(plain["choices"][i]["message"]);
    texts.insert(plain["choices"][i]["message"]["content"].get<std::string>());
  }
  CHECK(texts.size() == 3);
  CHECK(plain["usage"]["completion_tokens"] == sum);
  CHECK(
      texts.contains(sim.chat(ask("Tell me about lanterns"))["choices"][0]["message"]["content"]));
  const auto events =
      sim.stream(ask("Tell me about lanterns", R"(,"n":3)" + std::string(kStreamed)));
  for (size_t i = 0; i < 3; ++i)
    CHECK(streamed_text(events, i) == plain["choices"][i]["message"]["content"]);
  CHECK(json_of(events[events.size() - 2])["usage"] == plain["usage"]);
}

TEST_CASE("reasoning models think first, and their thoughts are counted") {
  SimLab sim;
  for (const char* model : {"o4-mini", "deepseek-reasoner", "openai/gpt-5", "Qwen3-Thinking"}) {
    const std::string body = R"({"model":")" + std::string(model) +
                             R"(","messages":[{"role":"user","content":"Why lanterns?"}])";
    const Json plain = sim.chat(body + "}");
    const Json& message = plain["choices"][0]["message"];
    const int64_t thoughts = count_tokens(message["reasoning_content"].get<std::string>());
    CHECK(thoughts > 0);
    CHECK(plain["usage"]["completion_tokens_details"]["reasoning_tokens"] == thoughts);
    CHECK(plain["usage"]["completion_tokens"] == thoughts + words(message));
    const auto events = sim.stream(body + std::string(kStreamed) + "}");
    CHECK(streamed_text(events, 0, "reasoning_content") == message["reasoning_content"]);
    CHECK(streamed_text(events) == message["content"]);
    // A limit that the thoughts use up leaves no answer.
    const Json cut = sim.chat(body + R"(,"max_completion_tokens":4})");
    CHECK(cut["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4);
    CHECK(cut["choices"][0]["message"]["content"] == "");
    CHECK(cut["choices"][0]["finish_reason"] == "length");
    const Json exact = sim.chat(body + "}", "x-lab-tokens: 40\r\n");
    CHECK(exact["usage"]["completion_tokens"] == 40);
    CHECK(exact["usage"]["completion_tokens_details"]["reasoning_tokens"] == 10);
    const Json quick = sim.chat(body + R"(,"reasoning_effort":"minimal"})");
    CHECK_FALSE(quick["choices"][0]["message"].contains("reasoning_content"));
  }
}

TEST_CASE("tools are called where the user asks for what they do, or where they must be") {
  SimLab sim;
  const Json called = sim.chat(kWeather + "}");
  const Json& choice = called["choices"][0];
  CHECK(choice["finish_reason"] == "tool_calls");
  CHECK(choice["message"]["content"].is_null());
  REQUIRE(choice["message"]["tool_calls"].size() == 1);
  const Json& call = choice["message"]["tool_calls"][0];
  CHECK(call["type"] == "function");
  CHECK(call["id"].get<std::string>().starts_with("call_"));
  CHECK(call["function"]["name"] == "get_weather");
  const std::string arguments = call["function"]["arguments"];
  const Json parsed = json_of(arguments);
  CHECK(parsed["location"] == "Seattle");
  CHECK(parsed["days"] >= 1);
  CHECK(parsed["days"] <= 7);
  CHECK(called["usage"]["completion_tokens"] == 1 + count_tokens(arguments));

  const auto events = sim.stream(kWeather + std::string(kStreamed) + "}");
  std::string streamed;
  size_t parts = 0;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    const Json delta = json_of(events[i])["choices"][0]["delta"];
    if (!delta.contains("tool_calls")) continue;
    const Json& part = delta["tool_calls"][0];
    CHECK(part["index"] == 0);
    CHECK(part.contains("id") == (parts++ == 0));
    streamed += part["function"]["arguments"].get<std::string>();
    if (part.contains("id")) CHECK(part["id"] == call["id"]);
  }
  CHECK(streamed == arguments);
  CHECK(json_of(events[events.size() - 3])["choices"][0]["finish_reason"] == "tool_calls");

  const auto names = [&](const std::string& more) {
    std::vector<std::string> out;
    const Json message = sim.chat(kWeather + more)["choices"][0]["message"];
    if (message.contains("tool_calls"))
      for (const Json& one : message["tool_calls"])
        out.push_back(one["function"]["name"].get<std::string>());
    return out;
  };
  using Names = std::vector<std::string>;
  CHECK(names(R"(,"tool_choice":"none"})") == Names{});
  CHECK(names(R"(,"tool_choice":"required"})") == Names{"get_weather"});
  CHECK(names(R"(,"tool_choice":{"type":"function","function":{"name":"send_letter"}}})") ==
        Names{"send_letter"});
  // A limit within the arguments cuts them.
  const Json cut = sim.chat(kWeather + R"(,"max_tokens":3})");
  CHECK(cut["choices"][0]["finish_reason"] == "length");
  CHECK(arguments.starts_with(
      cut["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].get<std::string>()));
}

TEST_CASE("several tools at once, unless that is not wanted; none for small talk") {
  SimLab sim;
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"get_weather"}},)"
      R"({"type":"function","function":{"name":"get_news"}},{"type":"custom","custom":{"name":"weather_log"}}])";
  const auto chat = [&](std::string_view text, std::string_view more = "") {
    return sim.chat(R"({"model":"gpt-4o","messages":[{"role":"user","content":")" +
                    std::string(text) + "\"}]," + tools + std::string(more) +
                    "}")["choices"][0]["message"];
  };
  const Json both = chat("the weather and the news, please")["tool_calls"];
  REQUIRE(both.size() == 3);
  CHECK(both[0]["function"] == Json{{"name", "get_weather"}, {"arguments", "{}"}});
  CHECK(both[1]["function"]["name"] == "get_news");
  CHECK(both[2]["custom"] ==
        Json{{"name", "weather_log"}, {"input", "the weather and the news, please"}});
  CHECK(both[0]["id"] != both[1]["id"]);
  CHECK(chat("the weather and the news", R"(,"parallel_tool_calls":false)")["tool_calls"].size() ==
        1);
  CHECK_FALSE(chat("how are you?").contains("tool_calls"));
}

TEST_CASE("once a tool has answered, the answer speaks of it") {
  SimLab sim;
  const Json message = sim.chat(
      R"({"model":"gpt-4o","messages":[{"role":"user","content":"the weather in Seattle"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"call_1","content":"Rain, 11 degrees"}],)"
      R"("tools":[{"type":"function","function":{"name":"get_weather"}}]})")["choices"][0]
                                                                            ["message"];
  CHECK_FALSE(message.contains("tool_calls"));
  CHECK(message["content"].get<std::string>().starts_with("The tool says: Rain, 11 degrees."));
}

TEST_CASE("structured answers satisfy their schema, in a stream too") {
  SimLab sim;
  const std::string format =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"plan","strict":true,"schema":)"
      R"({"type":"object","properties":{"steps":{"type":"array","items":{"type":"object","properties":{"title":{"type":"string"},"hours":{"type":"integer","minimum":1,"maximum":8}}}},"done":{"type":"boolean"}}}}})";
  const std::string text =
      sim.chat(ask("Plan a garden", format))["choices"][0]["message"]["content"];
  const Json value = json_of(text);
  CHECK(value["done"].is_boolean());
  REQUIRE(value["steps"].size() >= 1);
  CHECK(value["steps"][0]["title"].is_string());
  CHECK(value["steps"][0]["hours"] >= 1);
  CHECK(streamed_text(sim.stream(ask("Plan a garden", format + std::string(kStreamed)))) == text);
  const Json object = json_of(sim.chat(ask(
      "Plan a garden",
      R"(,"response_format":{"type":"json_object"})"))["choices"][0]["message"]["content"]
                                  .get<std::string>());
  CHECK(object["answer"].is_string());
}

TEST_CASE("images are seen, measured and counted; other parts too") {
  SimLab sim;
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0", 24);
  const auto request = [&](std::string_view part) {
    return R"({"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},)" +
           std::string(part) + "]}]}";
  };
  const Json seen =
      sim.chat(request(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" +
                       tls::base64_encode(png) + "\"}}"));
  CHECK(seen["choices"][0]["message"]["content"].get<std::string>().starts_with(
      "The image is 640 by 480 pixels."));
  CHECK(seen["usage"]["prompt_tokens"] == 3 + 3 + 4 + 85 + 2 * 170);
  const Json sound =
      sim.chat(request(R"({"type":"input_audio","input_audio":{"data":"","format":"wav"}})"));
  CHECK(sound["usage"]["prompt_tokens"] == 3 + 3 + 4 + 100);
}

TEST_CASE("Chinese is answered in Chinese, code with code") {
  SimLab sim;
  const std::string chinese =
      sim.chat(ask("请介绍一下中国园林的月门"))["choices"][0]["message"]["content"];
  CHECK(static_cast<unsigned char>(chinese[0]) >= 0xe4);
  const std::string code =
      sim.chat(ask("Write a python function for primes"))["choices"][0]["message"]["content"];
  CHECK(code.find('`') != std::string::npos);
}

TEST_CASE("what is wrong with a request is said as OpenAI says it") {
  SimLab sim;
  struct Row {
    const char* body;
    const char* param;
  };
  const std::string deep =
      std::string(limits::body_depth_max, '[') + std::string(limits::body_depth_max, ']');
  const std::string deep_body = R"({"model":"m","x":)" + deep + "}";
  const std::string long_model = R"({"messages":[{"role":"user"}],"model":")" +
                                 std::string(limits::model_name_bytes_max + 1, 'm') + "\"}";
  const Row rows[] = {
      {"", nullptr},
      {"{", nullptr},
      {"[]", nullptr},
      {"3", nullptr},
      {deep_body.c_str(), nullptr},
      {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {long_model.c_str(), "model"},
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":["x"]})", "messages"},
      {R"({"model":"m","messages":[{"content":"x"}]})", "messages"},
      {R"({"model":"m","messages":[{"role":"king","content":"x"}]})", "messages"},
      {R"({"model":"m","messages":[{"role":"user","content":3}]})", "messages"},
      {R"({"model":"m","messages":[{"role":"user","content":[3]}]})", "messages"},
      {R"({"model":"m","messages":[{"role":"user"}],"n":0})", "n"},
      {R"({"model":"m","messages":[{"role":"user"}],"n":129})", "n"},
      {R"({"model":"m","messages":[{"role":"user"}],"max_tokens":0})", "max_tokens"},
      {R"({"model":"m","messages":[{"role":"user"}],"max_tokens":10000001})", "max_tokens"},
      {R"({"model":"m","messages":[{"role":"user"}],"max_tokens":1.5})", "max_tokens"},
      {R"({"model":"m","messages":[{"role":"user"}],"stream":"yes"})", "stream"},
      {R"({"model":"m","messages":[{"role":"user"}],"stream_options":{}})", "stream_options"},
      {R"({"model":"m","messages":[{"role":"user"}],"stream":true,"stream_options":3})",
       "stream_options"},
      {R"({"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function"}]})", "tools"},
      {R"({"model":"m","messages":[{"role":"user"}],"tools":[{"type":"function","function":{"name":"a"}}],"tool_choice":{"type":"function","function":{"name":"b"}}})",
       "tool_choice"},
      {R"({"model":"m","messages":[{"role":"user"}],"metadata":{"x-lab-status":"9"}})",
       "x-lab-status"},
      {R"({"model":"m","messages":[{"role":"user"}],"metadata":{"x-lab-status":503}})",
       "x-lab-status"},
      {R"({"model":"m","messages":[{"role":"user"}],"metadata":{"x-lab-colour":"red"}})",
       "x-lab-colour"},
  };
  for (const Row& row : rows) {
    const ParsedAnswer got = sim.answer(post(kChat, row.body));
    INFO(row.body << "\n" << got.body);
    CHECK(got.head.status == 400);
    const Json error = json_of(got.body)["error"];
    CHECK(error["type"] == "invalid_request_error");
    CHECK(error["message"].is_string());
    CHECK(error["param"] == (row.param ? Json(row.param) : Json()));
    CHECK(error.contains("code"));
  }
  const auto status = [&](const char* more) {
    return sim.answer(post(kChat, ask("x", more))).head.status;
  };
  CHECK(status(R"(,"n":128)") == 200);
  CHECK(status(R"(,"max_tokens":10000000)") == 200);
  CHECK(status(R"(,"metadata":{"team":"garden","x-other":"1"},"n":null,"stream":null)") == 200);
}
