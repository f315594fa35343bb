// How many holds and charges a second, and what each costs: one worker on a real loop, the ledger
// on its threads, a real disk; then how fast the journal is proved and replayed. Not a test: it
// prints.
//   cpu ns    processor time of all threads per hold and charge, commits and their syncs included
//   user ns   the part of it outside the kernel
//   allocs    calls of operator new per hold and charge, in all threads
//   ledger_bench [directory] [seconds per row]
#include <sys/resource.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "event/uv_loop.h"
#include "ledger/audit.h"
#include "ledger/client.h"
#include "ledger/ledger.h"

using namespace mg;
using namespace mg::ledger;

static std::atomic<uint64_t> allocations{0};

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

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

int64_t cpu_ns(int who = RUSAGE_SELF) {
  rusage usage;
  ::getrusage(who, &usage);
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
    const uint64_t began_allocations = allocations;
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
    const uint64_t allocated = (allocations - began_allocations) * 10 / run.pairs;
    std::printf("%-8s %6d %10ld %10ld %10ld %12ld %8ld %10ld %6lu.%lu\n",
                waits == Waits::durable ? "strict" : "relaxed", outstanding, n * kNsPerS / wall_ns,
                used_cpu / n, used_user / n, run.latency_ns / n / 1000,
                commits == 0 ? 0 : 2 * n / commits,
                commits == 0 ? 0 : (after.commit_ns - before.commit_ns) / commits / 1000,
                allocated / 10, allocated % 10);
    std::fflush(stdout);
    loop.cancel_spawned();
  }
  threads.reset();
  ledger.reset();
}

// What the last run left: proved from the first record, and opened again.
void measure_reading(const std::string& parent) {
  SystemClock clock;
  AuditOptions options;
  options.directory = parent + "/ledger-bench";
  int64_t began_ns = clock.monotonic_ns();
  const auto report = audit(options);
  if (!report || report->verdict != AuditReport::Verdict::clean) std::abort();
  const int64_t audit_ns = clock.monotonic_ns() - began_ns;
  const int64_t audit_cpu_ns = cpu_ns(RUSAGE_CHILDREN);
  LedgerOptions ledger_options;
  ledger_options.directory = options.directory;
  began_ns = clock.monotonic_ns();
  auto ledger = Ledger::open(ledger_options, clock);
  if (!ledger) std::abort();
  const int64_t open_ns = clock.monotonic_ns() - began_ns;
  ledger->reset();
  const auto bytes = std::filesystem::file_size(options.directory + "/data.mdb");
  const auto per_s = [&](int64_t ns) { return static_cast<int64_t>(report->last) * kNsPerS / ns; };
  std::printf("audit: %lu records in %ld ms, %ld a second, %ld a second of processor time\n",
              report->last, audit_ns / kNsPerMs, per_s(audit_ns), per_s(audit_cpu_ns));
  std::printf("start: %ld ms; %lu bytes a record\n", open_ns / kNsPerMs,
              static_cast<uint64_t>(bytes) / report->last);
  std::filesystem::remove_all(options.directory);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string parent = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const int64_t seconds = argc > 2 ? std::atoll(argv[2]) : 3;
  std::printf("%-8s %6s %10s %10s %10s %12s %8s %10s %8s\n", "waits", "open", "pairs/s", "cpu ns",
              "user ns", "latency us", "batch", "commit us", "allocs");
  for (const Waits waits : {Waits::durable, Waits::ordered})
    for (const int outstanding : {1, 16, 64, 500}) measure(parent, outstanding, waits, seconds);
  measure_reading(parent);
}
