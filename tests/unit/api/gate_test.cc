// gate.*: each function, its phases, and its bounds.
#include "api/gate.h"

#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

// Runs the body in the phase and gives back the error it raised, or "".
std::string in_phase(World& world, Phase phase, const std::string& body) {
  const auto policies = world.hook(phase, body);
  world.ears.failures.clear();
  switch (phase) {
    case Phase::admit:
      policies->admit(world.request);
      break;
    case Phase::route:
      policies->route(world.request, world.candidates);
      break;
    case Phase::quote:
      policies->quote(world.request, world.lines);
      break;
    case Phase::recover:
      policies->recover(world.request, world.attempt, world.failure);
      break;
    case Phase::disconnect:
      policies->disconnect(world.request, world.progress);
      break;
    case Phase::observe:
      policies->observe(world.request, world.record);
      break;
  }
  if (world.ears.failures.empty()) return "";
  const std::string& failure = world.ears.failures[0];
  return failure.substr(failure.find(": ") + 2);
}

std::string in_admit(const std::string& body) {
  World world;
  return in_phase(world, Phase::admit, body);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What a body that logs one text in admit said.
std::string said(const std::string& expression) {
  World world;
  const std::string error =
      in_phase(world, Phase::admit, "gate.log('info', tostring(" + expression + "))");
  INFO(error);
  REQUIRE(world.ears.lines.size() == 1);
  return world.ears.lines[0].substr(3);
}

std::span<const GateFunction> all_lists[] = {
    refusal_functions(), limit_functions(), wallet_functions(), budget_functions(),
    chance_functions(),  log_functions(),   match_functions()};

}  // namespace

TEST_CASE("every function checks its phase at every call") {
  size_t refused = 0;
  for (const auto list : all_lists) {
    for (const GateFunction& function : list) {
      const std::string full = std::string("gate.") +
                               (*function.library ? std::string(function.library) + "." : "") +
                               function.name;
      for (size_t i = 0; i < kPhaseCount; ++i) {
        const auto phase = static_cast<Phase>(i);
        INFO(full << " in " << name(phase));
        World world;
        const std::string error = in_phase(world, phase, "local f = " + full + " f()");
        const bool wrong_phase = contains(error, full + " cannot be called in ");
        CHECK(wrong_phase == !(function.phases & phases({phase})));
        if (wrong_phase) ++refused;
      }
      World world;
      const auto built = build_policies(
          World::tree({{"policies/m.lua", full + "() return { admit = function() end }"}},
                      "return {}"),
          1);
      CHECK(contains(built.text(), full + " cannot be called while loading"));
    }
  }
  CHECK(refused > 20);
  World world;
  CHECK(contains(in_phase(world, Phase::route, "gate.limit.take('k', {})"),
                 "gate.limit.take cannot be called in route (only in: admit)"));
}

TEST_CASE("gate.refuse says only what a policy may say") {
  const auto refuse = [](const std::string& arguments) {
    World world;
    const auto policies = world.hook(Phase::admit, "return gate.refuse(" + arguments + ")");
    return *policies->admit(world.request).refusal;
  };
  CHECK(refuse("400, 'invalid_value', 'x'").status == 400);
  CHECK(refuse("413, 'request_too_large', 'x'").status == 413);
  CHECK(refuse("503, 'overloaded', 'x'").code == "overloaded");
  CHECK(refuse("429, 'rate_limit_exceeded', 'x', 12.2").retry_after_s == 13);
  CHECK(refuse("429, 'rate_limit_exceeded', 'x', 0").retry_after_s == 1);
  CHECK(refuse("429, 'rate_limit_exceeded', 'x', 1e300").retry_after_s ==
        limits::refusal_retry_after_s_max);
  CHECK_FALSE(refuse("429, 'rate_limit_exceeded', 'x'").retry_after_s);
  CHECK_FALSE(refuse("403, 'ip_not_allowed', 'x'").retry_after_s);
  for (const char* nonsense :
       {"402, 'insufficient_quota', 'x'", "401, 'invalid_api_key', 'x'", "200, 'ok', 'x'",
        "500, 'policy_error', 'x'", "403, 'rate_limit_exceeded', 'x'", "403, 'other', 'x'",
        "'403', 'ip_not_allowed'", "403", "", "0 / 0, 'x', 'x'", "403.5, 'ip_not_allowed', {}",
        "429, 'rate_limit_exceeded', 'x', -1", "429, 'rate_limit_exceeded', 'x', 0 / 0",
        "403, 'ip_not_allowed', '\\255'", "403, ('x'):rep(1000), 'x'"}) {
    INFO(nonsense);
    CHECK(refuse(nonsense).code == "policy_error");
  }
  const std::string most = std::to_string(limits::refusal_message_bytes_max);
  CHECK(refuse("403, 'ip_not_allowed', ('x'):rep(" + most + ")").status == 403);
  CHECK(refuse("403, 'ip_not_allowed', ('x'):rep(" + most + " + 1)").status == 500);
  // Making one without returning it means nothing.
  CHECK(in_admit("local r = gate.refuse(403, 'ip_not_allowed', 'x') assert(r.status == 403) "
                 "assert(r.message == 'x') assert(r.retry_after_s == nil)") == "");
  CHECK(contains(in_admit("local r = gate.refuse(403, 'ip_not_allowed', 'x') return r.other"),
                 "no field 'other'"));
  CHECK(contains(in_admit("gate.refuse(403, 'ip_not_allowed', 'x').status = 1"), ""));
  CHECK(contains(in_admit("for i = 1, 17 do gate.refuse(403, 'ip_not_allowed', 'x') end"),
                 "too many refusals"));
}

