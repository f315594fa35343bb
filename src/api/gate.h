// The `gate` table that scripts see. One file per part of it (gate_limit.cc is gate.limit), each a
// list of functions with the phases in which they may be called; but gate.json is
// script/json_table.h and can be called anywhere.
#pragma once

#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "api/phase.h"

namespace mg::api {

// A set of phases, one bit each.
using Phases = uint8_t;
constexpr Phases phases(std::initializer_list<Phase> list) {
  Phases set = 0;
  for (Phase phase : list) set = static_cast<Phases>(set | 1u << static_cast<unsigned>(phase));
  return set;
}
inline constexpr Phases kAllPhases = (1u << kPhaseCount) - 1;

struct GateFunction {
  const char* library;  // "limit" for gate.limit.NAME; empty for gate.NAME
  const char* name;
  Phases phases;
  lua_CFunction function;
};

std::span<const GateFunction> refusal_functions();
std::span<const GateFunction> limit_functions();
std::span<const GateFunction> wallet_functions();
std::span<const GateFunction> budget_functions();
std::span<const GateFunction> chance_functions();
std::span<const GateFunction> log_functions();
std::span<const GateFunction> match_functions();

// Pushes a table { gate = {...} }, for Library::push_globals.
void push_gate_global(lua_State* L);

// The number of the refusal that the value at `index` is, in Call::refusals.
std::optional<size_t> refusal_at(lua_State* L, int index);

// Arguments, or an error that names the function's argument.
std::string_view check_text(lua_State* L, int index, size_t bytes_max);

}  // namespace mg::api
