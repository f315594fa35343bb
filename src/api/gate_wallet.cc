// gate.wallet: what the tenant that pays has left. Amounts are text, exact to the nano-dollar;
// comparing them is done here, so that no script needs to turn one into a number.
#include "api/call.h"
#include "api/gate.h"

namespace mg::api {
namespace {

int available(lua_State* L) {
  push_fact(L, call_of(L).request->tenant.available);
  return 1;
}

int covers(lua_State* L) {
  const auto amount = parse_money(check_text(L, 1, 64));
  if (!amount) return luaL_error(L, "bad argument #1 (%s)", amount.error().what.c_str());
  const auto left = call_of(L).request->tenant.available;
  lua_pushboolean(L, left && *left >= *amount);
  return 1;
}

constexpr GateFunction kFunctions[] = {
    {"wallet", "available", phases({Phase::admit}), available},
    {"wallet", "covers", phases({Phase::admit}), covers},
};

}  // namespace

std::span<const GateFunction> wallet_functions() { return kFunctions; }

}  // namespace mg::api
