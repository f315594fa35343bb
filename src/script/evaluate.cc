#include "script/evaluate.h"

#include "base/text.h"
#include "script/lua_value.h"
#include "script/sandbox.h"
#include "script/state.h"

namespace mg::script {
namespace {

// What env and required work on; lives as long as the evaluation.
struct Environment {
  const EnvironmentLookup& lookup;
  std::string_view file;
  std::string last_missing;
  std::vector<Problem> missing;
};

Environment& environment_of(lua_State* L) { return *static_cast<Environment*>(budget_of(L).host); }

int env(lua_State* L) {
  Environment& environment = environment_of(L);
  size_t size;
  const char* name = luaL_checklstring(L, 1, &size);
  environment.last_missing.clear();
  if (const auto value = environment.lookup({name, size})) {
    push_text(L, *value);
  } else {
    environment.last_missing.assign(name, std::min(size, limits::script_error_bytes_max));
    lua_pushnil(L);
  }
  return 1;
}

int required(lua_State* L) {
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) return 1;
  Environment& environment = environment_of(L);
  luaL_where(L, 1);
  Problem problem = problem_from(lua_tostring(L, -1), environment.file);
  problem.what =
      environment.last_missing.empty()
          ? "a required value is missing"
          : "the environment variable " + environment.last_missing + " is required and not set";
  environment.last_missing.clear();
  environment.missing.push_back(std::move(problem));
  lua_settop(L, 1);
  return 1;
}

void push_configuration_globals(lua_State* L) {
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, env);
  lua_setfield(L, -2, "env");
  lua_pushcfunction(L, required);
  lua_setfield(L, -2, "required");
}

Evaluation evaluate(const File& file, Environment* environment) {
  Evaluation evaluation;
  if (file.bytes.size() > limits::script_source_bytes_max) {
    evaluation.problems.push_back(
        {file.path, 0,
         "the file has more than " + std::to_string(limits::script_source_bytes_max) + " bytes"});
    return evaluation;
  }
  auto state = State::open(kPolicyProfile);
  if (!state) {
    evaluation.problems.push_back({file.path, 0, state.error().what});
    return evaluation;
  }
  (*state)->budget().host = environment;
  const Outcome outcome = Run(**state).call([&](lua_State* L) {
    if (environment) {
      push_configuration_globals(L);
      add_globals(L);
    }
    load_text(L, file.bytes, file.path);
    push_environment(L);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    if (lua_type(L, -1) != LUA_TTABLE)
      luaL_error(L, "%s: the file must return a table, not a %s", file.path.c_str(),
                 luaL_typename(L, -1));
    evaluation.value = read_value(L, -1, "the table");
  });
  if (environment) evaluation.problems = std::move(environment->missing);
  if (!outcome.done()) evaluation.problems.push_back(problem_from(outcome.what, file.path));
  return evaluation;
}

}  // namespace

Evaluation evaluate_table(const File& file) { return evaluate(file, nullptr); }

Evaluation evaluate_configuration(const File& file, const EnvironmentLookup& lookup) {
  Environment environment{lookup, file.path, {}, {}};
  return evaluate(file, &environment);
}

Problem problem_from(std::string_view message, std::string_view file) {
  Problem problem{std::string(file), 0, std::string(message)};
  if (message.starts_with(file) && message.substr(file.size()).starts_with(": "))
    problem.what = message.substr(file.size() + 2);
  const size_t colon = message.find(':');
  const size_t second = colon == std::string_view::npos ? colon : message.find(':', colon + 1);
  if (second == std::string_view::npos) return problem;
  const auto line = parse_number<int>(message.substr(colon + 1, second - colon - 1));
  if (!line) return problem;
  problem.file = message.substr(0, colon);
  problem.line = *line;
  problem.what = trimmed(message.substr(second + 1));
  return problem;
}

}  // namespace mg::script
