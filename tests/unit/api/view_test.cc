// What scripts see of the facts.
#include "api/view.h"

#include "policies/world.h"
#include "script/state.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

std::string failure(World& world) {
  return world.ears.failures.empty() ? "" : world.ears.failures[0];
}

}  // namespace

TEST_CASE("a request shows all its fields") {
  World world;
  const std::vector<std::string> models{"gpt-*"}, allow_ip{"10.0.0.0/8"}, only{"openai"};
  world.request.session = "talk";
  world.request.stream = true;
  world.request.key.group = "vip";
  world.request.key.models = models;
  world.request.key.allow_ip = allow_ip;
  world.request.key.rpm = 60;
  world.request.key.tpm = 100'000;
  world.request.key.daily_limit = Money::nanos(1'500'000'000);
  world.request.has.tools = true;
  world.request.constraints.only = only;
  world.request.constraints.input_rate_max = *Rate::picos(3'000'000);
  world.request.constraints.allow_fallbacks = false;
  const auto policies = world.hook(Phase::admit, R"(
    local function is(a, b) if a ~= b then error(tostring(a) .. " is not " .. tostring(b), 2) end end
    is(req.id, "req_01") is(req.time, 1800000000) is(req.ip, "192.0.2.7") is(req.method, "POST")
    is(req.path, "/v1/chat/completions") is(req.protocol, "openai_chat") is(req.operation, "chat")
    is(req.model, "gpt-4o") is(req.session, "talk") is(req.stream, true) is(req.bytes, 900)
    is(req.input_tokens_estimate, 120) is(req.max_output_tokens, 500)
    is(req.key.id, "key_01") is(req.key.name, "laptop") is(req.key.group, "vip")
    is(#req.key.tags, 2) is(req.key.tags[2], "team-a") is(req.key.models[1], "gpt-*")
    is(req.key.allow_ip[1], "10.0.0.0/8") is(req.key.rpm, 60) is(req.key.tpm, 100000)
    is(req.key.daily_limit, "1.500000000")
    is(req.tenant.id, "ten_company") is(req.tenant.kind, "company") is(req.tenant.name, "Company")
    is(table.concat(req.tenant.path, "/"), "platform/ten_agent/ten_company")
    is(req.has.tools, true) is(req.has.images, false) is(req.has.audio, false)
    is(req.has.json_schema, false) is(req.has.reasoning, false)
    is(req.constraints.only[1], "openai") is(#req.constraints.ignore, 0)
    is(#req.constraints.order, 0) is(req.constraints.input_rate_max, 3000000)
    is(req.constraints.output_rate_max, nil) is(req.constraints.allow_fallbacks, false)
    is(req.constraints.given, true)
  )");
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(failure(world) == "");
}

TEST_CASE("what a request does not have is nil, and what nobody knows is an error") {
  World world;
  world.request.max_output_tokens = 0;
  world.request.key.name = "";
  const auto policies = world.hook(Phase::admit, R"(
    assert(req.session == nil and req.key.group == nil and req.max_output_tokens == nil)
    assert(req.key.rpm == nil and req.key.tpm == nil and req.key.daily_limit == nil)
    assert(req.key.name == nil and #req.key.models == 0 and not req.constraints.given)
    for _, read in ipairs({ function() return req.mdoel end, function() return req.key.grp end,
        function() return req[1] end, function() return req.has.wings end,
        function() return req[{}] end, function() return req.tenant.wallet end }) do
      assert(not pcall(read))
    end
    return req.mdoel)");
  CHECK(policies->admit(world.request).refusal);
  CHECK(failure(world).find("req has no field 'mdoel'") != std::string::npos);
}

TEST_CASE("a view is read-only and opaque") {
  World world;
  const auto policies = world.hook(Phase::admit, R"(
    for _, write in ipairs({ function() req.model = "x" end, function() req.new = 1 end,
        function() req.key.id = "x" end, function() rawset(req, "model", "x") end,
        function() setmetatable(req, {}) end, function() for k in pairs(req) do end end,
        function() return #req end, function() return req() end, function() return req .. "" end,
        function() return next(req) end, function() table.insert(req, 1) end,
        function() return rawget(req, "id") end, function() return unpack(req) end }) do
      assert(not pcall(write))
    end
    assert(getmetatable(req) == nil and type(req) == "userdata" and tostring(req) == "userdata")
    assert(req == req and req.key == req.key and req ~= req.key))");
  CHECK_FALSE(policies->admit(world.request).refusal);
  CHECK(failure(world) == "");
}

TEST_CASE("candidates show their facts, and what earlier modules chose") {
  World world;
  world.candidates[1].priority = 2;
  world.candidates[1].weight = 7;
  world.candidates[1].region = "eu";
  world.candidates[1].breaker = Breaker::half_open;
  world.candidates[1].latency_ms = 900;
  world.candidates[1].first_token_ms = 150;
  world.candidates[1].error_rate = 0.25;
  world.candidates[1].in_flight = 3;
  world.candidates[1].concurrency_max = 10;
  world.candidates[1].cost_ppm = 500'000;
  world.candidates[2].breaker = Breaker::open;
  const auto policies = world.hook(Phase::route, R"(
    local function is(a, b) if a ~= b then error(tostring(a) .. " is not " .. tostring(b), 2) end end
    is(#candidates, 3)
    local c = candidates[2]
    is(c.channel, "b") is(c.provider, "openai") is(c.protocol, "openai_chat") is(c.region, "eu")
    is(c.priority, 2) is(c.weight, 7) is(c.upstream_model, "gpt-4o-2024-11-20")
    is(c.breaker, "half_open") is(c.latency_ms, 900) is(c.first_token_ms, 150)
    is(c.error_rate, 0.25) is(c.in_flight, 3) is(c.concurrency_max, 10) is(c.timeouts, nil)
    is(c.price.input, 2500000) is(c.price.output, 10000000) is(c.price.other, nil)
    -- 120 in at 2.5 and 500 out at 10, a million: 0.0053 USD, and half of it.
    is(candidates[1].cost_estimate, 5300000) is(c.cost_estimate, 2650000)
    is(candidates[1].latency_ms, nil) is(candidates[1].concurrency_max, nil)
    is(candidates[3].breaker, "open")
    assert(not pcall(function() return c.base_url end))
    assert(not pcall(function() return c.credential end))
    assert(not pcall(setmetatable, c, nil))
    assert(getmetatable(c) == false)
    c.upstream_model = "mine"
    is(c.upstream_model, "mine")
    is(candidates[1].upstream_model, "gpt-4o-2024-11-20"))");
  CHECK(policies->route(world.request, world.candidates).kept);
  CHECK(failure(world) == "");
}

TEST_CASE("lines show their facts, and keep what is appended") {
  World world;
  world.lines[1].multiplier_count = 1;
  world.lines[1].multipliers_ppm[0] = 5;
  const auto policies = world.hook(Phase::quote, R"(
    local function is(a, b) if a ~= b then error(tostring(a) .. " is not " .. tostring(b), 2) end end
    is(#lines, 3)
    is(lines[2].model, "gpt-4o") is(lines[2].meter, "cached_input") is(lines[2].rate, 1250000)
    is(lines[2].above_input_tokens, 0)
    is(#lines[1].multipliers_ppm, 0) is(#lines[2].multipliers_ppm, 1)
    is(lines[2].multipliers_ppm[1], 5)
    lines[1].multipliers_ppm[1] = 7
    is(lines[1].multipliers_ppm[1], 7)
    assert(not pcall(function() return lines[1].price end)))");
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  CHECK(failure(world) == "");
}

TEST_CASE("attempts, failures, progress and records show their facts") {
  World world;
  world.attempt.number = 2;
  world.attempt.tries_on_channel = 1;
  world.attempt.retries = 1;
  world.attempt.elapsed_ms = 77;
  world.failure.kind = FailureKind::rate_limited;
  world.failure.status = 429;
  world.failure.retry_after_ms = 1500;
  world.progress = {10, 2000, 300, Money::nanos(1)};
  const std::vector<TokenTake> takes{{"tpm:k", 620}};
  world.record.token_takes = takes;
  world.record.code = "upstream_error";
  world.record.first_token_ms = 90;
  world.record.client_left = true;
  const auto policies = world.module(R"(
    local function is(a, b) if a ~= b then error(tostring(a) .. " is not " .. tostring(b), 2) end end
    return {
      recover = function(_, req, attempt, failure)
        is(attempt.number, 2) is(attempt.tries_on_channel, 1) is(attempt.retries, 1)
        is(attempt.candidates_left, 2) is(attempt.channel, "a") is(attempt.provider, "openai")
        is(attempt.upstream_model, "gpt-4o-2024-11-20") is(attempt.elapsed_ms, 77)
        is(failure.kind, "rate_limited") is(failure.status, 429) is(failure.retry_after_ms, 1500)
      end,
      disconnect = function(_, req, progress)
        is(progress.output_tokens, 10) is(progress.relayed_bytes, 2000)
        is(progress.elapsed_ms, 300) is(progress.cost, "0.000000001")
      end,
      observe = function(_, req, record)
        is(record.status, 200) is(record.code, "upstream_error") is(record.channel, "a")
        is(record.provider, "openai") is(record.upstream_model, "gpt-4o-2024-11-20")
        is(record.usage.input, 120) is(record.usage.output, 340) is(record.usage_source, "upstream")
        is(record.tokens, 460) is(record.cost, "0.003700000") is(record.latency_ms, 800)
        is(record.first_token_ms, 90) is(record.attempts, 1) is(record.client_left, true)
        is(record.token_takes[1].key, "tpm:k") is(record.token_takes[1].tokens, 620)
      end,
    })");
  policies->recover(world.request, world.attempt, world.failure);
  policies->disconnect(world.request, world.progress);
  policies->observe(world.request, world.record);
  CHECK(failure(world) == "");
  // Every kind of failure has a name.
  for (int kind = 0; kind <= static_cast<int>(FailureKind::busy); ++kind) {
    world.failure.kind = static_cast<FailureKind>(kind);
    const auto named = world.hook(Phase::recover, "assert(#failure.kind >= 4)");
    named->recover(world.request, world.attempt, world.failure);
  }
  CHECK(failure(world) == "");
}

TEST_CASE("a view used outside its call is an error and never a crash") {
  World world;
  // A view of an earlier phase, kept through what a hook returns inside one call, is the only way
  // to hold one at all; so this looks from C++.
  const auto policies = world.module(R"(
    return {
      route = function(_, req, candidates)
        local kept = candidates[1]
        return { setmetatable({ channel = "a" }, { __index = function() return kept.channel end }) }
      end,
      admit = function(_, req) assert(req.model == "gpt-4o") end,
    })");
  CHECK_FALSE(policies->admit(world.request).refusal);
  const auto decision = policies->route(world.request, world.candidates);
  CHECK(decision.order.size() == 1);
  CHECK(failure(world) == "");

  View view;
  ItemViews items;
  auto state = script::State::open(script::kPolicyProfile);
  REQUIRE(state);
  const std::vector<PriceLine> lines(2);
  const script::Outcome outcome = script::Run(**state).call([&](lua_State* L) {
    view.open(L, kRequestView);
    items.open(L, kLineView);
    view.push(L, &world.request);
    lua_getfield(L, 1, "model");
    CHECK(std::string(lua_tostring(L, -1)) == "gpt-4o");
    lua_getfield(L, 1, "key");
    items.push_list(L, std::span<const PriceLine>(lines));
    view.close();
    items.close();
    for (const auto& [index, field] :
         {std::pair{1, "model"}, std::pair{3, "id"}, std::pair{1, "key"}}) {
      lua_pushcfunction(L, [](lua_State* state_) {
        lua_gettable(state_, 1);
        return 1;
      });
      lua_pushvalue(L, index);
      lua_pushstring(L, field);
      CHECK(lua_pcall(L, 2, 1, 0) != 0);
      CHECK(std::string(lua_tostring(L, -1)).find("outside the call") != std::string::npos);
      lua_pop(L, 1);
    }
    lua_rawgeti(L, 4, 1);
    CHECK_FALSE(items.position_of(L, -1));
  });
  CHECK(outcome.done());
}
