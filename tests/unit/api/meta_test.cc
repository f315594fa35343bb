// scripts/meta/gate.lua says everything that scripts may use, and nothing else: walked both ways.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "api/gate.h"
#include "api/recipe.h"
#include "api/selftest.h"
#include "api/view.h"
#include "policies/world.h"
#include "script/freeze.h"
#include "script/hooks.h"
#include "script/state.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::api;

namespace {

struct Meta {
  // "gate.limit.take" -> its comment, all lines.
  std::map<std::string, std::string> functions;
  // "gate.Request" -> names of its fields.
  std::map<std::string, std::set<std::string>> classes;
};

const std::string& meta_text() {
  static const std::string kText =
      mg::test::read_file(std::string(MOONGATE_SOURCE_DIR) + "/scripts/meta/gate.lua");
  return kText;
}

Meta read_meta() {
  Meta meta;
  std::istringstream lines(meta_text());
  std::string comment, class_name;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, name;
    words >> word >> name;
    if (word == "---@class") {
      class_name = name;
      meta.classes[class_name];
    } else if (word == "---@field") {
      if (name.ends_with("?")) name.pop_back();
      meta.classes[class_name].insert(name);
    }
    if (line.starts_with("function ")) {
      const std::string function = line.substr(9, line.find('(') - 9);
      CHECK(meta.functions.emplace(function, comment).second);
    }
    comment = line.starts_with("---") ? comment + line.substr(3) + " " : "";
  }
  return meta;
}

// The functions that a script really finds below `gate`.
std::set<std::string> live_functions() {
  api::test::World world;
  const auto policies = world.hook(Phase::admit, R"(
    local function walk(prefix, t)
      for name, value in pairs(t) do
        if type(value) == "function" then gate.log("info", prefix .. name)
        elseif type(value) == "table" then walk(prefix .. name .. ".", value) end
      end
    end
    walk("gate.", gate))");
  policies->admit(world.request);
  std::set<std::string> functions;
  for (const std::string& line : world.ears.lines) functions.insert(line.substr(3));
  return functions;
}

std::string phase_list(Phases set) {
  if (set == kAllPhases) return "all";
  std::string out;
  for (size_t i = 0; i < kPhaseCount; ++i)
    if (set & 1u << i) out.append(out.empty() ? "" : ", ").append(kPhaseNames[i]);
  return out;
}

}  // namespace

TEST_CASE("the meta file is one that editors read and nothing runs") {
  CHECK(meta_text().starts_with("---@meta\nerror(\"never loaded\")\n"));
}

TEST_CASE("every function of gate is in the meta file, and the other way round") {
  const Meta meta = read_meta();
  std::set<std::string> described;
  for (const auto& [name, comment] : meta.functions) described.insert(name);
  const std::set<std::string> live = live_functions();
  CHECK(live.size() == 15);
  CHECK(described == live);
}

TEST_CASE("every function names its phases as the code has them") {
  const Meta meta = read_meta();
  for (const auto list :
       {refusal_functions(), limit_functions(), wallet_functions(), budget_functions(),
        chance_functions(), log_functions(), match_functions()})
    for (const GateFunction& function : list) {
      const std::string full = std::string("gate.") +
                               (*function.library ? std::string(function.library) + "." : "") +
                               function.name;
      INFO(full);
      REQUIRE(meta.functions.count(full) == 1);
      CHECK(meta.functions.at(full).find("Phases: " + phase_list(function.phases) + ".") !=
            std::string::npos);
    }
}

TEST_CASE("every field of every view is in the meta file, and the other way round") {
  const Meta meta = read_meta();
  size_t fields = 0;
  for (const ViewType* type : view_types()) {
    INFO(type->class_name);
    REQUIRE(meta.classes.count(type->class_name) == 1);
    std::set<std::string> live;
    for (const ViewField& field : type->fields) live.insert(field.name);
    fields += live.size();
    CHECK(meta.classes.at(type->class_name) == live);
  }
  CHECK(fields > 80);
}

TEST_CASE("what a selftest gets is in the meta file, and the other way round") {
  const Meta meta = read_meta();
  StillClock clock;
  limit::Buckets buckets(clock);
  NoReports reports;
  Call call(Seams{clock, buckets, reports, nullptr});
  SelftestLibrary library(call, clock);
  auto state = script::State::open(script::kPolicyProfile);
  REQUIRE(state);
  std::set<std::string> live;
  const script::Outcome outcome = script::Run(**state).call([&](lua_State* L) {
    library.push_globals(L);
    lua_settop(L, 0);
    // A module whose selftest leaves what it was given where we find it.
    lua_newtable(L);
    lua_pushcfunction(L, [](lua_State* test) {
      lua_setfield(test, LUA_REGISTRYINDEX, "given");
      return 0;
    });
    lua_setfield(L, 1, "selftest");
    library.selftest(L, 1, "m");
    lua_getfield(L, LUA_REGISTRYINDEX, "given");
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      live.insert(lua_tostring(L, -2));
      lua_pop(L, 1);
    }
  });
  INFO(outcome.what);
  CHECK(outcome.done());
  CHECK(meta.classes.at("gate.Test") == live);
}

TEST_CASE("phases of policies and of the chain are in the meta file") {
  const Meta meta = read_meta();
  for (const std::string_view phase : kPhaseNames) {
    CHECK(meta.classes.at("gate.Policy").count(std::string(phase)) == 1);
    CHECK(meta.classes.at("gate.Chain").count(std::string(phase)) == 1);
  }
  CHECK(meta.classes.at("gate.Chain").count("breaker") == 1);
  CHECK(meta.classes.at("gate.Chain").size() == kPhaseCount + 1);
  for (const std::string& field : meta.classes.at("gate.Breaker")) {
    const std::string chain = "return { breaker = { " + field + " = 1 } }";
    CHECK(build_policies(api::test::World::tree({}, chain), 1).bundle);
  }
  CHECK(meta.classes.at("gate.Breaker").size() == 3);
  CHECK(meta.classes.at("gate.Policy").size() == kPhaseCount + 3);
}
