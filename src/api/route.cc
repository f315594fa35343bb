#include <algorithm>

#include "api/answers.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

// A model's name as an upstream gets it: visible ASCII.
std::string check_model(lua_State* L, int index) {
  std::string_view name;
  if (!script::text_at(L, index, name) || name.empty() ||
      name.size() > limits::model_name_bytes_max ||
      !std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; }))
    luaL_error(L, "upstream_model must be the name of a model");
  return std::string(name);
}

Timeouts check_timeouts(lua_State* L, int index) {
  if (!script::push_table_at(L, index)) luaL_error(L, "timeouts must be a table");
  Timeouts timeouts;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    std::string_view key;
    int64_t ms;
    if (!script::integer_at(L, -1, 1, limits::policy_timeout_ms_max, ms))
      luaL_error(L, "a timeout must be a whole number of milliseconds from 1 to %d",
                 static_cast<int>(limits::policy_timeout_ms_max));
    if (!script::text_at(L, -2, key)) key = "?";
    if (key == "connect_ms") {
      timeouts.connect_ms = ms;
    } else if (key == "first_byte_ms") {
      timeouts.first_byte_ms = ms;
    } else if (key == "idle_ms") {
      timeouts.idle_ms = ms;
    } else if (key == "total_ms") {
      timeouts.total_ms = ms;
    } else {
      luaL_error(L, "there is no timeout '%s'", key.data());
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return timeouts;
}

bool is_fact(std::string_view key) {
  return std::any_of(kCandidateView.fields.begin(), kCandidateView.fields.end(),
                     [key](const ViewField& field) { return field.name == key; });
}

// What a policy chooses for the candidate that the table at `item` stands for. One that a test made
// holds its facts as well.
void read_choice(lua_State* L, int item, bool holds_facts, RoutedCandidate& chosen) {
  lua_pushnil(L);
  while (lua_next(L, item)) {
    std::string_view key;
    if (!script::text_at(L, -2, key)) luaL_error(L, "a candidate has a key that is no name");
    if (key == "upstream_model") {
      chosen.upstream_model = check_model(L, -1);
    } else if (key == "timeouts") {
      chosen.timeouts = check_timeouts(L, -1);
    } else if (key != "channel" && !(holds_facts && is_fact(key))) {
      luaL_error(L, "a candidate takes no '%s' from a policy", key.data());
    }
    lua_pop(L, 1);
  }
}

}  // namespace

void check_candidate_answer(lua_State* L, int item) {
  const bool holds_facts = lua_getmetatable(L, item) != 0;
  if (holds_facts) lua_pop(L, 1);
  RoutedCandidate chosen;
  read_choice(L, item, holds_facts, chosen);
}

int RouteCall::push_rest(lua_State* L) {
  call_.candidate_views.push_list(L, std::span<const CandidateWork>(work_));
  return 1;
}

script::HookCall::Next RouteCall::take_results(lua_State* L, const script::Module& module) {
  if (lua_isnil(L, kFirst)) return Next::ask_on;
  const auto size = list_size(L, kFirst);
  if (!size)
    luaL_error(L, "%s: route must return nil or a list of candidates, not %s", module.path.c_str(),
               described(L, kFirst).c_str());
  if (*size > work_.size())
    luaL_error(L, "%s: route returned more candidates than it got", module.path.c_str());
  lua_pushvalue(L, kFirst);
  std::vector<CandidateWork> chosen;
  chosen.reserve(*size);
  for (size_t i = 1; i <= *size; ++i) {
    lua_rawgeti(L, -1, static_cast<int>(i));
    chosen.push_back(read_candidate(L, static_cast<int>(i)));
    lua_pop(L, 1);
    for (size_t k = 0; k + 1 < chosen.size(); ++k)
      if (chosen[k].facts == chosen.back().facts)
        luaL_error(L, "%s: route returned the channel '%s' twice", module.path.c_str(),
                   std::string(chosen[k].facts->channel).c_str());
  }
  work_ = std::move(chosen);
  changed_ = true;
  return Next::ask_on;
}

// The item is on top of the stack. Only what a policy may choose is read, and only raw: a channel
// by its name, never an address.
CandidateWork RouteCall::read_candidate(lua_State* L, int number) const {
  if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "item %d of the list is no candidate but %s", number, described(L, -1).c_str());
  const int item = lua_gettop(L);
  CandidateWork work;
  lua_pushliteral(L, "channel");
  lua_rawget(L, item);
  if (std::string_view channel; script::text_at(L, -1, channel)) {
    const size_t found = find(channel);
    if (found == work_.size())
      luaL_error(L, "candidate %d is a channel that was not offered", number);
    work = work_[found];
  } else if (const auto position = call_.candidate_views.position_of(L, item)) {
    work = work_[*position];
  }
  lua_pop(L, 1);
  if (!work.facts) luaL_error(L, "candidate %d names no channel", number);
  read_choice(L, item, false, work.chosen);
  return work;
}

size_t RouteCall::find(std::string_view channel) const {
  size_t at = 0;
  while (at < work_.size() && work_[at].facts->channel != channel) ++at;
  return at;
}

}  // namespace mg::api
