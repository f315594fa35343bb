#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "cli/cli.h"

namespace mg::cli {
namespace {

constexpr int kUsage = 2;

using SignalHandler = void (*)(int);

// A caller may have closed one of the three standard files. Whatever is opened next would take its
// place, and get what is meant for people. Standard output is one that refuses to be written, so
// that a command still tells that its result was lost.
void hold_standard_files() {
  static constexpr int kAccess[] = {O_RDONLY, O_RDONLY, O_WRONLY};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", kAccess[fd]);
}

// The exit code of a command once its output is out. What it did stays done; but a key that nobody
// was shown is lost, and the caller has to know. A reader that has heard enough is no failure: it
// is the only one that a pipe knows.
int after_output(int code) {
  errno = 0;
  const bool is_lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  const int number = errno;
  struct stat status;
  if (!is_lost || (::fstat(STDOUT_FILENO, &status) == 0 && S_ISFIFO(status.st_mode))) return code;
  failed(std::string("standard output cannot be written") +
         (number == 0 ? "" : std::string(": ") + std::strerror(number)));
  return code == 0 ? 1 : code;
}

// A stream is two sockets, and the usual soft limit of 1024 files is meant for programs that use
// select(). Where the hard limit is as low, connections are refused one by one, and logged.
void raise_open_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

int run(int argc, char** argv, SignalHandler on_hangup) {
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
  if (const std::string wrong = option_without_value(app, argc, argv); !wrong.empty())
    return misused(wrong);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    // --help and --version come this way too, with success.
    return app.exit(stop) == 0 ? 0 : kUsage;
  }
  // `serve` puts a handler of its own in place once it is ready.
  if (!app.got_subcommand("serve")) std::signal(SIGHUP, on_hangup);
  return cli.action ? cli.action() : kUsage;
}

}  // namespace
}  // namespace mg::cli

int main(int argc, char** argv) {
  // A server may be told to read its files anew before it has read them at all.
  const mg::cli::SignalHandler on_hangup = std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);  // a client that is gone is an error of write, not the end of us
  mg::cli::hold_standard_files();
  mg::cli::raise_open_files();
  return mg::cli::after_output(mg::cli::run(argc, argv, on_hangup));
}
