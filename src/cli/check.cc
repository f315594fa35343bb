#include <cstdio>

#include "base/label.h"
#include "cli/cli.h"
#include "server/check.h"
#include "server/config.h"

namespace mg::cli {

// Everything that `serve` would complain about, without serving.
void add_check(Cli& cli) {
  cli.command(nullptr, "check", "Check the configuration, scripts, data and channels", [&cli] {
    const auto config = server::load_config(cli.config, server::process_environment);
    if (!config) return failed(config.error().what);
    const server::CheckReport report = server::check(*config);
    if (cli.json) {
      Json json = {{"ok", report.problems.empty()},
                   {"problems", report.problems},
                   {"warnings", report.warnings},
                   {"channels", report.channels},
                   {"callable_models", report.callable_models}};
      std::printf("%s\n", dump(json).c_str());
    } else {
      for (const std::string& warning : report.warnings)
        std::printf("warning: %s\n", visible(warning).c_str());
      if (report.problems.empty())
        std::printf("ok: %zu channels, %zu callable models\n", report.channels,
                    report.callable_models);
    }
    std::string all;
    for (const std::string& problem : report.problems) all += problem + "\n";
    return report.problems.empty() ? 0 : failed(all);
  });
}

}  // namespace mg::cli
