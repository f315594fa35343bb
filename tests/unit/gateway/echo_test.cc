#include "gateway/echo.h"

#include <catch2/catch.hpp>

#include "gateway/request_body.h"

using namespace mg::gateway;

namespace {

std::unique_ptr<Echo> echo_of(const std::string& members) {
  const auto body = RequestBody::read(
      Operation::completion, R"({"model":"m","max_tokens":1,"echo":true,)" + members + "}");
  REQUIRE(body);
  REQUIRE(body->echoed_prompts());
  return std::make_unique<Echo>(body->echoed_prompts(), body->answers());
}

}  // namespace

TEST_CASE("what repeats the prompt is no output, however it is cut") {
  const std::string seed = R"(,"seed":1)" + std::string(30, '0');
  for (size_t cut = 0; cut <= 7; ++cut) {
    const auto echo = echo_of(R"("prompt":"one tw\u006f")" + seed);
    const std::string text = "one two three";
    CHECK(echo->beyond(0, text.substr(0, cut)) == "");
    CHECK(echo->beyond(0, text.substr(cut)) == " three");
    CHECK(echo->beyond(0, "one two") == "one two");  // said again, it is output
  }
}

TEST_CASE("what repeats no prompt is output from the first difference on") {
  const auto echo = echo_of(R"("prompt":"one two")");
  CHECK(echo->beyond(0, "one too") == "oo");
  CHECK(echo->beyond(0, "wo") == "wo");
  CHECK(echo->beyond(1, "one") == "one");  // no such choice was asked for
  CHECK(echo->beyond(UINT64_MAX, "one") == "one");
}

TEST_CASE("each of several prompts has its own answers") {
  const auto echo = echo_of(R"("prompt":["ab","cd"],"n":2)");
  CHECK(echo->beyond(0, "abx") == "x");
  CHECK(echo->beyond(1, "aby") == "y");
  CHECK(echo->beyond(2, "abx") == "abx");
  CHECK(echo->beyond(3, "cdz") == "z");
}

TEST_CASE("prompts without a text are not compared") {
  for (const char* prompt : {"[1,2,3]", "[[1,2],[3]]", "\"\""}) {
    INFO(prompt);
    const auto echo = echo_of(R"("n":2,"prompt":)" + std::string(prompt));
    CHECK(echo->beyond(0, "text") == "text");
    CHECK(echo->beyond(1, "text") == "text");
  }
}

TEST_CASE("nothing is kept where no echo is asked for") {
  for (const char* echo : {"", R"("echo":false,)", R"("echo":null,)", R"("echo":1,)"}) {
    const auto body = RequestBody::read(
        Operation::completion, std::string(R"({"model":"m",)") + echo + R"("prompt":"one"})");
    REQUIRE(body);
    CHECK_FALSE(body->echoed_prompts());
  }
}