TEST_CASE("gate.limit takes from buckets that all workers share") {
  World world;
  const auto policies = world.hook(
      Phase::admit,
      "local ok, retry = gate.limit.take('k', { rate = 0.5, burst = 2, unit = 'requests' })"
      " if not ok then assert(retry > 0) return gate.refuse(429, 'rate_limit_exceeded', 'x') end");
  for (int left = 1; left >= 0; --left) {
    const AdmitDecision decision = policies->admit(world.request);
    CHECK_FALSE(decision.refusal);
    REQUIRE(decision.requests);
    CHECK(decision.requests->limit == 2);
    CHECK(decision.requests->remaining == left);
    CHECK(decision.requests->reset_s == (2 - left) * 2);
    CHECK_FALSE(decision.tokens);
  }
  const AdmitDecision refused = policies->admit(world.request);
  REQUIRE(refused.refusal);
  CHECK(refused.refusal->retry_after_s == 2);
  CHECK(refused.requests->remaining == 0);
  CHECK(world.buckets.peek("k")->remaining == 0);
  world.clock.advance_s(2);
  CHECK_FALSE(policies->admit(world.request).refusal);
}

TEST_CASE("what a refused request took is given back") {
  World world;
  const auto policies =
      world.hook(Phase::admit,
                 "gate.limit.take('a', { rate = 1, burst = 10, cost = 4 }) gate.limit.give('a', 1)"
                 " gate.limit.take('b', { rate = 1, burst = 10, cost = 2 })"
                 " if req.stream then return gate.refuse(403, 'model_not_allowed', 'x') end"
                 " if req.bytes == 7 then error('x') end");
  world.request.stream = true;
  CHECK(policies->admit(world.request).refusal);
  CHECK(world.buckets.peek("a")->remaining == 10);
  CHECK(world.buckets.peek("b")->remaining == 10);
  world.request.stream = false;
  world.request.bytes = 7;
  CHECK(policies->admit(world.request).refusal->code == "policy_error");
  CHECK(world.buckets.peek("a")->remaining == 10);
  world.request.bytes = 8;
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(world.buckets.peek("a")->remaining == 7);
  CHECK(world.buckets.peek("b")->remaining == 8);
}

TEST_CASE("the tightest bucket of a unit is the one for the headers") {
  World world;
  const auto policies =
      world.hook(Phase::admit,
                 "gate.limit.take('a', { rate = 1, burst = 100, cost = 10, unit = 'tokens' })"
                 " gate.limit.take('b', { rate = 1, burst = 20, cost = 10, unit = 'tokens' })"
                 " gate.limit.take('c', { rate = 1, burst = 1000, cost = 10, unit = 'tokens' })"
                 " gate.limit.take('d', { rate = 1, burst = 10, cost = 10 })");
  const AdmitDecision decision = policies->admit(world.request);
  REQUIRE(decision.tokens);
  CHECK(decision.tokens->limit == 20);
  CHECK(decision.tokens->remaining == 10);
  REQUIRE(decision.token_takes.size() == 3);
  CHECK(decision.token_takes[1].key == "b");
  CHECK(decision.token_takes[1].tokens == 10);
}

