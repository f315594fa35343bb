// The command line: one file per subcommand, each adding itself to the parser. Exit codes: 0 done,
// 1 refused or failed (the reason on standard error), 2 wrong usage. `ledger verify` has its own.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <limits>
#include <string>

#include "base/json_value.h"
#include "base/result.h"
#include "base/text.h"

namespace mg::cli {

// What every subcommand shares.
struct Cli {
  CLI::App& app;
  std::string config = "moongate.lua";
  bool json = false;
  // Set by the subcommand that was chosen.
  std::function<int()> action;

  // A subcommand that runs `act` when it is the one chosen.
  CLI::App* command(CLI::App* parent, const char* name, const char* help, std::function<int()> act);
  // One that only holds others.
  CLI::App* group(const char* name, const char* help);
};

void add_serve(Cli& cli);
void add_demo(Cli& cli);
void add_check(Cli& cli);
void add_tenant(Cli& cli);
void add_wallet(Cli& cli);
void add_key(Cli& cli);
void add_secret(Cli& cli);
void add_channel(Cli& cli);
void add_policy(Cli& cli);
void add_reload(Cli& cli);
void add_ledger(Cli& cli);
void add_usage(Cli& cli);
void add_explain(Cli& cli);
void add_lab(Cli& cli);
void add_load(Cli& cli);

// What is wrong with the first option among the arguments that has no value of its own, or nothing.
// The library gives it the argument behind it, even one that is an option: `--id= --json` would pay
// in under the id "--json".
std::string option_without_value(const CLI::App& app, int argc, const char* const* argv);

// Runs a command of control::Operations: in the running server, else against the store itself.
// Prints the result, as JSON where that was asked for.
using Printer = std::function<void(const Json& result)>;
int run_operation(const Cli& cli, const std::string& command, Json arguments, const Printer& print);

// "moongate: ..." on standard error, line by line. Returns 1.
int failed(const std::string& message);
// The same for what stands on the command line and cannot be meant. Returns 2.
int misused(const std::string& message);

// For Option::transform, on every number: the library itself reads 010 as 8 and takes the nearest
// number for one that is too large.
template <std::integral T>
CLI::Validator decimal(T least = 0, T most = std::numeric_limits<T>::max()) {
  const auto read = [least, most](std::string& text) -> std::string {
    const auto number = parse_number<T>(text);
    if (!number || *number < least || *number > most)
      return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    text = std::to_string(*number);
    return {};
  };
  return CLI::Validator(read, "");
}

// A path as it is from everywhere. Errors: invalid, when it is empty or where we are is unknown.
Result<std::string> absolute_path(const std::string& path);

// Rows with aligned columns; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows);
// A member as people read it: texts bare but for control characters, lists joined, nothing as "-".
std::string shown(const Json& object, const char* member);
// "name  value" lines of every member that is no table itself.
void print_members(const Json& object);

}  // namespace mg::cli
