#include <unistd.h>

#include <iostream>
#include <iterator>

#include "cli/cli.h"

namespace mg::cli {
namespace {

// Standard input: secrets never stand on a command line, where others see them. A file that holds
// more than the one line is probably another file than was meant, so it is not cut.
Result<std::string> value_from_input() {
  std::string text;
  if (isatty(STDIN_FILENO)) {
    std::getline(std::cin, text);
  } else {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (text.ends_with('\n')) text.pop_back();
  }
  if (text.empty())
    return fail(Errc::invalid, "the value is read from standard input, and nothing came");
  if (text.find('\n') != std::string::npos)
    return fail(Errc::invalid, "standard input has more than one line, and the value is one");
  return text;
}

int run_with_value(const Cli& cli, const char* operation, Json arguments) {
  const Result<std::string> value = value_from_input();
  if (!value) return failed(value.error().what);
  arguments["value"] = *value;
  return run_operation(cli, operation, std::move(arguments), print_members);
}

void print_list(const Json& list) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "SET", "MASTER KEY"}};
  for (const Json& secret : list)
    rows.push_back({shown(secret, "name"), shown(secret, "set"), shown(secret, "master_key")});
  print_table(rows);
}

}  // namespace

void add_secret(Cli& cli) {
  const auto name = std::make_shared<std::string>();
  CLI::App* secret = cli.group("secret", "Credentials for providers, sealed under the master key");
  CLI::App* set =
      cli.command(secret, "set", "Store a secret, read from standard input", [&cli, name] {
        return run_with_value(cli, "secret.set", {{"name", *name}});
      });
  set->add_option("NAME", *name, "Referred to as secret:NAME in a channel's credential")
      ->required();
  cli.command(secret, "list", "List names, never values",
              [&cli] { return run_operation(cli, "secret.list", Json::object(), print_list); });
  cli.command(secret, "rotate-master",
              "Seal everything under a new master key, read from standard input",
              [&cli] { return run_with_value(cli, "secret.rotate-master", Json::object()); });
}

}  // namespace mg::cli
