// The other endpoints, keys, knobs and counts, over the simulated network.
#include <cmath>

#include "lab/knobs.h"
#include "lab/tokens.h"
#include "tls/base64.h"
#include "unit/lab/talk.h"

using namespace mg;
using namespace mg::test;

TEST_CASE("completions: a text, lists of texts, tokens; plain and streamed") {
  SimLab sim;
  const auto complete = [&](const std::string& body) {
    const ParsedAnswer got = sim.answer(post("/v1/completions", body));
    INFO(got.body);
    CHECK(got.head.status == 200);
    return got.body;
  };
  const Json one = json_of(complete(R"({"model":"davinci","prompt":"Once upon a time"})"));
  CHECK(one["object"] == "text_completion");
  CHECK(one["id"].get<std::string>().starts_with("cmpl-"));
  CHECK(one["choices"][0]["finish_reason"] == "length");
  CHECK(one["usage"] ==
        Json{{"prompt_tokens", 4}, {"completion_tokens", 16}, {"total_tokens", 20}});
  const std::string text = one["choices"][0]["text"];
  CHECK(lab::count_tokens(text) == 16);

  const Json many = json_of(
      complete(R"({"model":"davinci","prompt":["Once upon","a time"],"n":2,"max_tokens":5})"));
  REQUIRE(many["choices"].size() == 4);
  CHECK(many["usage"]["completion_tokens"] == 20);
  CHECK(json_of(complete(R"({"model":"davinci","prompt":[1,2,3]})"))["usage"]["prompt_tokens"] ==
        3);
  CHECK(json_of(complete(R"({"model":"davinci","prompt":[[1,2],[3]]})"))["choices"].size() == 2);

  const auto events = events_of(complete(
      R"({"model":"davinci","prompt":"Once upon a time","stream":true,"stream_options":{"include_usage":true}})"));
  std::string streamed;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    const Json chunk = json_of(events[i]);
    CHECK(chunk["object"] == "text_completion");
    CHECK(chunk["usage"].is_null());
    streamed += chunk["choices"][0]["text"].get<std::string>();
  }
  CHECK(streamed == text);
  CHECK(json_of(events[events.size() - 2])["usage"] == one["usage"]);
  CHECK(events.back() == "[DONE]");

  for (const char* wrong :
       {R"({"model":"m"})", R"({"model":"m","prompt":[]})", R"({"model":"m","prompt":{}})",
        R"({"model":"m","prompt":[1,"x"]})", R"({"model":"m","prompt":["x",3]})"})
    CHECK(json_of(sim.answer(post("/v1/completions", wrong)).body)["error"]["param"] == "prompt");
}

TEST_CASE("completions make as many choices as are allowed, and not one more") {
  SimLab sim;
  const auto prompts = [](size_t count) {
    std::string list = "\"x\"";
    for (size_t i = 1; i < count; ++i) list += ",\"x\"";
    return R"({"model":"m","max_tokens":1,"n":2,"prompt":[)" + list + "]}";
  };
  CHECK(sim.answer(post("/v1/completions", prompts(64))).head.status == 200);
  CHECK(sim.answer(post("/v1/completions", prompts(65))).head.status == 400);
}

TEST_CASE("embeddings are unit vectors, the same for the same text, as numbers or base 64") {
  SimLab sim;
  const auto embed = [&](const std::string& more) {
    const ParsedAnswer got =
        sim.answer(post("/v1/embeddings", R"({"model":"text-embedding-3-small",)" + more + "}"));
    INFO(got.body);
    CHECK(got.head.status == 200);
    return json_of(got.body);
  };
  const Json one = embed(R"("input":"moon gate")");
  CHECK(one["object"] == "list");
  CHECK(one["usage"] == Json{{"prompt_tokens", 2}, {"total_tokens", 2}});
  const std::vector<float> vector = one["data"][0]["embedding"].get<std::vector<float>>();
  CHECK(vector.size() == 1536);
  double square = 0;
  for (float number : vector) square += double{number} * number;
  CHECK(std::abs(square - 1) < 1e-5);

  const Json packed = embed(R"("input":["moon gate","wall"],"encoding_format":"base64")");
  REQUIRE(packed["data"].size() == 2);
  CHECK(packed["data"][1]["index"] == 1);
  const auto bytes = tls::base64_decode(packed["data"][0]["embedding"].get<std::string>());
  REQUIRE(bytes);
  REQUIRE(bytes->size() == vector.size() * sizeof(float));
  CHECK(std::memcmp(bytes->data(), vector.data(), bytes->size()) == 0);
  CHECK(packed["data"][1]["embedding"] != packed["data"][0]["embedding"]);

  CHECK(embed(R"("input":"x","dimensions":8192)")["data"][0]["embedding"].size() == 8192);
  CHECK(embed(R"("input":"x","dimensions":1)")["data"][0]["embedding"].size() == 1);
  CHECK(embed(R"("input":[[1,2],[3]])")["usage"]["prompt_tokens"] == 3);
  for (const auto& [more, param] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("input":"x","dimensions":8193)", "dimensions"},
           {R"("input":"x","dimensions":0)", "dimensions"},
           {R"("input":"x","encoding_format":"binary")", "encoding_format"},
           {R"("input":"")", "input"},
           {R"("input":[])", "input"},
           {R"("input":null)", "input"}}) {
    const ParsedAnswer got =
        sim.answer(post("/v1/embeddings", R"({"model":"m",)" + std::string(more) + "}"));
    CHECK(got.head.status == 400);
    CHECK(json_of(got.body)["error"]["param"] == param);
  }
  const auto inputs = [](size_t count) {
    std::string list = "\"x\"";
    for (size_t i = 1; i < count; ++i) list += ",\"x\"";
    return post("/v1/embeddings", R"({"model":"m","dimensions":1,"input":[)" + list + "]}");
  };
  CHECK(sim.answer(inputs(limits::embedding_inputs_max)).head.status == 200);
  CHECK(sim.answer(inputs(limits::embedding_inputs_max + 1)).head.status == 400);
}

