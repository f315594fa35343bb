// How many holds and charges a second, and what each costs: one worker on a real loop, the ledger on
// its threads, a real disk. Not a test: it prints a table.
//   ledger_bench [directory] [seconds per row]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "event/uv_loop.h"
#include "ledger/client.h"
#include "ledger/ledger.h"

using namespace mg;
using namespace mg::ledger;

namespace {

enum class Waits : uint8_t {
  ordered,  // as durability = "relaxed": for the answers only
  durable,  // as "strict": for hold and charge to be on disk
};

struct Run {
  Client* client;
  event::UvLoop* loop;
  Clock* clock;
  Rng* rng;
  AccountName wallet;
  Id tenant, key;
  Waits waits;
  int64_t end_ns;
  int running = 0;
  uint64_t pairs = 0;
  int64_t latency_ns = 0;
};

event::Task<> pairs(Run* run) {
  PriceLine lines[3];
  const char* meters[] = {"input", "cached_input", "output"};
  for (int i = 0; i < 3; ++i) {
    lines[i].meter = meters[i];
    lines[i].units = 100 + i;
    lines[i].rate = *Rate::picos(2'500'000);
    lines[i].charge = *charge_for(lines[i].units, lines[i].rate, {});
  }
  Settlement settlement;
  settlement.lines = lines;
  settlement.cost = Money::nanos(500'000);
  settlement.provider = "openai";
  settlement.channel = "openai-main";
  settlement.model = "gpt-4o";
  settlement.upstream_model = "gpt-4o-2024-11-20";
  while (run->clock->monotonic_ns() < run->end_ns) {
    const int64_t began = run->clock->monotonic_ns();
    HoldRequest request;
    request.request = Id::make(*run->clock, *run->rng);
    request.tenant = run->tenant;
    request.key = run->key;
    request.wallets.push_back({run->wallet, Money::nanos(2'000'000)});
    HoldAwaiter asking = run->client->hold(request);
    Result<HoldOutcome> outcome = co_await asking;
    if (!outcome || !std::holds_alternative<Hold>(*outcome)) std::abort();
    Hold hold = std::move(std::get<Hold>(*outcome));
    if (run->waits == Waits::durable) {
      DurableAwaiter gate = hold.durable();
      const Result<> lasting = co_await gate;
      if (!lasting) std::abort();
    }
    ResolveAwaiter posting = std::move(hold).post(settlement);
    const Result<Receipt> receipt = co_await posting;
    if (!receipt) std::abort();
    if (run->waits == Waits::durable) {
      DurableAwaiter gate = run->client->durable(receipt->seq);
      const Result<> lasting = co_await gate;
      if (!lasting) std::abort();
    }
    run->latency_ns += run->clock->monotonic_ns() - began;
    ++run->pairs;
  }
  if (--run->running == 0) run->loop->stop();
}

int64_t cpu_ns() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ns = [](const timeval& t) { return t.tv_sec * kNsPerS + t.tv_usec * 1000; };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

int64_t user_ns() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec * kNsPerS + usage.ru_utime.tv_usec * 1000;
}

event::Task<> fund(Client* client, event::UvLoop* loop, TransferRequest request) {
  event::Task<Result<TransferOutcome>> moving = client->transfer(request);
  const Result<TransferOutcome> outcome = co_await std::move(moving);
  if (!outcome) std::abort();
  loop->stop();
}

void measure(const std::string& parent, int outstanding, Waits waits, int64_t seconds) {
  const std::string directory = parent + "/ledger-bench";
  std::filesystem::remove_all(directory);
  SystemClock clock;
  SystemRng rng;
  LedgerOptions options;
  options.directory = directory;
  auto ledger = std::move(*Ledger::open(options, clock));
  auto threads = std::make_unique<LedgerThreads>(*ledger);
  event::UvLoop loop(clock);
  Run run;
  {
    Client client(*ledger, loop);
    run.client = &client;
    run.loop = &loop;
    run.clock = &clock;
    run.rng = &rng;
    run.tenant = Id::make(clock, rng);
    run.key = Id::make(clock, rng);
    const Id platform = Id::make(clock, rng);
    run.wallet = AccountName::wallet_of(platform, run.tenant);
    run.waits = waits;
    TransferRequest credit;
    credit.debit = AccountName::funding_from(platform, "operator");
    credit.credit = run.wallet;
    credit.amount = Money::nanos(1'000'000'000'000'000'000);
    loop.spawn(fund(&client, &loop, credit));
    loop.run();

    const LedgerStatus before = ledger->status();
    const int64_t began_ns = clock.monotonic_ns();
    const int64_t began_cpu = cpu_ns();
    const int64_t began_user = user_ns();
    run.end_ns = began_ns + seconds * kNsPerS;
    run.running = outstanding;
    for (int i = 0; i < outstanding; ++i) loop.spawn(pairs(&run));
    loop.run();
    const int64_t wall_ns = clock.monotonic_ns() - began_ns;
    const int64_t used_cpu = cpu_ns() - began_cpu;
    const int64_t used_user = user_ns() - began_user;
    const LedgerStatus after = ledger->status();
    const auto n = static_cast<int64_t>(run.pairs);
    const auto commits = static_cast<int64_t>(after.commits - before.commits);
    std::printf("%-8s %6d %10ld %10ld %10ld %12ld %8ld %10ld\n",
                waits == Waits::durable ? "strict" : "relaxed", outstanding,
                n * kNsPerS / wall_ns, used_cpu / n, used_user / n, run.latency_ns / n / 1000,
                commits == 0 ? 0 : 2 * n / commits,
                commits == 0 ? 0 : (after.commit_ns - before.commit_ns) / commits / 1000);
    std::fflush(stdout);
    loop.cancel_spawned();
  }
  threads.reset();
  ledger.reset();
  std::filesystem::remove_all(directory);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string parent = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const int64_t seconds = argc > 2 ? std::atoll(argv[2]) : 3;
  std::printf("%-8s %6s %10s %10s %10s %12s %8s %10s\n", "waits", "open", "pairs/s", "cpu ns",
              "user ns", "latency us", "batch", "commit us");
  for (const Waits waits : {Waits::durable, Waits::ordered})
    for (const int outstanding : {1, 16, 64, 500}) measure(parent, outstanding, waits, seconds);
}
