#include "api/selftest.h"

#include "api/answers.h"
#include "api/gate.h"
#include "api/selftest_tables.h"
#include "script/conf.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

// Compares by value, tables field by field.
bool equal(lua_State* L, int a, int b, int depth) {
  if (depth > 16) luaL_error(L, "tables nested too deep to compare");
  luaL_checkstack(L, 8, "comparing");
  script::charge(L, 2);
  if (lua_rawequal(L, a, b)) return true;
  if (!script::push_table_at(L, a)) return false;
  if (!script::push_table_at(L, b)) return lua_pop(L, 1), false;
  const int left = lua_gettop(L) - 1, right = left + 1;
  bool same = true;
  for (const auto& [from, to] : {std::pair{left, right}, std::pair{right, left}}) {
    lua_pushnil(L);
    while (same && lua_next(L, from)) {
      lua_pushvalue(L, -2);
      lua_rawget(L, to);
      same = equal(L, lua_gettop(L) - 1, lua_gettop(L), depth + 1);
      lua_pop(L, 2);
    }
    if (!same) break;
  }
  lua_settop(L, left - 1);
  return same;
}

std::string shown(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TSTRING: {
      std::string_view text;
      script::text_at(L, index, text);
      return "\"" + std::string(text.substr(0, 100)) + "\"";
    }
    case LUA_TNUMBER:
      lua_pushvalue(L, index);
      lua_tostring(L, -1);
      {
        std::string text = lua_tostring(L, -1);
        lua_pop(L, 1);
        return text;
      }
    case LUA_TBOOLEAN:
      return lua_toboolean(L, index) ? "true" : "false";
    default:
      return luaL_typename(L, index);
  }
}

int check_equal(lua_State* L) {
  lua_settop(L, 3);
  if (equal(L, 1, 2, 0)) return 0;
  const std::string what =
      lua_type(L, 3) == LUA_TSTRING ? std::string(check_text(L, 3, 200)) + ": " : std::string();
  const std::string found = shown(L, 1), wanted = shown(L, 2);
  return luaL_error(L, "%sgot %s, expected %s", what.c_str(), found.c_str(), wanted.c_str());
}

// t.refused(status, code, answer): the answer is a refusal with these.
int check_refused(lua_State* L) {
  const auto number = refusal_at(L, 3);
  if (!number) return luaL_error(L, "expected a refusal, got %s", shown(L, 3).c_str());
  const Refusal& refusal = call_of(L).refusals[*number];
  const lua_Integer status = luaL_checkinteger(L, 1);
  const std::string_view code = check_text(L, 2, 64);
  if (refusal.status != status || refusal.code != code)
    return luaL_error(L, "expected refusal %d %s, got %d %s", static_cast<int>(status), code.data(),
                      refusal.status, std::string(refusal.code).c_str());
  return 0;
}

int check_fails(lua_State* L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  const script::Nesting nesting(L);
  if (lua_pcall(L, 0, 0, 0) == 0) return luaL_error(L, "expected an error, and there was none");
  script::charge(L, 1);  // ends the run again if that was what failed
  return 0;
}

SelftestLibrary& library_of(lua_State* L) {
  return *static_cast<SelftestLibrary*>(lua_touserdata(L, lua_upvalueindex(1)));
}

// t.advance(seconds): moves the clock.
int advance(lua_State* L) {
  const double seconds = luaL_checknumber(L, 1);
  if (!(seconds >= 0 && seconds <= 1e9)) return luaL_error(L, "seconds out of range");
  library_of(L).clock.advance_ns(static_cast<int64_t>(seconds * static_cast<double>(kNsPerS)));
  return 0;
}

// t.wallet(amount): what gate.wallet finds from now on.
int set_wallet(lua_State* L) {
  const auto amount = parse_money(check_text(L, 1, 64));
  if (!amount) return luaL_error(L, "%s", amount.error().what.c_str());
  library_of(L).request.tenant.available = *amount;
  return 0;
}

// What gate.budget.require gathered in the last call, as { { name, limit, period } }.
int required_budgets(lua_State* L) {
  const Call& call = call_of(L);
  constexpr const char* kPeriods[] = {"day", "week", "month", "total"};
  lua_createtable(L, static_cast<int>(call.budgets.size()), 0);
  for (size_t i = 0; i < call.budgets.size(); ++i) {
    lua_createtable(L, 3, 0);
    script::push_text(L, call.budgets[i].name);
    lua_rawseti(L, -2, 1);
    script::push_text(L, to_short_text(call.budgets[i].limit));
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, kPeriods[static_cast<size_t>(call.budgets[i].period)]);
    lua_rawseti(L, -2, 3);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
  return 1;
}

// The conf at `index`, checked and completed as the module declares it.
script::Value checked_conf(lua_State* L, int module, int index) {
  lua_getfield(L, module, "conf");
  const script::Value declared = script::read_value(L, -1, "conf");
  lua_pop(L, 1);
  std::vector<std::string> wrong;
  const script::Value given =
      lua_isnoneornil(L, index) ? script::Value() : script::read_value(L, index, "conf");
  script::Value conf = script::check_conf(declared, given, wrong);
  if (!wrong.empty()) luaL_error(L, "%s", wrong.front().c_str());
  return conf;
}

