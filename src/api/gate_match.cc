// gate.ip.matches and gate.text.matches: is this one of those?
#include "api/call.h"
#include "api/gate.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

// Calls look(item) for each text of the list at argument 2, until it says true.
template <class Look>
bool any_item(lua_State* L, Look look) {
  if (!script::push_table_at(L, 2)) luaL_error(L, "bad argument #2 (list expected)");
  const int size = static_cast<int>(lua_objlen(L, -1));
  for (int i = 1; i <= size; ++i) {
    script::charge(L, 8);
    lua_rawgeti(L, -1, i);
    std::string_view item;
    if (!script::text_at(L, -1, item)) luaL_error(L, "bad argument #2 (item %d is no text)", i);
    if (look(item)) return true;
    lua_pop(L, 1);
  }
  return false;
}

// A list that holds something else than networks lets nobody in by mistake: it is an error.
int ip_matches(lua_State* L) {
  const auto address = IpAddress::parse(check_text(L, 1, 64));
  if (!address) return luaL_error(L, "bad argument #1 (an IP address expected)");
  const bool found = any_item(L, [&](std::string_view item) {
    const auto network = IpNetwork::parse(item);
    if (!network) luaL_error(L, "'%s' is no IP address or network", item.data());
    return network->contains(*address);
  });
  lua_pushboolean(L, found);
  return 1;
}

// '*' stands for any characters, none included. No worse than the product of the two lengths.
bool matches_pattern(std::string_view text, std::string_view pattern) {
  size_t t = 0, p = 0, star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

int text_matches(lua_State* L) {
  const std::string_view text = check_text(L, 1, 1024);
  const bool found = any_item(L, [&](std::string_view item) {
    if (item.size() > limits::model_name_bytes_max) luaL_error(L, "a pattern is too long");
    script::charge(L, text.size() * item.size() / 64);
    return matches_pattern(text, item);
  });
  lua_pushboolean(L, found);
  return 1;
}

constexpr GateFunction kFunctions[] = {{"ip", "matches", kAllPhases, ip_matches},
                                       {"text", "matches", kAllPhases, text_matches}};

}  // namespace

std::span<const GateFunction> match_functions() { return kFunctions; }

}  // namespace mg::api
