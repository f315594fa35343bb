#include "lab/load.h"

#include <cstdio>
#include <cstdlib>

#include "base/rng.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/run_to_end.h"
#include "control/books.h"
#include "event/file_watch.h"
#include "event/tcp.h"
#include "gateway/caller.h"
#include "lab/booked.h"
#include "lab/comparison.h"
#include "server/config.h"
#include "tls/credentials.h"

namespace mg::cli {
namespace {

// Clients that hung up are settled a moment later than the last answer ends. Other differences time
// does not mend.
constexpr int64_t kSettleMs = 10'000;
constexpr int64_t kSettleStepMs = 100;

struct Options {
  lab::LoadOptions load;
  std::string models, ca;
  std::vector<std::string> metadata;
  bool is_ledger_left_out = false;
  bool has_idempotency_keys = false;
};

constexpr const char* kNotServed = "no request was answered; the errors stand above";

struct Outcome {
  std::vector<lab::Told> told;
  std::string run_json;
  bool is_served = false;  // some request got an answer
};

Result<lab::LoadOptions> read(const Options& options) {
  lab::LoadOptions out = options.load;
  if (out.key.empty())
    if (const auto key = server::process_environment("MOONGATE_API_KEY")) out.key = *key;
  if (!options.models.empty()) {
    out.models.clear();
    for (std::string_view model : split(options.models, ','))
      out.models.emplace_back(trimmed(model));
  }
  for (const std::string& pair : options.metadata) {
    const size_t at = pair.find('=');
    if (at == std::string::npos || at == 0)
      return fail(Errc::invalid, "--metadata takes NAME=VALUE, not " + pair);
    out.metadata.emplace_back(pair.substr(0, at), pair.substr(at + 1));
  }
  if (options.has_idempotency_keys)
    out.idempotency_keys = lab::LoadOptions::IdempotencyKeys::one_each;
  MG_CHECK(lab::check(out));
  return out;
}

Result<> load_trust(const Options& options, lab::LoadOptions& out) {
  if (!out.url.starts_with("https:")) return {};
  const std::string authorities =
      options.ca.empty() ? std::string(tls::kSystemTrustFile) : options.ca;
  MG_TRY(out.trust, tls::TrustStore::load(authorities));
  return {};
}

event::Task<Result<Outcome>> run_load(event::Loop& loop, event::Sockets& sockets,
                                      event::Resolver& resolver, lab::LoadOptions options) {
  const auto show = [](const lab::Progress& progress) {
    std::fprintf(stderr, "%s\n", to_line(progress).c_str());
  };
  MG_CO_TRY(const auto load, lab::Load::make(loop, sockets, resolver, std::move(options), show));
  co_await load->run();
  const lab::Progress& progress = load->progress();
  co_return Outcome{load->told(), to_json(progress), progress.complete + progress.hung_up > 0};
}

// The id of the key, if the store knows it.
Result<std::optional<Id>> key_id(control::Books& books, const std::string& secret, int64_t now_ms) {
  const auto key = books.directory()->find_key(gateway::secret_digest(secret), now_ms);
  if (!key) return fail(Errc::not_found, "the store does not know this key: is --config right?");
  return std::optional<Id>(key->id);
}

// Reads the store beside the running server. Everything is settled soon after the last answer;
// what still differs then is a difference.
event::Task<Result<lab::Comparison>> compare(event::UvLoop& loop, std::string store,
                                             const Outcome& outcome, std::string key,
                                             int64_t from_ms) {
  MG_CO_TRY(const auto books, control::RestingBooks::open(store));
  MG_CO_TRY(const std::optional<Id> id, key_id(*books, key, loop.clock().wall_ms()));
  ledger::JournalReader journal = books->journal();
  const lab::BookedSource source = lab::journal_source(journal, from_ms, id);
  for (int64_t waited_ms = 0;; waited_ms += kSettleStepMs) {
    Result<lab::Comparison> comparison = lab::compare(outcome.told, source);
    const bool may_mend =
        comparison && (comparison->open_holds > 0 || comparison->told_not_booked > 0);
    if (!may_mend || waited_ms >= kSettleMs) co_return comparison;
    co_await event::sleep_ms(loop, kSettleStepMs);
  }
}

void print(const Cli& cli, const Outcome& outcome, const lab::Comparison* comparison) {
  if (cli.json) {
    std::printf("{\"run\":%s,\"ledger\":%s}\n", outcome.run_json.c_str(),
                comparison ? to_json(*comparison).c_str() : "null");
  } else if (comparison) {
    std::printf("%s", to_text(*comparison).c_str());
  }
}

int load(const Cli& cli, const Options& options) {
  auto wanted = read(options);
  if (!wanted) return misused(wanted.error().what);
  if (const auto trusted = load_trust(options, *wanted); !trusted)
    return failed(trusted.error().what);
  std::string store;
  if (!options.is_ledger_left_out) {
    const auto config = server::load_config(cli.config, server::process_environment);
    if (!config)
      return failed(config.error().what +
                    "\nname the gateway's configuration with --config, or say --no-ledger");
    store = config->store();
  }
  const std::string key = wanted->key;
  SystemClock clock;
  event::UvLoop loop(clock);
  event::UvSockets sockets(loop);
  const auto lookup = event::make_ares_lookup(loop, {});
  if (!lookup) return failed(lookup.error().what);
  event::CachingResolver resolver(loop, **lookup);
  const int64_t from_ms = clock.wall_ms();
  const auto outcome = run_to_end(loop, run_load(loop, sockets, resolver, std::move(*wanted)));
  if (!outcome) return failed(outcome.error().what);
  if (store.empty()) {
    print(cli, *outcome, nullptr);
    return outcome->is_served ? 0 : failed(kNotServed);
  }
  // A loop of its own: the first one has stopped.
  event::UvLoop reading(clock);
  const auto comparison = run_to_end(reading, compare(reading, store, *outcome, key, from_ms));
  if (!comparison) return failed(comparison.error().what);
  print(cli, *outcome, &*comparison);
  if (!comparison->verdict()) return failed("the ledger and what clients were told differ");
  return outcome->is_served ? 0 : failed(kNotServed);
}

}  // namespace

void add_load(Cli& cli) {
  const auto options = std::make_shared<Options>();
  lab::LoadOptions& load = options->load;
  CLI::App* added = cli.command(
      nullptr, "load", "Drive a gateway, and compare what clients were told with its ledger",
      [&cli, options] { return mg::cli::load(cli, *options); });
  const CLI::Validator count = decimal<int64_t>();
  added->add_option("--url", load.url, "Base URL")->capture_default_str();
  added->add_option("--key", load.key, "API key; default: the environment's MOONGATE_API_KEY");
  added->add_option("--models", options->models, "Models to ask for in turn: a,b");
  added->add_option("--requests", load.requests, "How many in all")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--duration-ms", load.duration_ms, "Begin none after this time")
      ->transform(count);
  added->add_option("--concurrency", load.concurrency, "Clients at once")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--streams", load.stream_percent, "Percent of requests that are streamed")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--hang-ups", load.hang_up_percent, "Percent of clients that leave early")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--prompt-tokens", load.prompt_tokens, "Length of the prompts")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--max-tokens", load.max_tokens, "Asked for in each request")->transform(count);
  added
      ->add_option("--metadata", options->metadata,
                   "NAME=VALUE for the requests' metadata, such as x-lab-fault=stall")
      ->take_all();
  added->add_option("--think-ms", load.think_ms, "Pause between the requests of a client")
      ->transform(count);
  added->add_option("--seed", load.seed, "The same seed asks the same")
      ->transform(decimal<uint64_t>())
      ->capture_default_str();
  added->add_flag("--idempotency-keys", options->has_idempotency_keys, "Give each request one");
  added->add_option("--timeout-ms", load.timeout_ms, "Without anything coming")
      ->transform(count)
      ->capture_default_str();
  added->add_option("--ca", options->ca, "Certificates to trust, for https");
  added->add_flag("--no-ledger", options->is_ledger_left_out,
                  "Compare nothing: the store is not on this machine");
}

}  // namespace mg::cli
