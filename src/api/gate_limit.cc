// gate.limit: token buckets shared by all workers.
#include <cmath>

#include "api/call.h"
#include "api/gate.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

// Beyond this a count of tokens is a mistake.
constexpr double kMost = 1e15;

struct TakeOptions {
  limit::Terms terms;
  double cost = 1;
  std::string_view unit;
};

// The number at a key of the table on top of the stack; `standard` where there is none.
double number_field(lua_State* L, const char* name, std::optional<double> standard) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  double number = standard.value_or(0);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    number = lua_tonumber(L, -1);
  } else if (!lua_isnil(L, -1) || !standard) {
    luaL_error(L, "%s must be a number, not %s", name, luaL_typename(L, -1));
  }
  if (!(number >= 0 && number <= kMost)) luaL_error(L, "%s is out of range", name);
  lua_pop(L, 1);
  return number;
}

TakeOptions check_options(lua_State* L) {
  if (!script::push_table_at(L, 2)) luaL_error(L, "bad argument #2 (table expected)");
  TakeOptions options;
  options.terms.rate = number_field(L, "rate", std::nullopt);
  options.terms.burst = number_field(L, "burst", std::nullopt);
  if (options.terms.burst == 0) luaL_error(L, "burst must be more than 0");
  options.cost = number_field(L, "cost", 1);
  lua_pushliteral(L, "unit");
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1) && (!script::text_at(L, -1, options.unit) ||
                            (options.unit != "requests" && options.unit != "tokens")))
    luaL_error(L, "unit must be \"requests\" or \"tokens\"");
  lua_pop(L, 2);
  return options;
}

int64_t whole(double number) {
  return static_cast<int64_t>(std::min(std::max(number, 0.0), kMost));
}

// Headers show the bucket with the least left, in parts of its size.
void note_window(std::optional<RateWindow>& noted, const limit::Window& window) {
  const RateWindow seen{whole(window.limit), whole(window.remaining),
                        whole(std::ceil(window.reset_s))};
  const auto share = [](const RateWindow& w) {
    return static_cast<double>(w.remaining) / static_cast<double>(std::max<int64_t>(w.limit, 1));
  };
  if (!noted || share(seen) < share(*noted)) noted = seen;
}

int take(lua_State* L) {
  Call& call = call_of(L);
  const std::string_view key = check_text(L, 1, limits::bucket_key_bytes_max);
  const TakeOptions options = check_options(L);
  if (call.takes.size() == limits::takes_per_request_max)
    return luaL_error(L, "too many takes in one call");
  if (call.is_trial) {
    lua_pushboolean(L, true);
    lua_pushnumber(L, 0);
    return 2;
  }
  const limit::Taken taken = call.seams().buckets.take(key, options.terms, options.cost);
  if (options.unit == "requests") note_window(call.requests, taken.window);
  if (options.unit == "tokens") note_window(call.tokens, taken.window);
  if (taken.ok) {
    call.takes.push_back({std::string(key), options.cost});
    if (options.unit == "tokens") call.token_takes.push_back({std::string(key), options.cost});
  } else {
    call.retry_after_s = std::max(call.retry_after_s, taken.retry_after_s);
  }
  lua_pushboolean(L, taken.ok);
  lua_pushnumber(L, taken.retry_after_s);
  return 2;
}

// In admit it belongs to what the call undoes when it is refused after all.
int give(lua_State* L) {
  Call& call = call_of(L);
  const std::string_view key = check_text(L, 1, limits::bucket_key_bytes_max);
  const double amount = luaL_checknumber(L, 2);
  if (!(std::fabs(amount) <= kMost)) return luaL_error(L, "the amount is out of range");
  if (call.is_trial) return 0;
  if (call.phase == Phase::admit) {
    if (call.takes.size() == limits::takes_per_request_max)
      return luaL_error(L, "too many takes in one call");
    call.takes.push_back({std::string(key), -amount});
  }
  call.seams().buckets.give(key, amount);
  return 0;
}

int peek(lua_State* L) {
  const auto window =
      call_of(L).seams().buckets.peek(check_text(L, 1, limits::bucket_key_bytes_max));
  if (!window) {
    lua_pushnil(L);
    return 1;
  }
  lua_createtable(L, 0, 3);
  lua_pushnumber(L, window->limit);
  lua_setfield(L, -2, "limit");
  lua_pushnumber(L, window->remaining);
  lua_setfield(L, -2, "remaining");
  lua_pushnumber(L, window->reset_s);
  lua_setfield(L, -2, "reset_s");
  return 1;
}

constexpr GateFunction kFunctions[] = {
    {"limit", "take", phases({Phase::admit}), take},
    {"limit", "give", phases({Phase::admit, Phase::observe}), give},
    {"limit", "peek", phases({Phase::admit, Phase::route, Phase::observe}), peek},
};

}  // namespace

std::span<const GateFunction> limit_functions() { return kFunctions; }

}  // namespace mg::api
