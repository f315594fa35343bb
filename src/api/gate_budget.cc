// gate.budget: names a budget that the ledger holds and checks together with the wallet.
#include <algorithm>

#include "api/call.h"
#include "api/gate.h"

namespace mg::api {
namespace {

BudgetPeriod check_period(lua_State* L) {
  constexpr std::string_view kNames[] = {"day", "week", "month", "total"};
  const std::string_view given = check_text(L, 3, 16);
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == given) return static_cast<BudgetPeriod>(i);
  luaL_error(L, "the period must be day, week, month or total, not '%s'", given.data());
  std::abort();
}

// A name is part of a key of the store: no blanks, no control characters.
std::string_view check_name(lua_State* L) {
  const std::string_view given = check_text(L, 1, limits::budget_name_bytes_max);
  const bool plain =
      std::all_of(given.begin(), given.end(), [](char c) { return c > ' ' && c < 127; });
  if (given.empty() || !plain)
    luaL_error(L, "bad argument #1 (a budget's name has visible ASCII characters only)");
  return given;
}

int require(lua_State* L) {
  Call& call = call_of(L);
  BudgetRequirement budget;
  budget.name = check_name(L);
  const auto limit = parse_money(check_text(L, 2, 64));
  if (!limit)
    return luaL_error(L, "bad argument #2 (an amount of USD as text: %s)",
                      limit.error().what.c_str());
  budget.limit = *limit;
  budget.period = check_period(L);
  for (const BudgetRequirement& other : call.budgets)
    if (other.name == budget.name && other.period == budget.period)
      return luaL_error(L, "the budget '%s' is required twice", budget.name.c_str());
  if (call.budgets.size() == limits::hold_budgets_max)
    return luaL_error(L, "more than %d budgets", static_cast<int>(limits::hold_budgets_max));
  call.budgets.push_back(std::move(budget));
  return 0;
}

constexpr GateFunction kFunctions[] = {{"budget", "require", phases({Phase::admit}), require}};

}  // namespace

std::span<const GateFunction> budget_functions() { return kFunctions; }

}  // namespace mg::api
