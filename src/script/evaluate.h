// Scripts whose result is data: the configuration and tables of vendors. Each runs once, in a
// state of its own, with no names but the sandbox's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/bundle.h"
#include "script/value.h"

namespace mg::script {

// The value counts only when there are no problems.
struct Evaluation {
  Value value;
  std::vector<Problem> problems;
};

// Runs the file and reads the table it returns.
Evaluation evaluate_table(const File& file);

// The same with env("NAME"), which is nil for what `lookup` does not know, and required(value),
// which notes a missing value by the name env was last asked for and lets the script go on, so
// that all that is missing is reported at once.
using EnvironmentLookup = std::function<std::optional<std::string>(std::string_view name)>;
Evaluation evaluate_configuration(const File& file, const EnvironmentLookup& lookup);

// "policies/x.lua:12: text" taken apart; `file` where the message names none.
Problem problem_from(std::string_view message, std::string_view file);

}  // namespace mg::script