// Raises where the list on top but one of the stack is none, has more items than were given or one
// of them twice, or where an item says what the phase does not take.
void check_list(lua_State* L, const char* phase, size_t given,
                void (*check_item)(lua_State* L, int item)) {
  if (lua_isnil(L, -2)) return;
  const auto size = list_size(L, -2);
  if (!size) luaL_error(L, "%s must return nil or a list, not %s", phase, described(L, -2).c_str());
  if (*size > given) luaL_error(L, "%s returned more items than it got", phase);
  const int list = lua_gettop(L) - 1;
  for (size_t i = 1; i <= *size; ++i) {
    lua_rawgeti(L, list, static_cast<int>(i));
    const int item = lua_gettop(L);
    if (lua_type(L, item) != LUA_TTABLE)
      luaL_error(L, "item %d of the list of %s is %s", static_cast<int>(i), phase,
                 described(L, item).c_str());
    for (size_t k = 1; k < i; ++k) {
      lua_rawgeti(L, list, static_cast<int>(k));
      if (lua_rawequal(L, -1, item)) luaL_error(L, "%s returned an item twice", phase);
      lua_pop(L, 1);
    }
    check_item(L, item);
    lua_settop(L, item - 1);
  }
}

// Raises where the hook's two results, on top of the stack, would be a failure in production. The
// items of route and quote are the test's own tables here, so whether they name what was offered is
// not held to it.
void check_results(lua_State* L, Phase phase, const script::Module& module, size_t given) {
  Call& call = call_of(L);
  const int top = lua_gettop(L);
  switch (phase) {
    case Phase::admit: {
      AdmitDecision decision;
      AdmitCall(call, decision).take_results(L, module);
      break;
    }
    case Phase::route:
      check_list(L, "route", given, check_candidate_answer);
      break;
    case Phase::quote:
      check_list(L, "quote", given, check_line_answer);
      break;
    case Phase::recover: {
      RecoverDecision decision;
      RecoverCall(call, AttemptFacts(), FailureFacts(), decision).take_results(L, module);
      break;
    }
    case Phase::disconnect: {
      DisconnectDecision decision;
      DisconnectCall(call, ProgressFacts(), decision).take_results(L, module);
      break;
    }
    case Phase::observe: {
      ObserveDecision decision;
      ObserveCall(call, RecordFacts(), decision).take_results(L, module);
      break;
    }
  }
  lua_settop(L, top);
}

// t.PHASE(conf, req, ...): calls the module's hook as that phase would. Upvalues: the library, the
// module's table, the phase's number.
int call_hook(lua_State* L) {
  const auto phase = static_cast<Phase>(lua_tointeger(L, lua_upvalueindex(3)));
  if (lua_gettop(L) < 2) lua_settop(L, 2);
  script::push_value(L, checked_conf(L, lua_upvalueindex(2), 1));
  script::freeze(L, -1);
  lua_replace(L, 1);
  Call& call = call_of(L);
  if (call.phase) call.end();
  ++library_of(L).request.seed;  // each call draws anew, and every run of the test the same
  call.begin(phase, library_of(L).request);
  // Before the call: hooks may change the list they get.
  const size_t given = lua_type(L, 3) == LUA_TTABLE ? lua_objlen(L, 3) : 0;
  lua_getfield(L, lua_upvalueindex(2), name(phase).data());
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 2);
  script::Module module;
  module.name = module.path = call.module;
  check_results(L, phase, module, given);
  return 2;
}

void set_function(lua_State* L, SelftestLibrary* library, const char* name,
                  lua_CFunction function) {
  lua_pushlightuserdata(L, library);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

}  // namespace

SelftestLibrary::SelftestLibrary(Call& call, StillClock& still_clock)
    : GateLibrary(call), request(sample_request()), clock(still_clock) {}

void SelftestLibrary::push_offer(lua_State* L, int module) {
  lua_newtable(L);
  add_makers(L);
  for (size_t phase = 0; phase < kPhaseCount; ++phase) {
    lua_pushlightuserdata(L, this);
    lua_pushvalue(L, module);
    lua_pushinteger(L, static_cast<lua_Integer>(phase));
    lua_pushcclosure(L, call_hook, 3);
    lua_setfield(L, -2, kPhaseNames[phase].data());
  }
  set_function(L, this, "advance", advance);
  set_function(L, this, "wallet", set_wallet);
  set_function(L, this, "equal", check_equal);
  set_function(L, this, "refused", check_refused);
  set_function(L, this, "fails", check_fails);
  set_function(L, this, "budgets", required_budgets);
}

void SelftestLibrary::selftest(lua_State* L, int index, std::string_view module) {
  if (index < 0) index += lua_gettop(L) + 1;
  lua_getfield(L, index, "selftest");
  if (lua_isnil(L, -1)) return lua_pop(L, 1);
  // What other modules' tests took from limits has long come back.
  constexpr int64_t kMonthNs = 30 * kMsPerDay * kNsPerMs;
  clock.advance_ns(kMonthNs);
  request = sample_request();
  call_.module = module;
  push_offer(L, index);
  const bool failed = lua_pcall(L, 1, 0, 0) != 0;
  if (call_.phase) call_.end();
  if (failed) lua_error(L);
}

}  // namespace mg::api
