// gate.refuse: the only way a policy says no.
#include <cmath>

#include "api/call.h"
#include "api/gate.h"
#include "base/text.h"
#include "script/handle.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

constexpr script::Kind kRefusal{"refusal"};

struct RefusalHandle : script::Handle {
  size_t number = 0;
};

// What a policy may say, of all the answers that clients know. Money and credentials are the core's
// to refuse.
struct Allowed {
  int status;
  std::string_view code;
};
constexpr Allowed kAllowed[] = {
    {400, "invalid_value"},   {400, "unsupported_parameter"}, {400, "context_length_exceeded"},
    {403, "ip_not_allowed"},  {403, "model_not_allowed"},     {403, "tenant_suspended"},
    {403, "key_expired"},     {413, "request_too_large"},     {429, "rate_limit_exceeded"},
    {429, "budget_exceeded"}, {503, "no_channel_available"},  {503, "overloaded"},
};

std::string_view check_code(lua_State* L, lua_Integer status) {
  const std::string_view given = check_text(L, 2, 64);
  for (const Allowed& allowed : kAllowed)
    if (allowed.status == status && allowed.code == given) return allowed.code;
  luaL_error(L, "a policy cannot refuse with %d %s", static_cast<int>(status), given.data());
  std::abort();
}

// Of the answer's retry-after: what the script says, else what the limits said that had no room.
std::optional<int64_t> check_retry_after(lua_State* L, lua_Integer status, double of_limits_s) {
  double seconds = of_limits_s;
  if (!lua_isnoneornil(L, 4)) {
    seconds = luaL_checknumber(L, 4);
    if (!(seconds >= 0)) luaL_error(L, "bad argument #4 (seconds must not be negative)");
  } else if (status != 429 || of_limits_s <= 0) {
    return std::nullopt;
  }
  const double most = static_cast<double>(limits::refusal_retry_after_s_max);
  return static_cast<int64_t>(std::ceil(std::min(std::max(seconds, 1.0), most)));
}

int index_refusal(lua_State* L) {
  const auto& handle = *static_cast<const RefusalHandle*>(lua_touserdata(L, 1));
  const Call& call = call_of(L);
  if (handle.number >= call.refusals.size())
    return luaL_error(L, "a refusal was used outside its call");
  const Refusal& refusal = call.refusals[handle.number];
  const std::string_view key = check_text(L, 2, 64);
  if (key == "status") {
    lua_pushinteger(L, refusal.status);
  } else if (key == "code") {
    script::push_text(L, refusal.code);
  } else if (key == "message") {
    script::push_text(L, refusal.message);
  } else if (key == "retry_after_s") {
    push_fact(L, refusal.retry_after_s);
  } else {
    return luaL_error(L, "a refusal has no field '%s'", key.data());
  }
  return 1;
}

int refuse(lua_State* L) {
  Call& call = call_of(L);
  if (call.refusals.size() == limits::takes_per_request_max)
    return luaL_error(L, "too many refusals in one call");
  const lua_Integer status = luaL_checkinteger(L, 1);
  Refusal refusal;
  refusal.status = static_cast<int>(status);
  refusal.code = check_code(L, status);
  refusal.message = check_text(L, 3, limits::refusal_message_bytes_max);
  if (!is_utf8(refusal.message)) return luaL_error(L, "the message is not UTF-8");
  refusal.retry_after_s = check_retry_after(L, status, call.retry_after_s);
  auto& handle = script::push_handle<RefusalHandle>(L, kRefusal);
  handle.number = call.refusals.size();
  call.refusals.push_back(std::move(refusal));
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, index_refusal);
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  return 1;
}

constexpr GateFunction kFunctions[] = {{"", "refuse", phases({Phase::admit}), refuse}};

}  // namespace

std::span<const GateFunction> refusal_functions() { return kFunctions; }

std::optional<size_t> refusal_at(lua_State* L, int index) {
  const auto* handle = script::handle_at<RefusalHandle>(L, index, kRefusal);
  if (!handle || handle->number >= call_of(L).refusals.size()) return std::nullopt;
  return handle->number;
}

}  // namespace mg::api
