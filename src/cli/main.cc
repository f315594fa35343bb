#include <sys/resource.h>

#include <csignal>

#include "cli/cli.h"

namespace mg::cli {
namespace {

constexpr int kUsage = 2;

// A stream is two sockets, and the usual soft limit of 1024 files is meant for programs that use
// select(). Where the hard limit is as low, connections are refused one by one, and logged.
void raise_open_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int run(int argc, char** argv) {
  CLI::App app("Moongate, an AI token gateway: one endpoint in front of every model provider.",
               "moongate");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "moongate " MOONGATE_VERSION);
  Cli cli{app, "moongate.lua", false, {}};
  app.add_option("--config", cli.config, "Configuration file")->capture_default_str();
  app.add_flag("--json", cli.json, "Print one compact JSON value instead of text");
  for (const auto add :
       {add_serve, add_demo, add_check, add_tenant, add_wallet, add_key, add_secret, add_channel,
        add_policy, add_reload, add_ledger, add_usage, add_explain, add_lab, add_load})
    add(cli);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    // --help and --version come this way too, with success.
    return app.exit(stop) == 0 ? 0 : kUsage;
  }
  return cli.action ? cli.action() : kUsage;
}

}  // namespace
}  // namespace mg::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that is gone is an error of write, not the end of us
  mg::cli::raise_open_files();
  return mg::cli::run(argc, argv);
}
