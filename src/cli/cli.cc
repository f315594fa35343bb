#include "cli/cli.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "base/label.h"

namespace mg::cli {
namespace {

// Whether an option of that name takes a value, in this command or one below it.
bool takes_value(const CLI::App& app, const std::string& name) {
  for (const CLI::Option* option : app.get_options())
    if (option->check_lname(name) && option->get_items_expected_max() > 0) return true;
  for (const CLI::App* below : app.get_subcommands({}))
    if (takes_value(*below, name)) return true;
  return false;
}

}  // namespace

std::string option_without_value(const CLI::App& app, int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--") break;  // what follows are no options
    if (!argument.starts_with("--")) continue;
    const size_t equals = argument.find('=');
    const std::string name(argument.substr(2, equals == argument.npos ? equals : equals - 2));
    if (!takes_value(app, name)) continue;
    if (equals + 1 == argument.size()) return "--" + name + "= has no value behind it";
    if (equals != argument.npos) continue;
    if (i + 1 < argc && std::string_view(argv[i + 1]).starts_with("--"))
      return "--" + name + " has no value: " + argv[i + 1] +
             " comes next (a value that begins so is written --" + name + "=VALUE)";
    ++i;  // its value, whatever that looks like
  }
  return {};
}

CLI::App* Cli::command(CLI::App* parent, const char* name, const char* help,
                       std::function<int()> act) {
  CLI::App* added = (parent ? parent : &app)->add_subcommand(name, help);
  added->fallthrough();
  added->callback([this, act = std::move(act)] { action = act; });
  return added;
}

CLI::App* Cli::group(const char* name, const char* help) {
  CLI::App* added = app.add_subcommand(name, help);
  added->require_subcommand(1);
  added->fallthrough();
  return added;
}

int failed(const std::string& message) {
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);)
    std::fprintf(stderr, "moongate: %s\n", visible(line).c_str());
  return 1;
}

Result<std::string> absolute_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (error) return fail(Errc::invalid, "\"" + path + "\" is no path: " + error.message());
  return absolute.string();
}

int misused(const std::string& message) {
  constexpr int kUsage = 2;
  failed(message);
  return kUsage;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

namespace {

std::string plainly(const Json& object, const char* member) {
  if (!object.is_object() || !object.contains(member)) return "-";
  const Json& value = object[member];
  if (value.is_null()) return "-";
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    return text.empty() ? "-" : text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_array()) {
    std::string joined;
    for (const Json& item : value)
      joined +=
          (joined.empty() ? "" : ", ") + (item.is_string() ? item.get<std::string>() : dump(item));
    return joined.empty() ? "-" : joined;
  }
  return dump(value);
}

}  // namespace

// Clients and providers wrote much of what is shown: they get no say over a terminal.
std::string shown(const Json& object, const char* member) {
  return visible(plainly(object, member));
}

void print_members(const Json& object) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : object.items())
    if (!value.is_object()) rows.push_back({visible(name), shown(object, name.c_str())});
  print_table(rows);
}

}  // namespace mg::cli
