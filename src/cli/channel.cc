#include "cli/cli.h"

namespace mg::cli {
namespace {

void print_list(const Json& list) {
  std::vector<std::vector<std::string>> rows = {
      {"ID", "PROVIDER", "PRIORITY", "WEIGHT", "ENABLED", "BREAKER"}};
  for (const Json& channel : list)
    rows.push_back({shown(channel, "id"), shown(channel, "provider"), shown(channel, "priority"),
                    shown(channel, "weight"), shown(channel, "enabled"),
                    shown(channel, "breaker")});
  print_table(rows);
}

}  // namespace

void add_channel(Cli& cli) {
  const auto id = std::make_shared<std::string>();
  CLI::App* channel = cli.group("channel", "Ways to providers");
  cli.command(channel, "list", "List the channels of the configuration",
              [&cli] { return run_operation(cli, "channel.list", Json::object(), print_list); });
  for (const bool enable : {true, false}) {
    CLI::App* added =
        cli.command(channel, enable ? "enable" : "disable",
                    enable ? "Use the channel again" : "Send nothing to the channel, from now on",
                    [&cli, id, enable] {
                      return run_operation(cli, enable ? "channel.enable" : "channel.disable",
                                           {{"id", *id}}, print_members);
                    });
    added->add_option("ID", *id, "The channel")->required();
  }
}

}  // namespace mg::cli
