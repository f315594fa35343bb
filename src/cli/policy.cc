#include <cstdio>

#include "api/policies.h"
#include "cli/cli.h"
#include "server/config.h"

namespace mg::cli {
namespace {

int check(const Cli& cli, const std::string& directory) {
  std::string scripts = directory;
  std::string data;
  if (scripts.empty()) {
    const auto config = server::load_config(cli.config, server::process_environment);
    if (!config) return failed(config.error().what);
    scripts = config->scripts;
    data = config->data;
  }
  const auto tree = script::read_source_tree(scripts, data);
  if (!tree) return failed(tree.error().what);
  const script::BuildResult built = api::build_policies(*tree, 1);
  if (cli.json) {
    Json problems = Json::array();
    for (const script::Problem& problem : built.problems)
      problems.push_back({{"file", problem.file}, {"line", problem.line}, {"what", problem.what}});
    std::printf(
        "%s\n",
        dump(Json{{"ok", built.bundle != nullptr}, {"problems", std::move(problems)}}).c_str());
  } else if (built.bundle) {
    std::printf("ok: %zu modules\n", built.bundle->modules().size());
  }
  return built.bundle ? 0 : failed(built.text());
}

}  // namespace

void add_policy(Cli& cli) {
  const auto directory = std::make_shared<std::string>();
  CLI::App* policy = cli.group("policy", "The scripts that decide");
  CLI::App* added =
      cli.command(policy, "check", "Compile scripts, check their conf, run their selftests",
                  [&cli, directory] { return check(cli, *directory); });
  added->add_option("DIR", *directory, "A scripts folder; by default the configuration's");
}

}  // namespace mg::cli
