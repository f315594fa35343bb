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
      {"quote", "list", "true"},
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
