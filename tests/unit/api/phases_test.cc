// Each phase: what its hooks see, what they may answer, how a chain combines, and what happens when
// one fails.
#include "api/policies.h"
#include "policies/world.h"
#include "script/profile.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

std::string channels(const RouteDecision& decision, const World& world) {
  if (decision.kept) return "kept";
  std::string out;
  for (const RoutedCandidate& one : decision.order) out += world.candidates[one.index].channel;
  return out;
}

}  // namespace

TEST_CASE("a phase without a module is not asked") {
  World world;
  const auto policies = world.open(World::tree({}, "return {}"));
  for (size_t i = 0; i < kPhaseCount; ++i) CHECK_FALSE(policies->has(static_cast<Phase>(i)));
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(policies->route(world.request, world.candidates).kept);
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  CHECK(policies->recover(world.request, world.attempt, world.failure).action == Recovery::next);
  world.attempt.candidates_left = 0;
  CHECK(policies->recover(world.request, world.attempt, world.failure).action == Recovery::stop);
  CHECK_FALSE(policies->disconnect(world.request, world.progress).drain_cost_max);
  CHECK(policies->observe(world.request, world.record).tags.empty());
  for (size_t i = 0; i < kPhaseCount; ++i)
    CHECK(policies->counts(static_cast<Phase>(i)).calls == 0);
}

TEST_CASE("admit: the first refusal ends it") {
  World world;
  const auto policies = world.open(World::tree(
      {{"policies/yes.lua", "return { admit = function() end }"},
       {"policies/no.lua",
        "return { admit = function(conf) return gate.refuse(403, 'model_not_allowed', conf.why) "
        "end }"},
       {"policies/never.lua", "return { admit = function() error('asked') end }"}},
      "return { admit = { { 'yes' }, { 'no', conf = { why = 'because' } }, { 'never' } } }"));
  const AdmitDecision decision = policies->admit(world.request);
  REQUIRE(decision.refusal);
  CHECK(decision.refusal->status == 403);
  CHECK(decision.refusal->code == "model_not_allowed");
  CHECK(decision.refusal->message == "because");
  CHECK(decision.refusal->module == "no");
  CHECK_FALSE(decision.refusal->retry_after_s);
  CHECK(world.ears.failures.empty());
}

TEST_CASE("admit: what it would say is asked without taking anything") {
  World world;
  const auto policies = world.hook(Phase::admit, R"(
      gate.log('info', 'asked')
      gate.budget.require('b', '1.00', 'day')
      gate.limit.give('given', 1)
      if not gate.limit.take('taken', { rate = 1, burst = 1, unit = 'requests' }) then
        return gate.refuse(429, 'rate_limit_exceeded', 'too many')
      end
      if req.model == 'o3' then return gate.refuse(403, 'model_not_allowed', 'no') end
      if req.model == 'o4' then error('x') end)");
  for (int i = 0; i < 3; ++i) CHECK_FALSE(policies->would_refuse(world.request));
  CHECK(world.ears.lines.empty());
  CHECK_FALSE(world.buckets.peek("taken"));
  // For real one is let through, and no more; to look is still free.
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(policies->admit(world.request).refusal->status == 429);
  CHECK(world.ears.lines.size() == 2);
  CHECK_FALSE(policies->would_refuse(world.request));
  world.request.model = "o3";
  REQUIRE(policies->would_refuse(world.request));
  CHECK(policies->would_refuse(world.request)->code == "model_not_allowed");
  world.request.model = "o4";
  CHECK(policies->would_refuse(world.request)->code == "policy_error");
  CHECK(policies->counts(Phase::admit).errors == 1);
}

