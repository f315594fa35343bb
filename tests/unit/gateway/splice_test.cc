// What is put into other people's JSON, and that all the rest of it stays as it was.
#include <catch2/catch.hpp>

#include "gateway/answer_reader.h"
#include "gateway/request_body.h"

using namespace mg::gateway;

namespace {

std::string sent(const std::string& text, const std::string& model,
                 RequestBody::StreamUsage usage) {
  const auto body = RequestBody::read(Operation::chat, text);
  REQUIRE(body);
  std::string out;
  const std::vector<Splice> splices = body->splices(model, usage);
  for (std::string_view piece : spliced(body->text(), splices)) out.append(piece);
  return out;
}

const std::string kTail = R"("messages":[{"role":"user","content":"x"}]})";

}  // namespace

TEST_CASE("a request nobody needs to change goes on as it came") {
  const std::string text = "{ \"model\" :\t\"m\" , \"stream\":true,\n" + kTail;
  CHECK(sent(text, "m", RequestBody::StreamUsage::as_is) == text);
}

TEST_CASE("the model is replaced where it stands, however it is spelled") {
  for (const char* spelled : {"\"m\"", "\"\\u006d\"", "\"m\" "}) {
    const std::string text = std::string("{\"temperature\":1.0,\"model\":") + spelled + "," + kTail;
    const std::string out = sent(text, "up\"stream", RequestBody::StreamUsage::as_is);
    CHECK(out.find("{\"temperature\":1.0,\"model\":\"up\\\"stream\"") == 0);
    CHECK(out.substr(out.size() - kTail.size() - 1) == "," + kTail);
  }
}

TEST_CASE("the wish for usage is added in every place where it may be missing") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({"model":"m","stream":true,)",
       R"({"stream_options":{"include_usage":true},"model":"m","stream":true,)"},
      {R"({"model":"m","stream":true,"stream_options":null,)",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true},)"},
      {R"({"model":"m","stream":true,"stream_options":{ },)",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true },)"},
      {R"({"model":"m","stream":true,"stream_options":{"x":[1,{}]},)",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true,"x":[1,{}]},)"},
      {R"({"model":"m","stream":true,"stream_options":{"x":1,"include_usage": false },)",
       R"({"model":"m","stream":true,"stream_options":{"x":1,"include_usage": true },)"},
      {R"({"stream_options":{"include\u005fusage":null},"stream":true,"model":"m",)",
       R"({"stream_options":{"include\u005fusage":true},"stream":true,"model":"m",)"},
      {R"({"model":"m","stream":true,"stream_options":{"include_usage":true},)",
       R"({"model":"m","stream":true,"stream_options":{"include_usage":true},)"},
      {R"({"model":"m","stream":false,)", R"({"model":"m","stream":false,)"},
  };
  for (const auto& [before, after] : table)
    CHECK(sent(before + kTail, "m", RequestBody::StreamUsage::ask) == after + kTail);
}

TEST_CASE("the cost is put into the usage, in the place of any that stands there") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({"usage":{"a":1}})", R"({"usage":{"cost":0.5,"a":1}})"},
      {R"({"usage":{ },"b":2})", R"({"usage":{"cost":0.5 },"b":2})"},
      {R"({"usage":{"cost":{"x":[1]},"a":1}})", R"({"usage":{"cost":0.5,"a":1}})"},
      {R"({"usage":{"a":1,"cost" : 7 }})", R"({"usage":{"a":1,"cost" : 0.5 }})"},
      {R"({"x":{"usage":{"cost":1}},"usage":{}})",
       R"({"x":{"usage":{"cost":1}},"usage":{"cost":0.5}})"},
      // What stands twice is changed twice: readers differ in which they believe.
      {R"({"usage":{"cost":1,"cost":2}})", R"({"usage":{"cost":0.5,"cost":0.5}})"},
      {R"({"usage":{"a":1},"usage":{"cost":2}})",
       R"({"usage":{"cost":0.5,"a":1},"usage":{"cost":0.5}})"},
  };
  for (const auto& [before, after] : table) CHECK(with_cost(before, "0.5") == after);
  for (const char* without : {"{}", "[]", "", "{\"usage\":null}", "{\"usage\":7}", "{\"usage\"",
                              "{\"x\":{\"usage\":{}}}", "{\"usage\":{},\"usage\":null}"}) {
    INFO(without);
    CHECK_FALSE(with_cost(without, "0.5"));
  }
}