TEST_CASE("models are listed and found; what is not there is not found") {
  lab::LabOptions options;
  options.models = {"a", "b"};
  SimLab sim(options);
  const Json list = json_of(sim.answer(get("/v1/models")).body);
  REQUIRE(list["data"].size() == 2);
  CHECK(list["data"][1]["id"] == "b");
  CHECK(list["data"][1]["object"] == "model");
  CHECK(json_of(sim.answer(get("/v1/models/a")).body)["id"] == "a");
  const ParsedAnswer none = sim.answer(get("/v1/models/c"));
  CHECK(none.head.status == 404);
  CHECK(json_of(none.body)["error"]["code"] == "model_not_found");
  const ParsedAnswer unknown = sim.answer(get("/v1/nothing"));
  CHECK(unknown.head.status == 404);
  CHECK(json_of(unknown.body)["error"]["message"] == "Invalid URL (GET /v1/nothing)");
  const ParsedAnswer wrong = sim.answer(get(kChat));
  CHECK(wrong.head.status == 405);
  CHECK(json_of(wrong.body)["error"]["code"] == "method_not_allowed");
  CHECK(sim.answer(get("/v1/models?limit=3")).head.status == 200);
}

TEST_CASE("with a key, others are refused in OpenAI's words") {
  lab::LabOptions options;
  options.key = "sk-moon";
  SimLab sim(options);
  const auto status = [&](std::string_view header) {
    return sim.answer(post(kChat, ask("x"), header)).head.status;
  };
  CHECK(status("Authorization: Bearer sk-moon\r\n") == 200);
  CHECK(status("Authorization: Bearer sk-mood\r\n") == 401);
  CHECK(status("Authorization: sk-moon\r\n") == 401);
  CHECK(status("") == 401);
  const Json error = json_of(sim.answer(get("/v1/models")).body)["error"];
  CHECK(error["code"] == "invalid_api_key");
  CHECK(error["type"] == "invalid_request_error");
}

TEST_CASE("a header wins over metadata, metadata over a flag") {
  lab::LabOptions options;
  REQUIRE(options.knobs.set("status", "500"));
  SimLab sim(options);
  const std::string by_metadata = R"(,"metadata":{"x-lab-status":"503"})";
  CHECK(sim.answer(post(kChat, ask("x"))).head.status == 500);
  CHECK(sim.answer(post(kChat, ask("x", by_metadata))).head.status == 503);
  CHECK(sim.answer(post(kChat, ask("x", by_metadata), "X-Lab-Status: 200\r\n")).head.status == 200);
  const ParsedAnswer wrong = sim.answer(post(kChat, ask("x"), "X-Lab-Status: high\r\n"));
  CHECK(wrong.head.status == 400);
  CHECK(json_of(wrong.body)["error"]["param"] == "X-Lab-Status");
  // Knobs do not change what is said.
  SimLab plain;
  const Json one = plain.chat(ask("lanterns"));
  const Json other =
      plain.chat(ask("lanterns", R"(,"metadata":{"x-lab-delay-ms":"5"},"user":"u")"));
  CHECK(one["choices"] == other["choices"]);
}

TEST_CASE("a status comes with its error, and with retry-after where it is asked for") {
  SimLab sim;
  for (int status : {400, 401, 402, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529, 599}) {
    const ParsedAnswer got = sim.answer(
        post(kChat, ask("x", kStreamed),
             "x-lab-status: " + std::to_string(status) + "\r\nx-lab-retry-after: 7\r\n"));
    CHECK(got.head.status == status);
    CHECK(got.head.headers.find("retry-after") == "7");
    CHECK(got.head.headers.find("content-type") == "application/json");
    CHECK(json_of(got.body)["error"]["message"].is_string());
  }
  CHECK_FALSE(
      sim.answer(post(kChat, ask("x"), "x-lab-status: 429\r\n")).head.headers.find("retry-after"));
  CHECK(
      sim.answer(post(kChat, ask("x"), "x-lab-status: 302\r\n")).head.headers.contains("location"));
  const ParsedAnswer created = sim.answer(post(kChat, ask("x"), "x-lab-status: 201\r\n"));
  CHECK(created.head.status == 201);
  CHECK(json_of(created.body)["object"] == "chat.completion");
  CHECK(sim.answer(post(kChat, ask("x"), "x-lab-status: 204\r\n")).body.empty());
}

