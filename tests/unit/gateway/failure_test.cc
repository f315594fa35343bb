#include "gateway/failure.h"

#include <catch2/catch.hpp>

#include "base/limits.h"

using namespace mg;
using namespace mg::gateway;

namespace {

Judgement judged(int status, const std::string& body,
                 std::initializer_list<std::pair<const char*, const char*>> fields = {}) {
  http::ResponseHead head;
  head.status = status;
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return judge(head, body);
}

std::optional<int64_t> rest_of(const char* retry_after, const char* date = nullptr) {
  if (!date) return judged(503, "", {{"retry-after", retry_after}}).failure.retry_after_ms;
  return judged(503, "", {{"retry-after", retry_after}, {"date", date}}).failure.retry_after_ms;
}

}  // namespace

TEST_CASE("a channel rests for as long as it asked, in every form in which it may ask") {
  const int64_t most_ms = limits::retry_after_s_max * 1000;
  CHECK(rest_of("2") == 2'000);
  CHECK(rest_of("0") == 0);
  CHECK(rest_of("-5") == 0);
  CHECK(rest_of("1.5") == 1'500);
  CHECK(rest_of("1.0") == 1'000);
  CHECK(rest_of("0.25") == 250);
  CHECK(rest_of("0.0001") == 1);
  CHECK(rest_of(" 7 ") == 7'000);
  CHECK(rest_of("99999") == most_ms);
  CHECK(rest_of("99999999999999999999") == most_ms);
  const char* now = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(rest_of("Sun, 06 Nov 1994 08:49:39 GMT", now) == 2'000);
  CHECK(rest_of("Sun, 06 Nov 1994 08:49:37 GMT", now) == 0);
  CHECK(rest_of("Sun, 06 Nov 1994 08:40:00 GMT", now) == 0);
  CHECK(rest_of("Mon, 07 Nov 1994 08:49:37 GMT", now) == most_ms);
}

TEST_CASE("what cannot be read asks for nothing") {
  for (const char* text : {"", "abc", "2s", "1m30s", "1.", ".5", "1.5.2", "1,5", "1e3"}) {
    CAPTURE(text);
    CHECK(rest_of(text) == std::nullopt);
    CHECK(judged(429, "", {{"retry-after", text}}).failure.retry_after_ms == kRestAfter429Ms);
  }
  CHECK(rest_of("Sun, 06 Nov 1994 08:49:39 GMT") == std::nullopt);  // by whose clock?
}

TEST_CASE("an error that speaks of our account is ours, and one that repeats such words is not") {
  const auto blame = [](const std::string& body) { return judged(400, body).blame; };
  const auto says = [](const std::string& message) {
    return R"({"error":{"message":")" + message + R"("}})";
  };
  CHECK(blame(says("Incorrect API key provided: sk-1. You can find it in your account.")) ==
        Blame::channel);
  CHECK(blame(says("You didn't provide it: no API key found")) == Blame::channel);
  CHECK(blame(says("Your credit balance is too low")) == Blame::channel);
  CHECK(blame(R"({"error":{"message":"no","code":"insufficient_quota"}})") == Blame::channel);
  CHECK(blame(R"({"error":{"message":"no","type":"invalid_api_key"}})") == Blame::channel);
  CHECK(blame(R"({"detail":"Invalid API key"})") == Blame::channel);
  CHECK(blame("Insufficient Balance") == Blame::channel);
  CHECK(blame(R"([{"error":{"code":400,"message":"API key not valid. Pass a valid API key."}}])") ==
        Blame::channel);
  CHECK(blame(R"({"error":{"message":"Provider returned error",)"
              R"("metadata":{"raw":"{\"message\":\"Invalid API key\"}"}}})") == Blame::channel);
  CHECK(blame(says("Error code: 400 - {'error': {'message': 'Incorrect API key'}}")) ==
        Blame::channel);
  CHECK(blame("{'error': 'Invalid API key'}") == Blame::channel);

  CHECK(blame(says("Invalid schema for function 'raise_insufficient_balance': no type")) ==
        Blame::client);
  CHECK(blame(says("In context=('properties', 'credit balance'), 'type' is missing")) ==
        Blame::client);
  CHECK(blame(says("`the api key is stored here` is no name of a tool")) == Blame::client);
  CHECK(blame(R"({"detail":[{"msg":"too long","input":"My bank says insufficient balance"}]})") ==
        Blame::client);
  CHECK(blame(R"({"error":{"message":"bad","param":"no api key"}})") == Blame::client);
}
