#include "cli/cli.h"

namespace mg::cli {
namespace {

struct Options {
  CLI::App* credit = nullptr;
  std::string tenant, amount, memo, id;
  int64_t count = 50;
};

void print_history(const Json& page) {
  std::vector<std::vector<std::string>> rows = {{"TIME", "KIND", "CHANGE", "WHAT"}};
  for (const Json& item : page["items"]) {
    std::string what = item.contains("request")
                           ? shown(item, "request") + " " + shown(item, "model")
                           : shown(item, "memo");
    rows.push_back({shown(item, "time"), shown(item, "kind"), shown(item, "change"), what});
  }
  print_table(rows);
}

}  // namespace

void add_wallet(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* wallet = cli.group("wallet", "Prepaid money");
  const auto with_tenant = [&](CLI::App* command) {
    command->add_option("--tenant", options->tenant, "Whose wallet")->required();
    return command;
  };

  CLI::App* credit = with_tenant(cli.command(wallet, "credit", "Pay money in", [&cli, options] {
    Json arguments = {{"tenant", options->tenant}, {"amount", options->amount}};
    if (options->credit->count("--memo") > 0) arguments["memo"] = options->memo;
    if (options->credit->count("--id") > 0) arguments["id"] = options->id;
    return run_operation(cli, "wallet.credit", std::move(arguments), print_members);
  }));
  options->credit = credit;
  credit->add_option("--amount", options->amount, "USD, like 10.00")->required();
  credit->add_option("--memo", options->memo, "What it was for");
  credit->add_option("--id", options->id, "The same id pays in once, however often it is sent");

  with_tenant(cli.command(wallet, "show", "Balance, holds and what is available", [&cli, options] {
    return run_operation(cli, "wallet.show", {{"tenant", options->tenant}}, print_members);
  }));
  CLI::App* history =
      with_tenant(cli.command(wallet, "history", "What moved it, newest first", [&cli, options] {
        return run_operation(cli, "wallet.history",
                             {{"tenant", options->tenant}, {"count", options->count}},
                             print_history);
      }));
  history->add_option("--count", options->count, "How many")
      ->transform(decimal<int64_t>(1))
      ->capture_default_str();
}

}  // namespace mg::cli
