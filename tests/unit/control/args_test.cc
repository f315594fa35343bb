#include "control/args.h"

#include <catch2/catch.hpp>

#include "base/rng.h"
#include "support/virtual_clock.h"

using namespace mg;
using namespace mg::control;

namespace {

constexpr int64_t kNow = 1'790'000'000'000;

// What the arguments are said to have wrong; empty: nothing.
std::string wrong(const Json& json, const std::function<void(Args&)>& read) {
  Args args(json);
  read(args);
  const Result<> ok = args.ok();
  if (ok) return {};
  CHECK(ok.error().code == Errc::invalid);
  return ok.error().what;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("arguments are read by name and type") {
  const Json json = {{"name", "Acme"},       {"amount", "10.50"}, {"rpm", 60},
                     {"models", {"a", "b"}}, {"force", true},     {"nothing", nullptr}};
  Args args(json);
  CHECK(args.text("name") == "Acme");
  CHECK(args.money("amount") == Money::nanos(10'500'000'000));
  CHECK(args.count_or("rpm", 1) == 60);
  CHECK(args.count_or("tpm", 7) == 7);
  CHECK(args.texts("models") == std::vector<std::string>{"a", "b"});
  CHECK(args.texts("tags").empty());
  CHECK(args.truth("force"));
  CHECK_FALSE(args.truth("quiet"));
  CHECK_FALSE(args.optional_text("nothing"));
  CHECK(args.text_or("memo", "none") == "none");
  CHECK(args.ok());
}

TEST_CASE("what is wrong is said in the words of the command line") {
  CHECK(wrong({}, [](Args& a) { a.text("name"); }) == "--name is required");
  CHECK(wrong({{"name", ""}}, [](Args& a) { a.text("name"); }) == "--name is required");
  CHECK(contains(wrong({{"name", 7}}, [](Args& a) { a.text("name"); }), "--name must be text"));
  CHECK(contains(wrong({{"rpm", -1}}, [](Args& a) { a.count_or("rpm", 0); }), "--rpm must be"));
  CHECK(contains(wrong({{"rpm", 1.5}}, [](Args& a) { a.count_or("rpm", 0); }), "--rpm must be"));
  CHECK(contains(wrong({{"rpm", UINT64_MAX}}, [](Args& a) { a.count_or("rpm", 0); }), "--rpm"));
  CHECK(contains(wrong({{"models", "a"}}, [](Args& a) { a.texts("models"); }), "a list"));
  CHECK(contains(wrong({{"models", {1}}}, [](Args& a) { a.texts("models"); }), "a list of texts"));
  CHECK(contains(wrong({{"force", 1}}, [](Args& a) { a.truth("force"); }), "true or false"));
  CHECK(wrong({{"a_b", 1}}, [](Args&) {}) == "there is no --a-b");
}

TEST_CASE("the first thing that is wrong is the one that is said") {
  const std::string said = wrong({{"rpm", -1}, {"other", 1}}, [](Args& a) {
    a.count_or("rpm", 0);
    a.text("name");
  });
  CHECK(contains(said, "--rpm"));
  CHECK_FALSE(contains(said, "--name"));
}

TEST_CASE("amounts are exact, positive, and nothing else") {
  const auto amount = [](const char* text) {
    return wrong({{"amount", text}}, [](Args& a) { a.money("amount"); });
  };
  CHECK(amount("0.000000001").empty());
  CHECK(amount("9223372036.854775807").empty());
  for (const char* bad : {"0", "0.0000000001", "-1", "1e3", "ten", "9223372036.854775808", " 1"}) {
    INFO(bad);
    CHECK(contains(amount(bad), "--amount must be"));
  }
  CHECK(wrong({}, [](Args& a) { a.money("amount"); }) == "--amount is required");
  CHECK(contains(wrong({{"amount", 10}}, [](Args& a) { a.money("amount"); }), "must be text"));
  const Json zero = {{"daily_limit", "0"}};
  Args args(zero);
  CHECK(args.optional_money("daily_limit") == Money());
  CHECK(args.ok());
}

TEST_CASE("times are spans from now on, or back from now, or moments") {
  const Json json = {{"span", "24h"}, {"moment", "2026-12-31T23:59:59Z"}};
  constexpr int64_t kDay = 24 * 3'600'000;
  Args args(json);
  CHECK(args.time_ms("span", kNow) == kNow + kDay);
  CHECK(args.since_ms("span", kNow, 1) == kNow - kDay);
  CHECK(args.time_ms("moment", kNow) == 1'798'761'599'000);
  CHECK(args.since_ms("moment", kNow, 1) == 1'798'761'599'000);
  CHECK(args.time_ms("absent", kNow) == 0);
  CHECK(args.since_ms("absent", kNow, 1) == 1);
  CHECK(args.ok());
  for (const char* bad : {"", "24", "-1h", "tomorrow", "2026-12-31", "24h "}) {
    INFO(bad);
    CHECK(contains(wrong({{"t", bad}}, [](Args& a) { a.time_ms("t", kNow); }), "--t must be"));
    CHECK(contains(wrong({{"t", bad}}, [](Args& a) { a.since_ms("t", kNow, 0); }), "--t must be"));
  }
}

TEST_CASE("a limit is at least 1, and none only where it is left out") {
  const auto limit = [](const Json& value) {
    return wrong({{"rpm", value}}, [](Args& a) { a.limit("rpm", 1000); });
  };
  CHECK(limit(1).empty());
  CHECK(limit(1000).empty());
  for (const Json& bad : std::vector<Json>{0, -1, 1001, 1.5, "1", INT64_MAX, UINT64_MAX, true}) {
    INFO(bad.dump());
    CHECK(contains(limit(bad), "--rpm must be a whole number from 1 to 1000"));
  }
  const Json none = Json::object();
  Args args(none);
  CHECK(args.limit("rpm", 1000) == 0);
  CHECK(args.ok());
}

TEST_CASE("labels are bounded, and never empty where they are given") {
  const auto one = [](const Json& value) {
    return wrong({{"group", value}}, [](Args& a) { a.label_or_none("group", 3); });
  };
  CHECK(one("abc").empty());
  CHECK(wrong(Json::object(), [](Args& a) { a.label_or_none("group", 3); }).empty());
  CHECK(contains(wrong(Json::object(), [](Args& a) { a.label("name", 3); }), "is required"));
  for (const char* bad : {"", "abcd", "a\n"})
    CHECK(one(bad) == "--group must be 1 to 3 bytes without control characters");
  const auto list = [](const Json& value) {
    return wrong({{"tags", value}}, [](Args& a) { a.labels("tags", 3, 2); });
  };
  CHECK(list({"a", "abc"}).empty());
  for (const Json& bad : std::vector<Json>{Json::array(), Json::array({"a", "b", "c"}),
                                           Json::array({""}), Json::array({"abcd"})}) {
    INFO(bad.dump());
    CHECK(contains(list(bad), "--tags must be"));
  }
}

TEST_CASE("an end may be over, but one that is given is never none") {
  const auto end = [](const Json& json) { return Args(json).end_ms("expires", kNow); };
  CHECK(end(Json::object()) == 0);
  CHECK(end({{"expires", "1s"}}) == kNow + 1000);
  CHECK(end({{"expires", "0s"}}) == kNow);
  CHECK(end({{"expires", "1970-01-01T00:00:00Z"}}) == 1);
  CHECK(
      contains(wrong({{"expires", "soon"}}, [](Args& a) { a.end_ms("expires", kNow); }), "a span"));
}

TEST_CASE("ids are of their kind") {
  test::VirtualClock clock;
  SeededRng rng(1);
  const Id id = Id::make(clock, rng);
  const Json json = {{"tenant", id.text(kTenantPrefix)},
                     {"platform", "platform"},
                     {"key", id.text(kKeyPrefix)},
                     {"request", id.text(kRequestPrefix)}};
  Args args(json);
  CHECK(args.tenant("tenant") == id);
  CHECK(args.tenant("platform") == Id());
  CHECK(args.key("key") == id);
  CHECK(args.request("request") == id);
  CHECK(args.ok());
  CHECK(contains(wrong({{"id", "mg-secret"}}, [](Args& a) { a.key("id"); }), "not its secret"));
  CHECK(contains(wrong({{"id", id.text(kKeyPrefix)}}, [](Args& a) { a.tenant("id"); }), "tenant"));
  CHECK(contains(wrong({{"id", "req_1"}}, [](Args& a) { a.request("id"); }), "request id"));
}

TEST_CASE("arguments that are no object are none") {
  for (const Json& json : {Json(), Json(7), Json::array({1})}) {
    CHECK(wrong(json, [](Args& a) { a.text_or("name", ""); }).empty());
    CHECK(wrong(json, [](Args& a) { a.text("name"); }) == "--name is required");
  }
}
