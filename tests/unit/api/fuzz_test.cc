// Everything a hook can reach, called and written with hostile values in every phase: no hang, no
// crash, and the state serves the next request.
#include <cstdlib>

#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

// Ends by itself after some calls, so that what it returns is looked at too.
constexpr const char* kFuzz = R"LUA(
local function fuzz(conf, req, third, fourth)
  local seed = req.input_tokens_estimate
  local function draw(n) seed = (seed * 16807) % 2147483647 return seed % n + 1 end
  local functions, tables, seen = {}, {}, {}
  local function walk(t)
    if seen[t] then return end
    seen[t] = true
    tables[#tables + 1] = t
    for _, v in pairs(t) do
      if type(v) == "function" then functions[#functions + 1] = v
      elseif type(v) == "table" then walk(v) end
    end
  end
  walk(gate) walk(gate) walk(_G)
  local evil = setmetatable({}, {
    __index = function(_, k) return k end, __newindex = function() end,
    __call = function(...) return ... end, __concat = function() return "x" end,
    __lt = function() return true end, __tostring = function() error("ran") end,
  })
  local cycle = {}
  cycle[1], cycle.channel = cycle, cycle
  local values = {
    0, 1, -1, 2, 403, 429, 1e9, -1e9, 2 ^ 31, 2 ^ 53, 1e308, 0 / 0, 1 / 0, -1 / 0, 0.5, "", "a", "k",
    "day", "info", "5.00", "2.50/M", "10.0.0.0/8", "10.1.2.3", "*", "rate_limit_exceeded", "\0", "%",
    ("x"):rep(5000), ("1"):rep(5000), {}, { "a" }, { rate = 1, burst = 5 }, { channel = "a" },
    { model = "gpt-4o", meter = "input" }, { tags = { "x" } }, evil, cycle, function() end, req, conf,
    third or 1, fourth or 1, true, false, "retry", "next", "cut", { drain_cost_max = "1" },
  }
  for _, name in ipairs({ "key", "tenant", "has", "constraints" }) do
    values[#values + 1] = req[name]
  end
  if type(third) == "table" then for _, item in ipairs(third) do values[#values + 1] = item end end
  local fields = { "id", "channel", "rate", "multipliers_ppm", "upstream_model", "timeouts", "price",
    "key", "usage", "status", "message", 1, 2, "nothing" }
  local count = #values + 1
  for _ = 1, 60 do
    local f, arguments, n = functions[draw(#functions)], {}, draw(5) - 1
    for i = 1, n do arguments[i] = values[draw(count)] end
    local ok, result = pcall(f, unpack(arguments, 1, n))
    if ok and result ~= nil and draw(3) == 1 then values[draw(count - 1)] = result end
    pcall(function()
      local target, field = values[draw(count - 1)], fields[draw(#fields)]
      if draw(2) == 1 then target[field] = values[draw(count)]
      else values[draw(count - 1)] = target[field] or 1 end
    end)
  end
  return values[draw(count)], values[draw(count)]
end
return { admit = fuzz, route = fuzz, quote = fuzz, recover = fuzz, disconnect = fuzz, observe = fuzz }
)LUA";

}  // namespace

TEST_CASE("hooks may do anything at all in every phase") {
  const int rounds = std::getenv("MOONGATE_LONG") ? 50'000 : 1'000;
  World world;
  std::string chain = "return {";
  for (const std::string_view phase : kPhaseNames)
    chain += " " + std::string(phase) + " = { { 'm' } },";
  const auto policies = world.open(World::tree({{"policies/m.lua", kFuzz}}, chain + "}"));
  const std::vector<std::string> texts{"x", "10.0.0.0/8"};
  world.request.key.allow_ip = texts;
  size_t refused = 0, routed = 0, quoted = 0, recovered = 0;
  for (int round = 1; round <= rounds; ++round) {
    INFO("seed " << round);
    world.request.input_tokens_estimate = round;
    world.request.seed = static_cast<uint64_t>(round);
    const AdmitDecision admitted = policies->admit(world.request);
    if (admitted.refusal) {
      ++refused;
      CHECK(admitted.refusal->status >= 400);
      CHECK_FALSE(admitted.refusal->code.empty());
    }
    const RouteDecision route = policies->route(world.request, world.candidates);
    if (!route.kept) ++routed;
    for (const RoutedCandidate& one : route.order) REQUIRE(one.index < world.candidates.size());
    std::vector<PriceLine> lines = world.lines;
    if (policies->quote(world.request, lines) == QuoteDecision::quoted) ++quoted;
    for (const PriceLine& line : lines) {
      CHECK(line.multiplier_count <= kMultipliersMax);
      for (size_t i = 0; i < line.multiplier_count; ++i) CHECK(line.multipliers_ppm[i] >= 0);
    }
    if (policies->recover(world.request, world.attempt, world.failure).by_policy) ++recovered;
    policies->disconnect(world.request, world.progress);
    CHECK(policies->observe(world.request, world.record).tags.size() <= limits::tags_max);
    world.clock.advance_s(10);
  }
  uint64_t errors = 0, stopped = 0;
  for (const Phase phase : {Phase::admit, Phase::route, Phase::quote, Phase::recover,
                            Phase::disconnect, Phase::observe}) {
    CHECK(policies->counts(phase).calls == static_cast<uint64_t>(rounds));
    errors += policies->counts(phase).errors;
    stopped += policies->counts(phase).out_of_time + policies->counts(phase).out_of_memory;
  }
  WARN(rounds << " rounds of six phases: " << refused << " refused, " << routed << " routed, "
              << quoted << " quoted, " << recovered << " recovered; " << errors
              << " answers refused, " << stopped << " stopped, " << policies->states_discarded()
              << " states discarded");
  CHECK(routed > 0);
  CHECK(quoted > 0);
}
