// JSON that others read and the parser does not: what of it is changed for looking at it.
#include "gateway/lenient_json.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "gateway/answer_reader.h"

using namespace mg;
using namespace mg::gateway;

TEST_CASE("whole numbers beyond 64 bits keep their first digits") {
  const std::string big(78, '9');
  CHECK(without_long_numbers(R"({"a":)" + big + R"(,"b":")" + big + R"(","c":1.)" + big + "}") ==
        R"({"a":)" + big.substr(0, 18) + R"(,"b":")" + big + R"(","c":1.)" + big + "}");
  CHECK(without_long_numbers(R"(["\"12345678901234567890",-12345678901234567890])") ==
        R"(["\"12345678901234567890",-123456789012345678])");
}

TEST_CASE("half of an escaped pair is replaced, and nothing else is") {
  const std::vector<std::pair<std::string, std::string>> changed = {
      {R"("\ud83d")", R"("\ufffd")"},
      {R"("\uDE00 b")", R"("\ufffd b")"},
      {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
      {R"("\ude00\ud83d")", R"("\ufffd\ufffd")"},
      {R"("\ud83d\\\ude00")", R"("\ufffd\\\ufffd")"},
      {R"("\ud83d\u0041")", R"("\ufffd\u0041")"},
      {R"("\\\udbff")", R"("\\\ufffd")"},
  };
  for (const auto& [before, after] : changed) CHECK(without_lone_surrogates(before) == after);
  for (const std::string kept :
       {R"("\ud83d\ude00")", R"("\\ud83d")", R"("\u12")", R"("\ud83)", R"("\ud83g")", R"("\)",
        R"("\ud7ff\ue000")", R"("\u+d83")", "", "plain"})
    CHECK(without_lone_surrogates(kept) == kept);
}

TEST_CASE("an answer whose text is cut within a pair is read") {
  AnswerReader reader;
  TokenCounter generated(Tokenizer::o200k);
  const auto facts =
      reader.read(R"({"choices":[{"delta":{"content":"Done \ud83d"},"finish_reason":"stop"}],)"
                  R"("usage":{"prompt_tokens":5,"completion_tokens":12345678901234567890123}})",
                  api::Provider{}, &generated);
  CHECK(facts.is_json);
  CHECK(facts.is_finished);
  CHECK(facts.has_usage);
  CHECK(generated.tokens() > 0);
  CHECK(AnswerReader::is_object(R"({"error":"\udc00"})"));
  CHECK(AnswerReader::error_text(R"({"error":{"message":"no \udc00"}})") == "no \xef\xbf\xbd");
  CHECK_FALSE(reader.read(R"({"choices":[{"delta":{"content":"\ud83"}}]})", {}, nullptr).is_json);
}
