// Bounds of what policies decide and are told, at their edge and one past it.
#include "api/policies.h"
#include "base/limits.h"
#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

TEST_CASE("route: where a request does not say how long its answer may be, so much is reckoned") {
  const auto estimate = [](int64_t max_output_tokens, int64_t expected_tokens) {
    World world;
    world.request.input_tokens_estimate = 0;
    world.request.max_output_tokens = max_output_tokens;
    // Ten USD per million tokens are 10,000 nano-USD each.
    const auto policies =
        world.hook(Phase::route, "assert(candidates[1].cost_estimate == 10000 * " +
                                     std::to_string(expected_tokens) + ")");
    policies->route(world.request, world.candidates);
    return world.ears.failures.empty();
  };
  CHECK(estimate(0, limits::output_default_max));
  CHECK(estimate(1, 1));
  CHECK(estimate(limits::output_default_max + 1, limits::output_default_max + 1));
}

TEST_CASE("quote: a line has as many multipliers as it may have, and no more") {
  const auto quote = [](size_t count) {
    World world;
    const auto policies =
        world.hook(Phase::quote, "local m = {} for i = 1, " + std::to_string(count) +
                                     " do m[i] = 900000 end lines[1].multipliers_ppm = m "
                                     "return lines");
    const QuoteDecision decision = policies->quote(world.request, world.lines);
    CHECK(world.lines[0].multiplier_count == (decision == QuoteDecision::quoted ? count : 0));
    return decision;
  };
  CHECK(quote(limits::price_multipliers_max) == QuoteDecision::quoted);
  CHECK(quote(limits::price_multipliers_max + 1) == QuoteDecision::policy_error);
}

TEST_CASE("quote: multipliers with names are no empty list") {
  for (const std::string given : {"{ x = 900000 }", "{ 900000, x = 900000 }", "{ [2] = 900000 }"}) {
    World world;
    const auto policies =
        world.hook(Phase::quote, "lines[1].multipliers_ppm = " + given + " return lines");
    CHECK(policies->quote(world.request, world.lines) == QuoteDecision::policy_error);
  }
}

TEST_CASE("recover: a delay is as long as it may be, and no longer") {
  const auto decision = [](int64_t delay_ms) {
    World world;
    const auto policies = world.hook(Phase::recover, "return 'retry', " + std::to_string(delay_ms));
    return policies->recover(world.request, world.attempt, world.failure);
  };
  const RecoverDecision most = decision(limits::recover_delay_ms_max);
  CHECK(most.by_policy);
  CHECK(most.action == Recovery::retry);
  CHECK(most.delay_ms == limits::recover_delay_ms_max);
  const RecoverDecision over = decision(limits::recover_delay_ms_max + 1);
  CHECK_FALSE(over.by_policy);
  CHECK(over.action == Recovery::next);
  CHECK(over.delay_ms == 0);
}
