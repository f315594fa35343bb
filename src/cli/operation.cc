// Commands against a running server, or against the store itself when none runs.
#include <cstdio>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/patience.h"
#include "cli/run_to_end.h"
#include "control/operations.h"
#include "ledger/ledger.h"
#include "server/config.h"
#include "server/control_socket.h"
#include "server/state_folder.h"

namespace mg::cli {
namespace {

constexpr int64_t kStoreWaitMs = 5000;
// A server that hangs must not hang the script that credits a wallet.
constexpr int64_t kAnswerWaitMs = 30'000;

// Commands whose work grows with what is stored, or with the operator's own scripts.
bool takes_long(std::string_view command) {
  return command == "ledger.backup" || command == "usage" || command == "explain" ||
         command == "reload";
}

// Without a server there are no workers to tell, and nothing to reload.
class NoServer final : public control::Site {
 public:
  explicit NoServer(const server::Config& config) : config_(config) {}
  event::Task<Result<>> publish_directory() override { co_return Result<>(); }
  event::Task<Result<Json>> reload() override {
    co_return fail(Errc::conflict, "no server is running");
  }
  std::vector<control::ChannelView> channels() override {
    std::vector<control::ChannelView> out;
    for (const server::ChannelConfig& channel : config_.channels)
      out.push_back(
          {channel.id, channel.provider, channel.base_url, channel.priority, channel.weight, ""});
    return out;
  }

 private:
  const server::Config& config_;
};

// Errors: conflict, while another process has the store.
Result<std::unique_ptr<ledger::Ledger>> open_ledger(const server::Config& config, Clock& clock) {
  MG_CHECK(server::make_state_folder(config));
  ledger::LedgerOptions options;
  options.directory = config.store();
  return ledger::Ledger::open(std::move(options), clock);
}

Result<Json> run_writing(const server::Config& config, std::unique_ptr<ledger::Ledger> ledger,
                         Clock& clock, const std::string& command, Json arguments) {
  SystemRng rng;
  event::UvLoop loop(clock);
  ledger::InlineLedger driver(*ledger, loop);
  ledger::Client client(*ledger, loop);
  MG_TRY(const auto editor, directory::Editor::open(*ledger, client));
  MG_TRY(control::Vault vault, control::Vault::open(config.master_key));
  NoServer site(config);
  control::RunningBooks books(*ledger, client, *editor);
  const control::Writing writing{client, *editor};
  control::Operations operations({loop, rng, books, vault, site, config.records(), &writing});
  return run_to_end(loop, operations.run(command, std::move(arguments)));
}

// Neither recovers nor writes.
Result<Json> run_reading(const server::Config& config, const std::string& command, Json arguments) {
  MG_TRY(const bool is_stored, server::has_store(config));
  if (!is_stored)
    return fail(Errc::not_found, "there is no store in " + config.state +
                                     " yet: start the server, or create a tenant");
  SystemClock clock;
  SystemRng rng;
  event::UvLoop loop(clock);
  MG_TRY(const auto books, control::RestingBooks::open(config.store()));
  MG_TRY(control::Vault vault, control::Vault::open(config.master_key));
  NoServer site(config);
  control::Operations operations({loop, rng, *books, vault, site, config.records(), nullptr});
  return run_to_end(loop, operations.run(command, std::move(arguments)));
}

// Nothing when no server listens.
Result<std::optional<Json>> run_in_server(event::UvLoop& loop, const server::Config& config,
                                          const std::string& command, const Json& arguments) {
  event::UvSockets sockets(loop);
  const int64_t wait_ms = takes_long(command) ? 0 : kAnswerWaitMs;
  return run_to_end(loop, server::ask_server(loop, sockets, config.control_socket(), command,
                                             arguments, wait_ms));
}

// Who carries a command out: a server, which has answered, or we, with the store if we shall write.
struct Reached {
  Result<std::optional<Json>> answer;
  std::unique_ptr<ledger::Ledger> ledger;
};

// Two commands at a time are a script's everyday: the second waits for the store, or for the server
// that has it and is about to listen.
Result<Json> run_anywhere(const server::Config& config, const std::string& command,
                          const Json& arguments) {
  SystemClock clock;
  event::UvLoop loop(clock);
  const bool reads = control::Operations::effect_of(command) == control::Effect::reads;
  const auto reach = [&]() -> Result<Reached> {
    Reached out{run_in_server(loop, config, command, arguments), nullptr};
    if (!out.answer || *out.answer || reads) return out;
    MG_TRY(out.ledger, open_ledger(config, clock));
    return out;
  };
  MG_TRY(Reached reached, when_free(loop, kStoreWaitMs, reach));
  MG_TRY(std::optional<Json> answer, std::move(reached.answer));
  if (answer) return std::move(*answer);
  if (reads) return run_reading(config, command, arguments);
  return run_writing(config, std::move(reached.ledger), clock, command, arguments);
}

}  // namespace

int run_operation(const Cli& cli, const std::string& command, Json arguments,
                  const Printer& print) {
  const auto config = server::load_config(cli.config, server::process_environment);
  if (!config) return failed(config.error().what);
  set_log_level("warning");
  const Result<Json> result = run_anywhere(*config, command, arguments);
  if (!result) return failed(result.error().what);
  if (cli.json) {
    std::printf("%s\n", dump(*result).c_str());
  } else {
    print(*result);
  }
  return 0;
}

}  // namespace mg::cli