TEST_CASE("the usage at the end of a long answer is found without its beginning") {
  const auto usage = usage_in_part(
      R"(t of \"usage\": {"}}],"usage": {"prompt_tokens":9,"completion_tokens":3,"x":{"y":1}}})");
  REQUIRE(usage);
  REQUIRE(usage->usage);
  CHECK(usage->usage->input() == 9);
  CHECK(usage->usage->output() == 3);
  for (const char* none : {"", "\"usage\"", "\"usage\":", "\"usage\":{", "\"usage\":{\"a\"", "{}"})
    CHECK_FALSE(usage_in_part(none));
}

TEST_CASE("stream options go out whole where a vendor refuses them") {
  const std::string user = R"("messages":[{"role":"user","content":"x"}])";
  const std::vector<std::pair<std::string, std::string>> table = {
      {R"({"model":"m","stream_options":{"include_usage":true}, "stream":true,)" + user + "}",
       R"({"model":"m","stream":true,)" + user + "}"},
      {R"({"stream_options":{"a":{"b":[1,"}"]}},"model":"m",)" + user + "}",
       R"({"model":"m",)" + user + "}"},
      {R"({"model":"m",)" + user + R"( , "stream\u005foptions" : null } )",
       R"({"model":"m",)" + user + R"( } )"},
      {R"({"model":"m",)" + user + "}", R"({"model":"m",)" + user + "}"},
  };
  for (const auto& [before, after] : table)
    CHECK(sent(before, "m", RequestBody::StreamUsage::remove) == after);
}

TEST_CASE("half a surrogate pair is no reason to refuse what it stands in") {
  const std::string user = R"("messages":[{"role":"user","content":"cut \ud83d","\udc00":1}])";
  const std::string before = R"({"\ud800":{"\udc00":"\udfff"},"model":"m","stream_options":)"
                             R"({"\ud800":1,"include_usage":false},"stream":true,)" +
                             user + "}";
  const std::string after = R"({"\ud800":{"\udc00":"\udfff"},"model":"m2","stream_options":)"
                            R"({"\ud800":1,"include_usage":true},"stream":true,)" +
                            user + "}";
  CHECK(sent(before, "m2", RequestBody::StreamUsage::ask) == after);
  const auto doubled = RequestBody::read(
      Operation::chat, R"({"model":"m","\ud800":1,"\udc00":2,"messages":[{"role":"user",)"
                       R"("content":"hi"}]})");
  REQUIRE_FALSE(doubled);
  CHECK(doubled.error().code == "invalid_value");
  const auto broken = RequestBody::read(
      Operation::chat, R"({"model":"m","messages":[{"role":"user","content":"\ud83d\u12"}]})");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == "invalid_json");
}

TEST_CASE("whole numbers beyond 64 bits are no reason to refuse what they stand in") {
  const std::string big(78, '9');
  const std::string schema = R"({"model":"m","tools":[{"type":"function","function":{"name":"f",)"
                             R"("parameters":{"maximum":)" +
                             big + "}}}]," + kTail;
  CHECK(sent(schema, "m2", RequestBody::StreamUsage::as_is) ==
        R"({"model":"m2")" + schema.substr(std::string(R"({"model":"m")").size()));
  const auto limit =
      RequestBody::read(Operation::chat, R"({"model":"m","max_tokens":)" + big + "," + kTail);
  REQUIRE_FALSE(limit);
  CHECK(limit.error().param == "max_tokens");
  CHECK_FALSE(RequestBody::read(Operation::chat, R"({"model":"m","seed":0)" + big + "," + kTail));
}

TEST_CASE("usage is found in any part of an answer that holds it whole, however the part is cut") {
  const std::string usage =
      R"("usage" : {"prompt_tokens":3,"x":"}\"{","completion_tokens":4,"total_tokens":7})";
  for (const char* behind : {",\"choices\":[{\"text\":\"cut he", "}", ",\"a\":{", ""}) {
    const auto found = usage_in_part("d\",\"b\":1," + usage + behind);
    REQUIRE(found);
    REQUIRE(found->usage);
    CHECK(found->usage->input() == 3);
    CHECK(found->usage->output() == 4);
  }
  // Said by a model, null, or cut.
  CHECK_FALSE(usage_in_part(R"({"text":"\"usage\":{\"prompt_tokens\":1}"})"));
  CHECK_FALSE(usage_in_part(R"("usage":null,"choices":[{"prompt_tokens":1,"total_tokens":1}])"));
  CHECK_FALSE(usage_in_part(std::string_view(usage).substr(0, usage.size() - 1)));
}
