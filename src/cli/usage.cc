#include "cli/cli.h"

namespace mg::cli {
namespace {

std::string units_of(const Json& row) {
  std::string out;
  for (const auto& [meter, units] : row["units"].items())
    out += (out.empty() ? "" : " ") + meter + "=" + dump(units);
  return out.empty() ? "-" : out;
}

void print_usage(const Json& usage) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "REQUESTS", "CHARGED", "COST", "UNITS"}};
  const auto add = [&](const Json& row) {
    rows.push_back({shown(row, "name"), shown(row, "requests"), shown(row, "charge"),
                    shown(row, "cost"), units_of(row)});
  };
  for (const Json& row : usage["rows"]) add(row);
  add(usage["total"]);
  print_table(rows);
}

struct Options {
  std::string by = "model", since = "24h";
};

}  // namespace

void add_usage(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* usage = cli.command(nullptr, "usage", "What was used and charged", [&cli, options] {
    return run_operation(cli, "usage", {{"by", options->by}, {"since", options->since}},
                         print_usage);
  });
  usage->add_option("--by", options->by, "What a row is of")
      ->check(CLI::IsMember({"model", "tenant", "key", "channel", "hour"}))
      ->capture_default_str();
  usage->add_option("--since", options->since, "24h, or 2026-11-21T00:00:00Z")
      ->capture_default_str();
}

}  // namespace mg::cli
