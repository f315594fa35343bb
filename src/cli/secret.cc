#include <iostream>

#include "cli/cli.h"

namespace mg::cli {
namespace {

// The first line of standard input: secrets never stand on a command line, where others see them.
std::string line_from_input() {
  std::string line;
  std::getline(std::cin, line);
  return line;
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
        return run_operation(cli, "secret.set", {{"name", *name}, {"value", line_from_input()}},
                             print_members);
      });
  set->add_option("NAME", *name, "Referred to as secret:NAME in a channel's credential")
      ->required();
  cli.command(secret, "list", "List names, never values",
              [&cli] { return run_operation(cli, "secret.list", Json::object(), print_list); });
  cli.command(secret, "rotate-master",
              "Seal everything under a new master key, read from standard input", [&cli] {
                return run_operation(cli, "secret.rotate-master", {{"value", line_from_input()}},
                                     print_members);
              });
}

}  // namespace mg::cli
