#include "gateway/answer_reader.h"

#include <catch2/catch.hpp>

#include "api/facts.h"

using namespace mg;
using namespace mg::gateway;

namespace {

const api::Provider kPlain;

AnswerFacts facts_of(const std::string& json, TokenCounter* generated = nullptr) {
  AnswerReader reader;
  return reader.read(json, kPlain, generated);
}

int64_t tokens_of(const std::string& members) {
  TokenCounter generated(Tokenizer::o200k);
  facts_of(R"({"choices":[{"index":0,"message":{)" + members + "}}]}", &generated);
  return generated.tokens();
}

const std::string kText = "It is a truth universally acknowledged, that a single man";

}  // namespace

TEST_CASE("an answer has choices or embeddings in it") {
  CHECK(facts_of(R"({"choices":[{"message":{}}]})").has_answer);
  CHECK(facts_of(R"({"data":[{"embedding":[1]}]})").has_answer);
  for (const char* json : {"{}", R"({"choices":[]})", R"({"choices":null})", R"({"data":[]})",
                           R"({"choices":[1]})", R"({"usage":{"prompt_tokens":1}})"}) {
    CAPTURE(json);
    const AnswerFacts facts = facts_of(json);
    CHECK(facts.is_json);
    CHECK_FALSE(facts.has_answer);
    CHECK_FALSE(facts.is_error);
  }
}

TEST_CASE("an error may be the whole document") {
  CHECK(facts_of(R"({"object":"error","message":"no","code":400})").is_error);
  CHECK(facts_of(R"({"code":500,"msg":"busy","success":false})").is_error);
  CHECK(facts_of(R"({"code":"InvalidParameter","message":"no"})").is_error);
  CHECK_FALSE(facts_of(R"({"choices":[{"delta":{}}],"message":"ok"})").is_error);
  CHECK_FALSE(facts_of(R"({"choices":[],"message":"filtered"})").is_error);
  CHECK_FALSE(facts_of(R"({"data":[{"embedding":[1]}],"message":"ok"})").is_error);
  CHECK(AnswerReader::error_text(R"({"code":500,"msg":"busy"})") == "busy");
}

TEST_CASE("a byte order mark is looked past") {
  const std::string mark = "\xEF\xBB\xBF";
  CHECK(facts_of(mark + R"({"choices":[{}]})").has_answer);
  CHECK(AnswerReader::is_object(mark + "{}"));
  CHECK(AnswerReader::error_text(mark + R"({"error":{"message":"no"}})") == "no");
  CHECK_FALSE(facts_of(mark + mark + "{}").is_json);
}

TEST_CASE("text counts under every name that vendors give it, and once") {
  const int64_t whole = tokens_of(R"("content":")" + kText + "\"");
  REQUIRE(whole > 8);
  for (const std::string before :
       {R"("content":[{"type":"text","text":")", R"("content":[{"type":"thinking","thinking":")",
        R"("reasoning_content":")", R"("reasoning_content":"","reasoning":")", R"("reasoning":")",
        R"("reasoning_details":[{"type":"reasoning.text","text":")",
        R"("reasoning_details":[{"type":"reasoning.summary","summary":")",
        R"("thinking_blocks":[{"thinking":")", R"("refusal":")"}) {
    CAPTURE(before);
    CHECK(tokens_of(before + kText + (before.find('[') == std::string::npos ? "\"" : "\"}]")) ==
          whole);
  }
  const std::string twice =
      R"("reasoning":")" + kText + R"(","reasoning_details":[{"text":")" + kText + "\"}]";
  CHECK(tokens_of(twice) == whole);
  CHECK(tokens_of(R"("tool_calls":[{"function":{"arguments":{"text":")" + kText + "\"}}}]") >=
        whole);
}

TEST_CASE("sound and pictures count by their size and number") {
  TokenCounter generated(Tokenizer::o200k);
  const auto media = [&](const std::string& members) {
    return facts_of(R"({"choices":[{"delta":{)" + members + "}}]}", &generated);
  };
  CHECK(media(R"("audio":{"data":")" + std::string(3'200, 'A') + "\"}").audio_tokens == 1);
  CHECK(media(R"("audio":{"data":")" + std::string(3'201, 'A') + "\"}").audio_tokens == 2);
  CHECK(media(R"("images":[{"image_url":{"url":"data:"}},{}])").image_tokens == 2 * 1'290);
  CHECK(media(R"("content":"x")").audio_tokens == 0);
  CHECK(facts_of(R"({"choices":[{"delta":{"audio":{"data":"AAAA"}}}]})").audio_tokens == 0);
}
