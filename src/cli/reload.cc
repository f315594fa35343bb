#include "cli/cli.h"

namespace mg::cli {

void add_reload(Cli& cli) {
  cli.command(nullptr, "reload", "Have the server read scripts and data now",
              [&cli] { return run_operation(cli, "reload", Json::object(), print_members); });
}

}  // namespace mg::cli