TEST_CASE("gate.limit refuses arguments that make no sense") {
  for (const char* nonsense : {"gate.limit.take()",
                               "gate.limit.take(5, { rate = 1, burst = 1 })",
                               "gate.limit.take('k')",
                               "gate.limit.take('k', 1)",
                               "gate.limit.take('k', {})",
                               "gate.limit.take('k', { rate = 1 })",
                               "gate.limit.take('k', { burst = 1 })",
                               "gate.limit.take('k', { rate = -1, burst = 1 })",
                               "gate.limit.take('k', { rate = 1, burst = 0 })",
                               "gate.limit.take('k', { rate = 0 / 0, burst = 1 })",
                               "gate.limit.take('k', { rate = 1 / 0, burst = 1 })",
                               "gate.limit.take('k', { rate = 1, burst = 1e300 })",
                               "gate.limit.take('k', { rate = '1', burst = 1 })",
                               "gate.limit.take('k', { rate = 1, burst = 1, cost = -1 })",
                               "gate.limit.take('k', { rate = 1, burst = 1, cost = 0 / 0 })",
                               "gate.limit.take('k', { rate = 1, burst = 1, unit = 'other' })",
                               "gate.limit.take('k', { rate = 1, burst = 1, unit = 5 })",
                               "gate.limit.give('k')",
                               "gate.limit.give('k', '5')",
                               "gate.limit.give('k', 0 / 0)",
                               "gate.limit.give('k', 1e300)",
                               "gate.limit.give({}, 1)",
                               "gate.limit.peek()",
                               "gate.limit.peek({})"}) {
    INFO(nonsense);
    CHECK((in_admit(nonsense) != "" || std::string(nonsense).find("'5'") != std::string::npos));
  }
  const std::string most = std::to_string(limits::bucket_key_bytes_max);
  const std::string terms = ", { rate = 1, burst = 1 })";
  CHECK(in_admit("gate.limit.take(('k'):rep(" + most + ")" + terms) == "");
  CHECK(in_admit("gate.limit.take(('k'):rep(" + most + " + 1)" + terms) != "");
  const std::string many = std::to_string(limits::takes_per_request_max);
  CHECK(in_admit("for i = 1, " + many + " do gate.limit.take('k' .. i" + terms + " end") == "");
  CHECK(contains(in_admit("for i = 0, " + many + " do gate.limit.take('k' .. i" + terms + " end"),
                 "too many takes"));
}

TEST_CASE("gate.limit.peek looks without taking") {
  CHECK(said("gate.limit.peek('unknown')") == "nil");
  World world;
  world.buckets.take("k", {1, 10}, 4);
  CHECK(in_phase(world, Phase::route,
                 "local w = gate.limit.peek('k') assert(w.limit == 10 and w.remaining == 6 and "
                 "w.reset_s == 4)") == "");
  CHECK(world.buckets.peek("k")->remaining == 6);
}

TEST_CASE("gate.limit.give in observe stays given") {
  World world;
  world.buckets.take("k", {1, 100}, 90);
  CHECK(in_phase(world, Phase::observe, "gate.limit.give('k', 50)") == "");
  CHECK(world.buckets.peek("k")->remaining == 60);
  CHECK(in_phase(world, Phase::observe, "gate.limit.give('k', -20)") == "");
  CHECK(world.buckets.peek("k")->remaining == 40);
}

TEST_CASE("gate.wallet shows exact text, and compares") {
  CHECK(said("gate.wallet.available()") == "5.000000001");
  CHECK(said("type(gate.wallet.available())") == "string");
  CHECK(said("gate.wallet.covers('5.000000001')") == "true");
  CHECK(said("gate.wallet.covers('5.000000002')") == "false");
  CHECK(in_admit("gate.wallet.covers(5)") != "");
  CHECK(in_admit("gate.wallet.covers('-1')") != "");
  CHECK(in_admit("gate.wallet.covers('x')") != "");
  World world;
  world.request.tenant.available.reset();
  CHECK(in_phase(world, Phase::admit,
                 "assert(gate.wallet.available() == nil) assert(not gate.wallet.covers('0'))") ==
        "");
}