TEST_CASE("admit: nonsense and errors refuse with policy_error") {
  for (const char* body :
       {"return 42", "return true", "return false", "return 'no'", "return {}",
        "return { status = 403 }", "return conf", "return req", "return req.key", "error('x')",
        "error(nil)", "error({})", "return gate.refuse", "return nil + 1",
        "return setmetatable({}, { __index = function() error('x') end })"}) {
    INFO(body);
    World world;
    const auto policies = world.hook(Phase::admit, body);
    const AdmitDecision decision = policies->admit(world.request);
    REQUIRE(decision.refusal);
    CHECK(decision.refusal->status == 500);
    CHECK(decision.refusal->code == "policy_error");
    CHECK(policies->counts(Phase::admit).errors == 1);
    REQUIRE(world.ears.failures.size() == 1);
    CHECK(world.ears.failures[0].find("m admit: ") == 0);
    // And the next request is served as if nothing had been.
    CHECK(policies->admit(world.request).refusal->code == "policy_error");
  }
}

TEST_CASE("failures are reported at most once a second for each module") {
  World world;
  const auto policies = world.hook(Phase::admit, "error('broken')");
  for (int i = 0; i < 10; ++i) policies->admit(world.request);
  CHECK(world.ears.failures.size() == 1);
  CHECK(policies->counts(Phase::admit).errors == 10);
  CHECK(policies->counts(Phase::admit).calls == 10);
  world.clock.advance_s(1);
  policies->admit(world.request);
  CHECK(world.ears.failures.size() == 2);
  CHECK(world.ears.failures[1].find("policies/m.lua:1: broken") != std::string::npos);
}

TEST_CASE("a spent budget fails closed, and three strikes replace the state") {
  World world;
  const auto policies = world.module(
      "return { admit = function(conf, req) while req.stream do end end, observe = function(conf, "
      "req) local t = {} while req.stream do t[#t + 1] = { {} } end end }");
  world.request.stream = true;
  for (int i = 0; i < 2; ++i) CHECK(policies->admit(world.request).refusal->code == "policy_error");
  CHECK(policies->observe(world.request, world.record).tags.empty());
  CHECK(policies->counts(Phase::admit).out_of_time == 2);
  CHECK(policies->counts(Phase::observe).out_of_memory +
            policies->counts(Phase::observe).out_of_time ==
        1);
  CHECK(policies->states_discarded() == 0);
  world.request.stream = false;
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(policies->states_discarded() == 1);
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(policies->states_discarded() == 1);
}

TEST_CASE("route: modules fold over the list") {
  World world;
  const auto policies = world.open(World::tree(
      {{"policies/reverse.lua",
        "return { route = function(_, _, c) local out = {} for i = #c, 1, -1 do out[#out + 1] = "
        "c[i] "
        "end return out end }"},
       {"policies/drop.lua", "return { route = function(_, _, c) return { c[1], c[2] } end }"},
       {"policies/nothing.lua", "return { route = function() end }"},
       {"policies/name.lua",
        "return { route = function(_, _, c) c[1].upstream_model = 'mini' c[1].timeouts = { "
        "total_ms = 5000, connect_ms = 1 } return c end }"},
       {"policies/look.lua",
        "return { route = function(_, _, c) assert(c[1].upstream_model == 'mini') end }"}},
      "return { route = { { 'reverse' }, { 'nothing' }, { 'drop' }, { 'name' }, { 'look' } } }"));
  const RouteDecision decision = policies->route(world.request, world.candidates);
  CHECK(world.ears.failures.empty());
  CHECK(channels(decision, world) == "cb");
  CHECK(decision.order[0].upstream_model == "mini");
  CHECK(decision.order[0].timeouts.total_ms == 5000);
  CHECK(decision.order[0].timeouts.connect_ms == 1);
  CHECK(decision.order[0].timeouts.idle_ms == 0);
  CHECK(decision.order[1].upstream_model.empty());
}

