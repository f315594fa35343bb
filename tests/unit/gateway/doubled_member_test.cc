// Members that stand twice, wherever the price of a request is read from; and what a request brings
// in that nobody can size.
#include "gateway/doubled_member.h"

#include <simdjson.h>

#include <catch2/catch.hpp>

#include "gateway/request_body.h"

using namespace mg::gateway;

namespace {

std::string chat(const std::string& messages, const std::string& more) {
  return R"({"model":"m","messages":[)" + messages + "]" + more + "}";
}

std::string message(const std::string& members) {
  return chat(R"({"role":"user",)" + members + "}", "");
}

std::string part(const std::string& members) { return message(R"("content":[{)" + members + "}]"); }

std::string top(const std::string& member) {
  return chat(R"({"role":"user","content":"x"})", "," + member);
}

bool is_open(const std::string& text) {
  const auto body = RequestBody::read(Operation::chat, text);
  REQUIRE(body);
  return body->shape().is_open();
}

}  // namespace

TEST_CASE("the first member that stood before is found, however many there are") {
  simdjson::dom::parser parser;
  const auto doubled = [&](const std::string& text) {
    const simdjson::dom::object object = parser.parse(text);
    return std::string(doubled_member(object).value_or("none"));
  };
  CHECK(doubled("{}") == "none");
  CHECK(doubled(R"({"":1,"":2})").empty());
  CHECK(doubled(R"({"type":1,"Type":2,"types":3})") == "none");
  CHECK(doubled(R"({"type":1,"x":{"type":2}})") == "none");
  CHECK(doubled(R"({"type":1,"typ\u0065":2})") == "type");
  CHECK(doubled(R"({"a\u0000b":1,"a\u0000c":2})") == "none");
  for (const int count : {2, 15, 16, 17, 18, 40, 5000}) {
    std::string text = "{";
    for (int i = 1; i < count; ++i) text += "\"m" + std::to_string(i) + "\":0,";
    CHECK(doubled(text + "\"m0\":0}") == "none");
    for (const int twice : {1, count / 2, count - 1})
      if (twice > 0)
        CHECK(doubled(text + "\"m" + std::to_string(twice) + "\":0}") ==
              "m" + std::to_string(twice));
  }
}

TEST_CASE("no member stands twice where the price of a request is read from") {
  const std::string image = R"("type":"image_url","image_url":{"url":"https://x.example/a",)";
  const std::vector<std::pair<std::string, std::string>> table = {
      {message(R"("content":"x","content":"y")"), "messages.content"},
      {message(R"("content":"x","role":"system")"), "messages.role"},
      {message(R"("content":"x","\u0063ontent":"y")"), "messages.content"},
      {part(R"("type":"text","type":"image_url","text":"x")"), "messages.content.type"},
      {part(R"("type":"text","text":"x","text":"y")"), "messages.content.text"},
      {part(image + R"("detail":"low"},"image_url":{})"), "messages.content.image_url"},
      {part(image + R"("detail":"low","detail":"high"})"), "messages.content.image_url.detail"},
      {part(image + R"("detail":"low","det\u0061il":"high"})"),
       "messages.content.image_url.detail"},
      {part(R"("type":"image","source":{"data":"AA","data":"AB"})"),
       "messages.content.source.data"},
      {part(R"("type":"input_audio","input_audio":{"data":"AA","data":"AB"})"),
       "messages.content.input_audio.data"},
      {part(R"("type":"file","file":{"file_data":"AA","file_data":"AB"})"),
       "messages.content.file.file_data"},
      {part(R"("type":"video_url","video_url":{"url":"AA","url":"AB"})"),
       "messages.content.video_url.url"},
      {message(R"("tool_calls":[{"id":"a","id":"b"}])"), "messages.tool_calls.id"},
      {message(R"("tool_calls":[{"function":{"name":"a","name":"b"}}])"),
       "messages.tool_calls.function.name"},
      {message(R"("function_call":{"name":"a","name":"b"})"), "messages.function_call.name"},
      {top(R"("tools":[{"type":"function","type":"web_search"}])"), "tools.type"},
      {top(R"("tools":[{},{"type":"function","typ\u0065":"web_search"}])"), "tools.type"},
      {top(R"("tools":[{"type":"function","function":{},"function":{}}])"), "tools.function"},
      {top(R"("tools":[{"type":"function","function":{"name":"a","name":"b"}}])"),
       "tools.function.name"},
      {top(R"("functions":[{"name":"a","name":"b"}])"), "functions.name"},
      {top(R"("response_format":{"type":"text","type":"json_schema"})"), "response_format.type"},
      {top(R"("response_format":{"json_schema":{"schema":1,"schema":2}})"),
       "response_format.json_schema.schema"},
      {top(R"("prediction":{"content":"x","content":"y"})"), "prediction.content"},
      {top(R"("web_search_options":{"a":1,"a":2})"), "web_search_options.a"},
      {top(R"("text":{"format":1,"format":2})"), "text.format"},
      {top(R"("text":{"format":{"type":"text","type":"json_schema"}})"), "text.format.type"},
  };
  for (const auto& [text, where] : table) {
    INFO(text);
    const auto body = RequestBody::read(Operation::chat, text);
    REQUIRE_FALSE(body);
    CHECK(body.error().code == "invalid_value");
    const size_t dot = where.rfind('.');
    CHECK(body.error().message ==
          "the member " + where.substr(dot + 1) + " stands twice in " + where.substr(0, dot));
    CHECK(body.error().param == where);
  }
}

TEST_CASE("what is measured as text may hold a member twice") {
  for (const std::string& text :
       {top(R"("metadata":{"a":"x","a":"y"})"), top(R"("logit_bias":{"1":1,"1":2})"),
        top(R"("tools":[{"type":"function","function":{"parameters":{"a":1,"a":2}}}])"),
        top(R"("response_format":{"json_schema":{"schema":{"a":1,"a":2}}})"),
        message(R"("tool_calls":[{"function":{"arguments":"{\"a\":1,\"a\":2}"}}])")}) {
    INFO(text);
    CHECK(RequestBody::read(Operation::chat, text));
  }
}

TEST_CASE("a tool is open unless the client runs it") {
  for (const char* tools :
       {R"("tools":[{"type":"function","function":{"name":"a"}}])", R"("tools":[])",
        R"("tools":[{"type":"custom","custom":{"name":"a"}}])", R"("functions":[{"name":"a"}])"}) {
    INFO(tools);
    CHECK_FALSE(is_open(top(tools)));
  }
  for (const char* tools :
       {R"("tools":[{"google_search":{}}])", R"("tools":[{"function":{"name":"a"}}])",
        R"("tools":[{"type":null}])", R"("tools":[{"type":"Function"}])",
        R"("tools":[{"type":["function"]}])", R"("tools":[{"type":"web_search"}])",
        R"("tools":[{"type":"function"},{"web_search":{}}])", R"("tools":["web_search"])",
        R"("tools":[{"name":"a"}])", R"("functions":[{"google_search":{}}])",
        R"("functions":[{"name":"a","type":"web_search"}])"}) {
    INFO(tools);
    CHECK(is_open(top(tools)));
  }
}

TEST_CASE("sound is open, whatever its format is called") {
  for (const char* format : {"mp3", "wav", "opus"})
    CHECK(is_open(
        part(std::string(R"("type":"input_audio","input_audio":{"data":"AAAA","format":")") +
             format + "\"}")));
  CHECK_FALSE(is_open(part(R"("type":"text","text":"x")")));
}