TEST_CASE("gate.budget gathers what the ledger is to check") {
  World world;
  const auto policies = world.hook(Phase::admit,
                                   "gate.budget.require('key:1', '5.00', 'day')"
                                   " gate.budget.require('key:1', '50', 'month')"
                                   " gate.budget.require('ten:2', '0.000000001', 'total')"
                                   " if req.stream then return gate.refuse(403, "
                                   "'model_not_allowed', 'x') end");
  const AdmitDecision decision = policies->admit(world.request);
  REQUIRE(decision.budgets.size() == 3);
  CHECK(decision.budgets[0].name == "key:1");
  CHECK(decision.budgets[0].limit == Money::nanos(5'000'000'000));
  CHECK(decision.budgets[0].period == BudgetPeriod::day);
  CHECK(decision.budgets[1].period == BudgetPeriod::month);
  CHECK(decision.budgets[2].limit == Money::nanos(1));
  world.request.stream = true;
  CHECK(policies->admit(world.request).budgets.empty());
  for (const char* nonsense :
       {"gate.budget.require('b', 5, 'day')", "gate.budget.require('b', '5')",
        "gate.budget.require('b', '-5', 'day')", "gate.budget.require('b', '1e3', 'day')",
        "gate.budget.require('b', '5', 'year')", "gate.budget.require('', '5', 'day')",
        "gate.budget.require('two words', '5', 'day')", "gate.budget.require(nil, '5', 'day')",
        "for i = 1, 2 do gate.budget.require('b', '5', 'day') end"}) {
    INFO(nonsense);
    CHECK(in_admit(nonsense) != "");
  }
  const std::string many = std::to_string(limits::hold_budgets_max);
  CHECK(in_admit("for i = 1, " + many + " do gate.budget.require('b' .. i, '5', 'day') end") == "");
  CHECK(in_admit("for i = 0, " + many + " do gate.budget.require('b' .. i, '5', 'day') end") != "");
  const std::string most = std::to_string(limits::budget_name_bytes_max);
  CHECK(in_admit("gate.budget.require(('b'):rep(" + most + "), '5', 'day')") == "");
  CHECK(in_admit("gate.budget.require(('b'):rep(" + most + " + 1), '5', 'day')") != "");
}

TEST_CASE("gate.hash depends on its text alone") {
  const std::string first = said("gate.hash('conversation-17', 1000000)");
  CHECK(first == said("gate.hash('conversation-17', 1000000)"));
  World world;
  world.request.seed = 99;
  CHECK(in_phase(world, Phase::route,
                 "assert(gate.hash('conversation-17', 1000000) == " + first + ")") == "");
  CHECK(said("gate.hash('conversation-18', 1000000)") != first);
  CHECK(said("gate.hash('x', 1)") == "1");
  // Spread evenly: a thousand texts over ten numbers.
  CHECK(
      in_admit("local n = {} for i = 1, 1000 do local k = gate.hash('text' .. i, 10) n[k] = (n[k] "
               "or 0) + 1 end for i = 1, 10 do assert(n[i] > 60 and n[i] < 140, n[i]) end") == "");
  for (const char* nonsense :
       {"gate.hash()", "gate.hash('x')", "gate.hash('x', 0)", "gate.hash('x', 1.5)",
        "gate.hash('x', -1)", "gate.hash('x', 2 ^ 54)", "gate.hash('x', 0 / 0)",
        "gate.hash({}, 5)"})
    CHECK(in_admit(nonsense) != "");
}

TEST_CASE("gate.random repeats for the same request, and not for another") {
  const auto drawn = [](uint64_t seed) {
    World world;
    world.request.seed = seed;
    in_phase(
        world, Phase::admit,
        "gate.log('info', gate.random() .. ' ' .. gate.random(1000) .. ' ' .. gate.random(6))");
    REQUIRE(world.ears.lines.size() == 1);
    return world.ears.lines[0];
  };
  CHECK(drawn(1) == drawn(1));
  CHECK(drawn(1) != drawn(2));
  CHECK(in_admit("for i = 1, 1000 do local r = gate.random() assert(r >= 0 and r < 1) r = "
                 "gate.random(3) assert(r == 1 or r == 2 or r == 3) end") == "");
  CHECK(in_admit("gate.random(0)") != "");
  CHECK(in_admit("gate.random(1.5)") != "");
  CHECK(in_admit("gate.random('x')") != "");
}

TEST_CASE("gate.log is bounded in length and number") {
  World world;
  const std::string most = std::to_string(limits::script_log_bytes_max);
  const auto policies = world.hook(
      Phase::admit, "for i = 1, 100 do gate.log('warning', ('x'):rep(" + most + " + 1)) end");
  policies->admit(world.request);
  CHECK(world.ears.lines.size() == limits::script_logs_per_s_max);
  CHECK(world.ears.lines[0].size() == limits::script_log_bytes_max + 3);
  policies->admit(world.request);
  CHECK(world.ears.lines.size() == limits::script_logs_per_s_max);
  world.clock.advance_s(1);
  policies->admit(world.request);
  CHECK(world.ears.lines.size() == 2 * limits::script_logs_per_s_max);
  CHECK(in_admit("gate.log('loud', 'x')") != "");
  CHECK(in_admit("gate.log('info')") != "");
  CHECK(in_admit("gate.log('info', {})") != "");
}

TEST_CASE("gate.ip.matches knows networks") {
  CHECK(said("gate.ip.matches('10.1.2.3', { '192.0.2.1', '10.0.0.0/8' })") == "true");
  CHECK(said("gate.ip.matches('11.1.2.3', { '10.0.0.0/8' })") == "false");
  CHECK(said("gate.ip.matches('::ffff:10.1.2.3', { '10.0.0.0/8' })") == "true");
  CHECK(said("gate.ip.matches('2001:db8::1', { '2001:db8::/32' })") == "true");
  CHECK(said("gate.ip.matches('2001:db9::1', { '2001:db8::/32' })") == "false");
  CHECK(said("gate.ip.matches('10.1.2.3', {})") == "false");
  CHECK(said("gate.ip.matches(req.ip, { '192.0.2.0/24' })") == "true");
  for (const char* nonsense :
       {"gate.ip.matches('x', {})", "gate.ip.matches('10.0.0.1', { 'x' })",
        "gate.ip.matches('10.0.0.1', { 5 })", "gate.ip.matches('10.0.0.1', '10.0.0.0/8')",
        "gate.ip.matches('10.0.0.1')", "gate.ip.matches(5, {})",
        "gate.ip.matches('10.0.0.1', { '10.0.0.0/33' })"})
    CHECK(in_admit(nonsense) != "");
}

TEST_CASE("gate.text.matches knows stars") {
  const auto matches = [](const std::string& text, const std::string& pattern) {
    return said("gate.text.matches('" + text + "', { '" + pattern + "' })") == "true";
  };
  CHECK(matches("gpt-4o", "gpt-4o"));
  CHECK_FALSE(matches("gpt-4o-mini", "gpt-4o"));
  CHECK(matches("gpt-4o-mini", "gpt-4o*"));
  CHECK(matches("gpt-4o", "gpt-4o*"));
  CHECK(matches("gpt-4o", "*"));
  CHECK(matches("", "*"));
  CHECK(matches("", ""));
  CHECK(matches("a-b-c", "*b*"));
  CHECK(matches("abcbc", "a*bc"));
  CHECK(matches("abcbcd", "a*b*d"));
  CHECK_FALSE(matches("abc", "a*bd"));
  CHECK_FALSE(matches("abc", "b*"));
  CHECK(matches("a.c", "a.c"));
  CHECK_FALSE(matches("abc", "a.c"));
  CHECK(matches("a%c", "a%c"));
  CHECK(in_admit("gate.text.matches('x', 5)") != "");
  CHECK(in_admit("gate.text.matches('x', { 5 })") != "");
  CHECK(in_admit("gate.text.matches(5, {})") != "");
  const std::string most = std::to_string(limits::model_name_bytes_max);
  CHECK(in_admit("gate.text.matches('x', { ('*'):rep(" + most + ") })") == "");
  CHECK(in_admit("gate.text.matches('x', { ('*'):rep(" + most + " + 1) })") != "");
  // Many stars cost steps, and the steps run out.
  CHECK(
      contains(in_admit("local p = { ('*a'):rep(128) } local t = ('a'):rep(1000) .. 'b' while true "
                        "do gate.text.matches(t, p) end"),
               "budget"));
}