TEST_CASE("route: candidates are matched by their channel") {
  World world;
  const auto route = [&](const std::string& body) {
    World fresh;
    const auto policies = fresh.hook(Phase::route, body);
    const std::string out = channels(policies->route(fresh.request, fresh.candidates), fresh);
    return fresh.ears.failures.empty() ? out : out + " failed";
  };
  CHECK(route("return nil") == "kept");
  CHECK(route("return {}") == "");
  CHECK(route("return candidates") == "abc");
  CHECK(route("return { { channel = 'c' }, { channel = 'a' } }") == "ca");
  CHECK(route("return { candidates[2], { channel = 'a' } }") == "ba");
  CHECK(route("local c = candidates[1] c.channel = 'b' return { c }") == "b");
  for (const char* nonsense :
       {"return 1",
        "return 'a'",
        "return true",
        "return { 'a' }",
        "return { {} }",
        "return { { channel = 'x' } }",
        "return { { channel = 1 } }",
        "return { candidates[1], candidates[1] }",
        "return { { channel = 'a' }, candidates[1] }",
        "return { { channel = 'a', base_url = 'http://127.0.0.1' } }",
        "return { { channel = 'a', [1] = 2 } }",
        "candidates[1].url = 'x' return candidates",
        "candidates[1].priority = 0 return candidates",
        "return { { channel = 'a', upstream_model = '' } }",
        "return { { channel = 'a', upstream_model = 'two words' } }",
        "return { { channel = 'a', upstream_model = 5 } }",
        "return { { channel = 'a', timeouts = 5 } }",
        "return { { channel = 'a', timeouts = { total_ms = 0 } } }",
        "return { { channel = 'a', timeouts = { total_ms = 1.5 } } }",
        "return { { channel = 'a', timeouts = { forever_ms = 5 } } }",
        "return { { channel = 'a', timeouts = { 5 } } }",
        "return { candidates[1], candidates[2], candidates[3], candidates[1] }",
        "local t = {} for i = 1, 100 do t[i] = candidates[1] end return t",
        "return { req }",
        "error('x')",
        "return setmetatable({}, { __index = candidates }) and 7"}) {
    INFO(nonsense);
    CHECK(route(nonsense) == "kept failed");
  }
}

TEST_CASE("route: timeouts and models are bounded") {
  const auto route = [](const std::string& fields) {
    World world;
    const auto policies = world.hook(Phase::route, "return { { channel = 'a', " + fields + " } }");
    return !policies->route(world.request, world.candidates).kept;
  };
  const std::string most = std::to_string(limits::policy_timeout_ms_max);
  const std::string past = std::to_string(limits::policy_timeout_ms_max + 1);
  CHECK(route("timeouts = { idle_ms = " + most + ", first_byte_ms = 1 }"));
  CHECK_FALSE(route("timeouts = { idle_ms = " + past + " }"));
  const std::string longest = std::to_string(limits::model_name_bytes_max);
  const std::string longer = std::to_string(limits::model_name_bytes_max + 1);
  CHECK(route("upstream_model = ('x'):rep(" + longest + ")"));
  CHECK_FALSE(route("upstream_model = ('x'):rep(" + longer + ")"));
}

