// What a policy's selftest holds its hooks to.
#include "api/policies.h"
#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

TEST_CASE("a selftest fails by an answer that would fail a request") {
  const auto built = [](const std::string& phase, const std::string& answer) {
    const std::string rest = phase == "route"        ? ", { t.candidate() }"
                             : phase == "quote"      ? ", { t.line() }"
                             : phase == "recover"    ? ", t.attempt(), t.failure()"
                             : phase == "disconnect" ? ", t.progress()"
                             : phase == "observe"    ? ", t.record()"
                                                     : "";
    const auto result = build_policies(
        World::tree(
            {{"policies/p.lua", "return { " + phase + " = function(conf, req, list) return " +
                                    answer + " end, selftest = function(t) t." + phase +
                                    "({}, t.request()" + rest + ") end }"}},
            "return { " + phase + " = { { 'p' } } }"),
        1);
    return result.bundle != nullptr;
  };
  const std::vector<std::array<const char*, 3>> rows = {
      {"admit", "nil", "'no'"},
      {"admit", "gate.refuse(403, 'model_not_allowed', 'no')", "false"},
      {"admit", "nil", "{}"},
      {"route", "list", "'first'"},
      {"route", "{}", "{ list[1], list[1] }"},
      {"route", "list", "{ 'first' }"},
      {"route", "{ { channel = 'c', upstream_model = 'm' } }", "{ { upstream_model = 5 } }"},
      {"route", "(function() list[1].upstream_model = 'm' return list end)()",
       "(function() list[1].timeouts = 5 return list end)()"},
      {"route", "{ { channel = 'c', timeouts = { idle_ms = 5 } } }",
       "{ { channel = 'c', timeouts = { idle = 5 } } }"},
      {"route", "nil", "{ { channel = 'c', weight = 5 } }"},
      {"route", "nil", "(function() list[1].wieght = 5 return list end)()"},
      {"quote", "list", "true"},
      {"quote", "(function() list[1].rate = 5 return list end)()",
       "(function() list[1].rate = 0.15 return list end)()"},
      {"quote", "(function() list[1].rate = '0.15/M' return list end)()",
       "(function() list[1].rate = -1 return list end)()"},
      {"quote", "(function() list[1].multipliers_ppm[1] = 900000 return list end)()",
       "(function() list[1].multipliers_ppm = { 0.9 } return list end)()"},
      {"quote", "nil", "(function() list[1].multipliers_ppm = { x = 900000 } return list end)()"},
      {"quote", "nil", "(function() list[1].multiplier = 900000 return list end)()"},
      {"recover", "'next', 10", "'again'"},
      {"recover", "nil", "'retry', -1"},
      {"disconnect", "{ drain_cost_max = '0.01' }", "'stay'"},
      {"observe", "{ tags = { 'a' } }", "{ tags = { 'a b' } }"},
  };
  for (const auto& [phase, good, bad] : rows) {
    INFO(phase << ": " << good << ", " << bad);
    CHECK(built(phase, good));
    CHECK_FALSE(built(phase, bad));
  }
}

TEST_CASE("a request that a selftest makes was made by the name it gives") {
  const auto passes = [](const std::string& given, const std::string& names) {
    const auto result = build_policies(
        World::tree(
            {{"policies/p.lua", "local given = " + given +
                                    "\nreturn { admit = function() end, selftest = function(t) "
                                    "local r = t.request(given) "
                                    "t.equal(r.model .. ' ' .. r.requested_model, '" +
                                    names + "') end }"}},
            "return { admit = { { 'p' } } }"),
        1);
    return result.bundle != nullptr;
  };
  CHECK(passes("{ model = 'm' }", "m m"));
  CHECK(passes("{ model = 'm', requested_model = 'fast' }", "m fast"));
  CHECK(passes("{ requested_model = 'fast' }", "model-test fast"));
  CHECK(passes("nil", "model-test model-test"));
  CHECK_FALSE(passes("{ model = 'm' }", "m model-test"));
}
