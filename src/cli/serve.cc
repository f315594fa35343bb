#include "base/log.h"
#include "cli/cli.h"
#include "cli/patience.h"
#include "server/process.h"

namespace mg::cli {
namespace {

constexpr int64_t kStartWaitMs = 2000;

int serve(const Cli& cli) {
  auto config = server::load_config(cli.config, server::process_environment);
  if (!config) return failed(config.error().what);
  set_log_level(config->log_level);
  SystemClock clock;
  server::PrintedAnnouncements announcements;
  event::UvLoop waiting(clock);
  // A command, or the server before us, may be about to give up the store and the addresses.
  auto process = when_free(waiting, kStartWaitMs,
                           [&] { return server::Process::start(*config, clock, announcements); });
  if (!process) return failed(process.error().what);
  (*process)->run();
  return 0;
}

}  // namespace

void add_serve(Cli& cli) {
  cli.command(nullptr, "serve", "Run the gateway", [&cli] { return serve(cli); });
}

}  // namespace mg::cli
