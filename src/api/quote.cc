#include "api/answers.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

constexpr int64_t kExactMax = int64_t{1} << 53;

// Pico-USD per unit as a whole number, or USD per million as text: "2.50/M".
Rate check_rate(lua_State* L, int index) {
  int64_t picos;
  if (script::integer_at(L, index, 0, kExactMax, picos)) return *Rate::picos(picos);
  std::string_view text;
  if (script::text_at(L, index, text) && text.size() <= 32 && text.ends_with("/M")) {
    text.remove_suffix(2);
    if (const auto rate = parse_rate_per_million(text)) return *rate;
  }
  luaL_error(L,
             "a rate must be pico-USD per unit as a whole number, or USD per million units as "
             "\"2.50/M\"");
  std::abort();
}

// The list must begin with the multipliers that were there: modules append, none takes another's
// away.
void read_multipliers(lua_State* L, int index, PriceLine& line) {
  if (!script::push_table_at(L, index)) luaL_error(L, "multipliers_ppm must be a list");
  // One with names would pass for an empty list, and the discount it was meant for be gone.
  const auto list = list_size(L, -1);
  if (!list) luaL_error(L, "multipliers_ppm must be a list of numbers, one after another");
  const size_t size = *list;
  if (size > kMultipliersMax)
    luaL_error(L, "more than %d multipliers_ppm", static_cast<int>(kMultipliersMax));
  if (size < line.multiplier_count) luaL_error(L, "multipliers_ppm are only ever appended to");
  for (size_t i = 0; i < size; ++i) {
    lua_rawgeti(L, -1, static_cast<int>(i) + 1);
    int64_t ppm;
    if (!script::integer_at(L, -1, 0, limits::multiplier_ppm_max, ppm))
      luaL_error(L, "a multiplier must be a whole number of parts per million from 0 to %d",
                 static_cast<int>(limits::multiplier_ppm_max));
    if (i < line.multiplier_count && line.multipliers_ppm[i] != ppm)
      luaL_error(L, "multipliers_ppm are only ever appended to");
    line.multipliers_ppm[i] = ppm;
    lua_pop(L, 1);
  }
  line.multiplier_count = size;
  lua_pop(L, 1);
}

// What a policy says of the line that the table at `item` stands for.
void read_line(lua_State* L, int item, PriceLine& line) {
  lua_pushnil(L);
  while (lua_next(L, item)) {
    std::string_view key;
    if (!script::text_at(L, -2, key)) luaL_error(L, "a line has a key that is no name");
    if (key == "rate") {
      line.rate = check_rate(L, -1);
    } else if (key == "multipliers_ppm") {
      read_multipliers(L, lua_gettop(L), line);
    } else if (key != "model" && key != "meter" && key != "above_input_tokens") {
      luaL_error(L, "a line takes no '%s' from a policy", key.data());
    }
    lua_pop(L, 1);
  }
}

}  // namespace

void check_line_answer(lua_State* L, int item) {
  PriceLine line;
  read_line(L, item, line);
}

int QuoteCall::push_rest(lua_State* L) {
  call_.line_views.push_list(L, std::span<const PriceLine>(lines_));
  return 1;
}

script::HookCall::Next QuoteCall::take_results(lua_State* L, const script::Module& module) {
  if (lua_isnil(L, kFirst)) return Next::ask_on;
  const auto size = list_size(L, kFirst);
  if (!size)
    luaL_error(L, "%s: quote must return nil or the lines, not %s", module.path.c_str(),
               described(L, kFirst).c_str());
  if (*size > lines_.size())
    luaL_error(L, "%s: quote returned more lines than it got", module.path.c_str());
  lua_pushvalue(L, kFirst);
  // Lines that are not returned stay as they are; one that is returned twice is a mistake.
  std::vector<bool> seen(lines_.size());
  for (size_t i = 1; i <= *size; ++i) {
    lua_rawgeti(L, -1, static_cast<int>(i));
    const int item = lua_gettop(L);
    const size_t position = position_of_line(L, static_cast<int>(i));
    if (seen[position]) luaL_error(L, "%s: quote returned a line twice", module.path.c_str());
    seen[position] = true;
    read_line(L, item, lines_[position]);
    lua_pop(L, 1);
  }
  return Next::ask_on;
}

// The item is on top of the stack: one of ours, or a table that names a line.
size_t QuoteCall::position_of_line(lua_State* L, int number) const {
  if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "item %d of the list is no line but %s", number, described(L, -1).c_str());
  const int item = lua_gettop(L);
  const auto ours = call_.line_views.position_of(L, item);
  PriceLine named = ours ? lines_[*ours] : PriceLine{};
  const auto raw = [&](const char* key) {
    lua_pushstring(L, key);
    lua_rawget(L, item);
    return !lua_isnil(L, -1);
  };
  const bool good = (!raw("model") || script::text_at(L, -1, named.model)) &&
                    (!raw("meter") || script::text_at(L, -1, named.meter)) &&
                    (!raw("above_input_tokens") ||
                     script::integer_at(L, -1, 0, kExactMax, named.above_input_tokens));
  for (size_t i = 0; good && i < lines_.size(); ++i) {
    const PriceLine& line = lines_[i];
    if (line.model != named.model || line.meter != named.meter ||
        line.above_input_tokens != named.above_input_tokens)
      continue;
    if (ours && *ours != i) break;
    lua_settop(L, item);
    return i;
  }
  luaL_error(L, "item %d of the list is no line that was offered", number);
  std::abort();
}

}  // namespace mg::api
