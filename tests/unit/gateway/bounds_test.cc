// Bounds of the gateway at their edge, and one past it.
#include "base/limits.h"

#include <catch2/catch.hpp>

#include "base/clock.h"
#include "base/rng.h"
#include "gateway/constraints.h"
#include "gateway/failure.h"
#include "gateway/idempotency.h"
#include "gateway/request_body.h"
#include "support/virtual_clock.h"

using namespace mg;
using namespace mg::gateway;
using Verdict = IdempotencyTable::Claim::Verdict;

namespace {

std::string chat(const std::string& more) {
  return R"({"model":"m","messages":[{"role":"user","content":"x"}])" + more + "}";
}

IdempotencyTable::Digest digest(uint64_t number) {
  IdempotencyTable::Digest out{};
  for (size_t i = 0; i < sizeof number; ++i)
    out[i] = static_cast<std::decay_t<decltype(out[0])>>(number >> (8 * i));
  return out;
}

// A table, and requests that come to it one after the other, each ended at once.
struct Table {
  IdempotencyTable table;
  test::VirtualClock clock;
  SeededRng rng{1};
  int64_t now_ns = 0;

  Verdict claim(uint64_t key) {
    return table.claim(digest(key), digest(7), Id::make(clock, rng), now_ns).verdict;
  }
  void keep(uint64_t key, size_t bytes) {
    StoredAnswer answer;
    answer.body.assign(bytes, 'x');
    REQUIRE(claim(key) == Verdict::fresh);
    table.keep(digest(key), std::move(answer), now_ns);
  }
};

}  // namespace

TEST_CASE("a body is nested as deep as it may be") {
  const auto nested = [](size_t levels) {  // the body's own table is one of them
    const std::string tools =
        ",\"tools\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']');
    return RequestBody::read(Operation::chat, chat(tools));
  };
  CHECK(nested(limits::body_depth_max));
  const auto refused = nested(limits::body_depth_max + 1);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == "invalid_json");
  CHECK(refused.error().status == 400);
  CHECK(refused.error().message.find("deep") != std::string::npos);
}

TEST_CASE("a body with room behind it for the reader of JSON is read where it is") {
  const auto is_moved = [](size_t room) {
    const std::string said = chat("");
    std::string text;
    text.reserve(said.size() + room);
    text = said;
    REQUIRE(text.capacity() == said.size() + room);
    const char* const at = text.data();
    const auto body = RequestBody::read(Operation::chat, std::move(text));
    REQUIRE(body);
    return body->text().data() != at;
  };
  CHECK_FALSE(is_moved(limits::json_padding_bytes));
  CHECK(is_moved(limits::json_padding_bytes - 1));
}

TEST_CASE("as many choices may be asked for as there may be") {
  const std::string most = std::to_string(limits::choices_max);
  const std::string over = std::to_string(limits::choices_max + 1);
  const auto taken = RequestBody::read(Operation::chat, chat(",\"n\":" + most));
  REQUIRE(taken);
  CHECK(taken->choices() == limits::choices_max);
  const auto refused = RequestBody::read(Operation::chat, chat(",\"n\":" + over));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().param == "n");
  CHECK(refused.error().status == 400);
}

TEST_CASE("a session's name is taken as far as it may reach") {
  auto body = RequestBody::read(Operation::chat, chat(""));
  REQUIRE(body);
  const std::string name(limits::session_bytes_max, 's');
  body->set_session(name);
  CHECK(body->session() == name);
  body->set_session(name + "t");
  CHECK(body->session() == name);
}

TEST_CASE("a client may name as many channels as a request has candidates") {
  const auto list = [](size_t names) {
    std::string out = R"({"only":["a")";
    for (size_t i = 1; i < names; ++i) out += R"(,"a")";
    return out + "]}";
  };
  const auto taken = Constraints::parse(list(limits::candidates_max));
  REQUIRE(taken);
  CHECK(taken->facts().only.size() == limits::candidates_max);
  const auto refused = Constraints::parse(list(limits::candidates_max + 1));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::invalid);
}

TEST_CASE("a provider's wish to be left alone is heeded up to the bound") {
  const auto wait_ms = [](int64_t wanted_s) {
    http::ResponseHead head;
    head.status = 429;
    head.headers.add("retry-after", std::to_string(wanted_s));
    return judge(head, "{}").failure.retry_after_ms;
  };
  CHECK(wait_ms(limits::retry_after_s_max) == limits::retry_after_s_max * 1000);
  CHECK(wait_ms(limits::retry_after_s_max + 1) == limits::retry_after_s_max * 1000);
  CHECK(wait_ms(limits::retry_after_s_max - 1) == limits::retry_after_s_max * 1000 - 1000);
}

TEST_CASE("an answer is kept for a repetition as long, and as large, as said") {
  Table t;
  t.keep(1, limits::idempotency_answer_bytes_max);
  t.keep(2, limits::idempotency_answer_bytes_max + 1);
  CHECK(t.claim(1) == Verdict::replay);
  CHECK(t.claim(2) == Verdict::charged);  // too large to keep, and yet never run again
  t.now_ns = limits::idempotency_keep_ms * kNsPerMs - 1;
  CHECK(t.claim(1) == Verdict::replay);
  t.now_ns += 1;
  CHECK(t.claim(1) == Verdict::fresh);
}

TEST_CASE("the oldest answers make room when all together are too large") {
  Table t;
  constexpr size_t kFits =
      limits::idempotency_stored_bytes_max / limits::idempotency_answer_bytes_max;
  for (uint64_t key = 0; key < kFits; ++key) t.keep(key, limits::idempotency_answer_bytes_max);
  CHECK(t.claim(0) == Verdict::replay);
  t.keep(kFits, 1);
  CHECK(t.claim(1) == Verdict::replay);
  CHECK(t.claim(kFits) == Verdict::replay);
  CHECK(t.claim(0) == Verdict::fresh);
}

TEST_CASE("the oldest keys make room when there are too many") {
  Table t;
  for (uint64_t key = 0; key < limits::idempotency_entries_max; ++key) t.keep(key, 0);
  CHECK(t.claim(0) == Verdict::replay);
  t.keep(limits::idempotency_entries_max, 0);
  CHECK(t.claim(1) == Verdict::replay);
  CHECK(t.claim(0) == Verdict::fresh);
}