TEST_CASE("a usage can be said that is none") {
  SimLab sim;
  const std::string header = "x-lab-usage: {\"prompt_tokens\":-1}\r\n";
  CHECK(sim.chat(ask("x"), header)["usage"] == Json{{"prompt_tokens", -1}});
  const auto events = sim.stream(ask("x", kStreamed), header);
  CHECK(json_of(events[events.size() - 2])["usage"] == Json{{"prompt_tokens", -1}});
  const ParsedAnswer embedded =
      sim.answer(post("/v1/embeddings", R"({"model":"m","input":"x","dimensions":1})", header));
  CHECK(json_of(embedded.body)["usage"] == Json{{"prompt_tokens", -1}});
}

TEST_CASE("a share of requests is struck, the same ones for the same seed") {
  const auto struck = [](uint64_t lab_seed, const std::string& headers) {
    SimLab sim({}, lab_seed);
    std::string out;
    for (int i = 0; i < 200; ++i) {
      const std::string body = ask("request " + std::to_string(i));
      out += sim.answer(post(kChat, body, "x-lab-status: 503\r\n" + headers), 0).head.status == 503
                 ? 'x'
                 : '.';
    }
    return out;
  };
  const auto share = [](const std::string& text) {
    return std::count(text.begin(), text.end(), 'x');
  };
  const std::string drawn = struck(1, "x-lab-fault-rate: 0.25\r\n");
  CHECK(share(drawn) > 30);
  CHECK(share(drawn) < 75);
  CHECK(drawn == struck(1, "x-lab-fault-rate: 0.25\r\n"));
  CHECK(drawn != struck(2, "x-lab-fault-rate: 0.25\r\n"));
  const std::string seeded = struck(1, "x-lab-fault-rate: 0.25\r\nx-lab-fault-seed: 9\r\n");
  CHECK(share(seeded) > 30);
  CHECK(share(seeded) < 75);
  CHECK(seeded == struck(2, "x-lab-fault-rate: 0.25\r\nx-lab-fault-seed: 9\r\n"));
  CHECK(share(struck(1, "x-lab-fault-rate: 0\r\n")) == 0);
  CHECK(share(struck(1, "x-lab-fault-rate: 1\r\n")) == 200);
}

TEST_CASE("requests are counted by path, model, status and fault, and counting can start anew") {
  SimLab sim;
  sim.chat(ask("x"));
  sim.stream(ask("x", kStreamed));
  sim.exchange(post(kChat, ask("x"), "x-lab-status: 429\r\n"));
  sim.exchange(post(kChat, ask("x"), "x-lab-fault: reset-before-head\r\n"));
  sim.exchange(post("/v1/embeddings", R"({"model":"e","input":"x"})"));
  sim.exchange(get("/v1/nothing"));
  const ParsedAnswer got = sim.answer(get("/lab/counts"));
  const Json counts = json_of(got.body);
  CHECK(counts["requests"] == 6);
  CHECK(counts["paths"] == Json{{"/v1/chat/completions", 4}, {"/v1/embeddings", 1}, {"other", 1}});
  CHECK(counts["models"] == Json{{"e", 1}, {"gpt-4o", 4}});
  CHECK(counts["statuses"] == Json{{"200", 4}, {"404", 1}, {"429", 1}});
  CHECK(counts["faults"] == Json{{"reset-before-head", 1}});
  CHECK(counts["streams_ended"] == 1);
  CHECK(sim.provider->counts().models.of("gpt-4o") == 4);
  CHECK(sim.provider->counts().paths.sum() == 6);
  sim.exchange(post("/lab/reset", ""));
  CHECK(sim.provider->counts().paths.sum() == 0);
  CHECK(json_of(sim.answer(get("/lab/counts")).body)["requests"] == 0);
}

TEST_CASE("names are counted up to a bound, and the others together") {
  lab::Tally tally;
  for (size_t i = 0; i < limits::lab_counted_names_max; ++i) tally.add(std::to_string(i));
  CHECK(tally.all().size() == limits::lab_counted_names_max);
  CHECK(tally.of("other") == 0);
  tally.add("one more");
  tally.add("and another");
  tally.add("7");
  CHECK(tally.of("other") == 2);
  CHECK(tally.of("7") == 2);
  CHECK(tally.of("one more") == 0);
  CHECK(tally.sum() == static_cast<int64_t>(limits::lab_counted_names_max) + 3);
}