TEST_CASE("quote: rates are replaced and multipliers appended") {
  World world;
  const auto policies = world.open(World::tree(
      {{"policies/rate.lua",
        "return { quote = function(_, _, lines) for _, l in ipairs(lines) do if l.meter == "
        "'output' "
        "then l.rate = '2.50/M' end end return lines end }"},
       {"policies/group.lua",
        "return { quote = function(_, _, lines) for _, l in ipairs(lines) do local m = "
        "l.multipliers_ppm m[#m + 1] = 900000 end return lines end }"},
       {"policies/one.lua",
        "return { quote = function(_, _, lines) return { { model = 'gpt-4o', meter = 'input', "
        "multipliers_ppm = { 900000, 0 }, rate = 7 } } end }"}},
      "return { quote = { { 'rate' }, { 'group' }, { 'one' } } }"));
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  CHECK(world.ears.failures.empty());
  CHECK(world.lines[0].rate.picos() == 7);
  CHECK(world.lines[0].multiplier_count == 2);
  CHECK(world.lines[0].multipliers_ppm[1] == 0);
  CHECK(world.lines[1].rate.picos() == 1'250'000);
  CHECK(world.lines[1].multiplier_count == 1);
  CHECK(world.lines[1].multipliers_ppm[0] == 900'000);
  CHECK(world.lines[2].rate.picos() == 2'500'000);
}

TEST_CASE("quote: nonsense is policy_error and changes nothing") {
  for (const char* nonsense :
       {"return 1",
        "return {}, error('x')",
        "return { 1 }",
        "return { {} }",
        "lines[1].rate = 0 / 0 return lines",
        "lines[1].rate = 1 / 0 return lines",
        "lines[1].rate = -1 return lines",
        "lines[1].rate = 0.5 return lines",
        "lines[1].rate = 1e300 return lines",
        "lines[1].rate = 2 ^ 53 + 2 return lines",
        "lines[1].rate = '1' return lines",
        "lines[1].rate = '2.5' return lines",
        "lines[1].rate = '-2.5/M' return lines",
        "lines[1].rate = '1e3/M' return lines",
        "lines[1].rate = {} return lines",
        "lines[1].rate = true return lines",
        "lines[1].rate = '0.0000001/M' return lines",
        "lines[1].multipliers_ppm = 5 return lines",
        "lines[1].multipliers_ppm = { 1.5 } return lines",
        "lines[1].multipliers_ppm = { -1 } return lines",
        "lines[1].multipliers_ppm = { '900000' } return lines",
        "lines[1].multipliers_ppm = { 0 / 0 } return lines",
        "lines[1].multipliers_ppm = { 1, 1, 1, 1 } return lines",
        "lines[1].multipliers_ppm = { {} } return lines",
        "lines[1].discount = 1.5 return lines",
        "lines[1].meter = 'free' return lines",
        "lines[1].meter = 'output' return lines",
        "lines[1].model = 'x' return lines",
        "return { lines[1], lines[1] }",
        "return { { model = 'gpt-4o', meter = 'image', rate = 0 } }",
        "return { { model = 'gpt-4o', meter = 'input', above_input_tokens = 5, rate = 0 } }",
        "return { { model = 'gpt-4o', rate = 0 } }",
        "lines[1][1] = 5 return lines",
        "local t = {} for i = 1, 100 do t[i] = lines[1] end return t",
        "while true do end"}) {
    INFO(nonsense);
    World world;
    const auto policies = world.hook(Phase::quote, nonsense);
    CHECK(policies->quote(world.request, world.lines) == QuoteDecision::policy_error);
    CHECK(world.ears.failures.size() == 1);
    CHECK(world.lines[0].rate.picos() == 2'500'000);
    CHECK(world.lines[0].multiplier_count == 0);
  }
}

TEST_CASE("quote: bounds at their edges") {
  const auto quote = [](const std::string& change) {
    World world;
    const auto policies = world.hook(Phase::quote, change + " return lines");
    return policies->quote(world.request, world.lines) == QuoteDecision::quoted;
  };
  CHECK(quote("lines[1].rate = 2 ^ 53"));
  CHECK(quote("lines[1].rate = 0"));
  CHECK(quote("lines[1].rate = '0/M'"));
  CHECK(quote("lines[1].rate = '0.000001/M'"));
  const std::string most = std::to_string(limits::multiplier_ppm_max);
  CHECK(quote("lines[1].multipliers_ppm = { " + most + ", 0, 1 }"));
  CHECK_FALSE(quote("lines[1].multipliers_ppm = { " + most + " + 1 }"));
}

TEST_CASE("quote: no module takes another's multiplier away") {
  const auto quote = [](const std::string& second) {
    World world;
    world.lines[0].multiplier_count = 1;
    world.lines[0].multipliers_ppm[0] = 500'000;
    const auto policies = world.hook(Phase::quote, second);
    return policies->quote(world.request, world.lines) == QuoteDecision::quoted
               ? static_cast<int>(world.lines[0].multiplier_count)
               : -1;
  };
  CHECK(quote("lines[1].multipliers_ppm[2] = 7 return lines") == 2);
  CHECK(quote("lines[1].multipliers_ppm = { 500000 } return lines") == 1);
  CHECK(quote("lines[1].multipliers_ppm = {} return lines") == -1);
  CHECK(quote("lines[1].multipliers_ppm = { 400000 } return lines") == -1);
  CHECK(quote("lines[1].multipliers_ppm[1] = 0 return lines") == -1);
  CHECK(quote("lines[1].multipliers_ppm[4] = 7 return lines") == -1);
}

TEST_CASE("quote: lines of tiers are told apart") {
  World world;
  PriceLine tier = world.lines[0];
  tier.above_input_tokens = 200'000;
  tier.rate = *Rate::picos(5'000'000);
  world.lines.push_back(tier);
  const auto policies = world.hook(
      Phase::quote,
      "assert(lines[1].above_input_tokens == 0 and lines[4].above_input_tokens == 200000)"
      " return { { model = 'gpt-4o', meter = 'input', above_input_tokens = 200000, rate = 9 } }");
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  CHECK(world.lines[0].rate.picos() == 2'500'000);
  CHECK(world.lines[3].rate.picos() == 9);
}

TEST_CASE("quote: rates past 2^53 are text, and stay exact") {
  World world;
  world.lines[0].rate = *Rate::picos((int64_t{1} << 53) + 1);
  const auto policies = world.hook(Phase::quote,
                                   "assert(lines[1].rate == '9007199254.740993/M', lines[1].rate) "
                                   "lines[1].rate = lines[1].rate return lines");
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  CHECK(world.lines[0].rate.picos() == (int64_t{1} << 53) + 1);
}

TEST_CASE("recover: the first answer wins") {
  World world;
  const auto policies = world.open(World::tree(
      {{"policies/pass.lua", "return { recover = function() end }"},
       {"policies/retry.lua", "return { recover = function() return 'retry', 250 end }"},
       {"policies/never.lua", "return { recover = function() error('asked') end }"}},
      "return { recover = { { 'pass' }, { 'retry' }, { 'never' } } }"));
  const RecoverDecision decision = policies->recover(world.request, world.attempt, world.failure);
  CHECK(decision.action == Recovery::retry);
  CHECK(decision.delay_ms == 250);
  CHECK(decision.by_policy);
}

TEST_CASE("recover: nonsense falls back to the next candidate, or to stopping") {
  for (const char* nonsense :
       {"return 'again'", "return 1", "return true", "return {}", "return ''", "return 'retry', -1",
        "return 'retry', 1.5", "return 'retry', '5'", "return 'retry', 0 / 0", "error('x')"}) {
    INFO(nonsense);
    World world;
    const auto policies = world.hook(Phase::recover, nonsense);
    CHECK(policies->recover(world.request, world.attempt, world.failure).action == Recovery::next);
    world.attempt.candidates_left = 0;
    const auto decision = policies->recover(world.request, world.attempt, world.failure);
    CHECK(decision.action == Recovery::stop);
    CHECK_FALSE(decision.by_policy);
    CHECK(policies->counts(Phase::recover).errors == 2);
  }
}

TEST_CASE("disconnect: cut, or drain up to an amount") {
  const auto disconnect = [](const std::string& body) -> std::string {
    World world;
    const auto policies = world.hook(Phase::disconnect, body);
    const auto decision = policies->disconnect(world.request, world.progress);
    const std::string out =
        decision.drain_cost_max ? to_short_text(*decision.drain_cost_max) : "cut";
    return world.ears.failures.empty() ? out : out + " failed";
  };
  CHECK(disconnect("return nil") == "cut");
  CHECK(disconnect("return 'cut'") == "cut");
  CHECK(disconnect("return { drain_cost_max = '0.01' }") == "0.01");
  CHECK(disconnect("return { drain_cost_max = 0.01 }") == "cut failed");
  CHECK(disconnect("return { drain_cost_max = '-1' }") == "cut failed");
  CHECK(disconnect("return {}") == "cut failed");
  CHECK(disconnect("return 'drain'") == "cut failed");
  CHECK(disconnect("return 5") == "cut failed");
}

TEST_CASE("observe: all modules run, also after one that failed") {
  World world;
  const auto policies = world.open(World::tree(
      {{"policies/first.lua", "return { observe = function() return { tags = { 'one' } } end }"},
       {"policies/bad.lua", "return { observe = function() error('x') end }"},
       {"policies/last.lua",
        "return { observe = function(_, _, record) return { tags = { 'two', 'c:' .. record.channel "
        "} "
        "} end }"}},
      "return { observe = { { 'first' }, { 'bad' }, { 'last' } } }"));
  const ObserveDecision decision = policies->observe(world.request, world.record);
  CHECK(decision.tags == std::vector<std::string>{"one", "two", "c:a"});
  CHECK(world.ears.failures.size() == 1);
}

#ifndef MG_UNDER_TSAN

TEST_CASE("observe: time that ends after the last module failed is no other module's failure") {
  script::Watchdog watchdog;
  script::WatchSlot slot(watchdog);
  World world;
  world.slot = &slot;
  // The time of the run passes between two modules.
  world.ears.on_failure = [] {
    const int64_t until_ns = thread_cpu_ns() + 4 * script::kPolicyProfile.cpu_ns;
    while (thread_cpu_ns() < until_ns) {
    }
  };
  const std::string bad = "return { observe = function() error('x') end }";
  {
    const auto policies =
        world.open(World::tree({{"policies/bad.lua", bad}}, "return { observe = { { 'bad' } } }"));
    CHECK(policies->observe(world.request, world.record).tags.empty());
    CHECK(policies->counts(Phase::observe).errors == 1);
    CHECK(policies->counts(Phase::observe).out_of_time == 0);
  }
  const auto policies = world.open(World::tree(
      {{"policies/bad.lua", bad},
       {"policies/good.lua", "return { observe = function() return { tags = { 'one' } } end }"}},
      "return { observe = { { 'bad' }, { 'good' } } }"));
  CHECK(policies->observe(world.request, world.record).tags.empty());
  CHECK(policies->counts(Phase::observe).errors == 1);
  CHECK(policies->counts(Phase::observe).out_of_time == 1);
  CHECK(world.ears.failures.size() == 3);
  CHECK(world.ears.failures.back().find("good observe: ") == 0);
}

#endif

TEST_CASE("observe: what is returned is ignored but for tags, which are bounded") {
  const auto tags = [](const std::string& body) -> int {
    World world;
    const auto policies = world.hook(Phase::observe, body);
    const size_t count = policies->observe(world.request, world.record).tags.size();
    return world.ears.failures.empty() ? static_cast<int>(count) : -1;
  };
  CHECK(tags("return 5") == 0);
  CHECK(tags("return 'x'") == 0);
  CHECK(tags("return { other = 1 }") == 0);
  CHECK(tags("return { tags = 5 }") == 0);
  CHECK(tags("return { tags = { 'a', 'b' } }") == 2);
  CHECK(tags("return { tags = { 1 } }") == -1);
  CHECK(tags("return { tags = { 'two words' } }") == -1);
  CHECK(tags("return { tags = { '' } }") == -1);
  const std::string bytes = std::to_string(limits::tag_bytes_max);
  CHECK(tags("return { tags = { ('x'):rep(" + bytes + ") } }") == 1);
  CHECK(tags("return { tags = { ('x'):rep(" + bytes + " + 1) } }") == -1);
  const std::string many = "local t = {} for i = 1, " + std::to_string(limits::tags_max);
  CHECK(tags(many + " do t[i] = 'x' end return { tags = t }") ==
        static_cast<int>(limits::tags_max));
  CHECK(tags(many + " + 1 do t[i] = 'x' end return { tags = t }") == -1);
}

TEST_CASE("one call of a phase leaves nothing for the next") {
  World world;
  const auto policies = world.module(R"(
    local kept = {}
    return {
      admit = function(conf, req)
        local wrote = pcall(function() kept.req = req end) or pcall(function() conf.req = req end)
          or pcall(function() req.seen = true end) or pcall(function() req.key.id = "x" end)
          or pcall(function() gate.req = req end)
        if wrote then error("something was kept") end
      end,
    })");
  for (int i = 0; i < 3; ++i) CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(world.ears.failures.empty());
}

TEST_CASE("a policy that writes to a local of its file is refused when it is built") {
  const script::BuildResult built = build_policies(
      World::tree(
          {{"policies/m.lua", "local n = 0\nreturn { admit = function()\n  n = n + 1\nend }"}},
          "return { admit = { { 'm' } } }"),
      1);
  REQUIRE(built.problems.size() == 1);
  CHECK(built.problems[0].text().find("policies/m.lua:3: assigns to a local") == 0);
}
