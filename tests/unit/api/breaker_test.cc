#include "api/breaker.h"

#include "base/limits.h"
#include "policies/world.h"

using namespace mg;
using namespace mg::api;

namespace {

script::BuildResult built(const std::string& breaker) {
  return build_policies(api::test::World::tree({}, "return { " + breaker + " }"), 1);
}

BreakerRules rules(const std::string& breaker) {
  const script::BuildResult result = built(breaker);
  INFO(result.text());
  REQUIRE(result.bundle);
  return breaker_rules(*result.bundle);
}

}  // namespace

TEST_CASE("the breaker is set in the chain, and what is left out is as ever") {
  CHECK(rules("").failures_max == 5);
  CHECK(rules("").open_ms == 30'000);
  CHECK(rules("").trials_max == 1);
  const BreakerRules one = rules("breaker = { failures = 2, open_s = 7 }");
  CHECK(one.failures_max == 2);
  CHECK(one.open_ms == 7000);
  CHECK(one.trials_max == 1);
}

TEST_CASE("each number of the breaker has its bounds") {
  const std::tuple<const char*, int64_t> bounds[] = {{"failures", limits::breaker_failures_max},
                                                     {"open_s", limits::breaker_open_s_max},
                                                     {"trials", limits::breaker_trials_max}};
  for (const auto& [name, most] : bounds) {
    const auto with = [&, name = name](int64_t n) {
      return built("breaker = { " + std::string(name) + " = " + std::to_string(n) + " }");
    };
    INFO(name);
    CHECK(with(1).bundle);
    CHECK(with(most).bundle);
    CHECK(!with(0).bundle);
    CHECK(!with(most + 1).bundle);
    CHECK(with(0).text().find(std::string("policies/chain.lua: breaker: ") + name +
                              " must be a whole number from 1 to ") != std::string::npos);
  }
}

TEST_CASE("a breaker that is none is refused, and so is a setting nobody knows") {
  CHECK(built("breaker = 5").text().find("breaker: must be {") != std::string::npos);
  CHECK(built("breaker = { 5 }").text().find("breaker: must be {") != std::string::npos);
  CHECK(built("breaker = { failure = 5 }").text().find("unknown key 'failure'") !=
        std::string::npos);
  CHECK(built("brake = {}").text().find("there is no phase or setting 'brake'") !=
        std::string::npos);
}
