#include "ledger/ledger.h"

#include <thread>

#include "base/thread_name.h"
#include "ledger/engine.h"
#include "ledger/rows.h"
#include "store/codec.h"
#include "store/txn.h"

namespace mg::ledger {
Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options, Clock& clock) {
  store::EnvOptions store_options;
  store_options.directory = options.directory;
  store_options.access = store::Access::read_write;
  store_options.tables = store_tables();
  store_options.map_bytes = options.map_bytes;
  MG_TRY(auto env, store::Env::open(store_options));
  auto engine = std::make_unique<Engine>(std::move(options), clock, std::move(env));
  MG_CHECK(engine->start());
  return std::unique_ptr<Ledger>(new Ledger(std::move(engine)));
}

Ledger::Ledger(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Ledger::~Ledger() = default;

LedgerStatus Ledger::status() const { return engine_->status(); }
JournalReader Ledger::journal() { return JournalReader(engine_->env()); }
Result<> Ledger::backup(const std::string& directory) { return engine_->env().copy_to(directory); }
Result<size_t> Ledger::clear_dead_readers() { return engine_->env().clear_dead_readers(); }

std::shared_ptr<const WalletView> Ledger::wallet_view(const AccountName& wallet) {
  return engine_->views().of(wallet);
}

Result<> Ledger::each_record(std::string_view table, const RecordVisit& visit) {
  return ledger::each_record(engine_->env(), table, visit);
}

Result<std::optional<std::string>> Ledger::record(std::string_view table, std::string_view key) {
  return ledger::record(engine_->env(), table, key);
}

// ---- the drivers

struct LedgerThreads::Threads {
  explicit Threads(Engine& e) : engine(e) {}

  void run_committer() {
    name_this_thread("committer");
    for (;;) {
      const bool last_look = committer_stops.load();
      const int64_t began_ns = engine.clock().monotonic_ns();
      if (engine.committer_step()) {
        rest(began_ns);
        continue;
      }
      if (last_look) return;
      committer_bell.wait();
    }
  }
  // A commit costs the same for one record as for a hundred: under load, those that come within
  // the spacing share the next. After a pause nobody waits, and a slow disk sets its own pace.
  void rest(int64_t began_ns) {
    const int64_t spent_ns = engine.clock().monotonic_ns() - began_ns;
    stop_bell.wait_at_most_ns(engine.commit_spacing_ns() - spent_ns);
  }

  Engine& engine;
  Doorbell committer_bell;
  Doorbell stop_bell;  // ends the committer's rest
  std::atomic<bool> committer_stops{false};
  std::thread committer;
};

LedgerThreads::LedgerThreads(Ledger& ledger)
    : threads_(std::make_unique<Threads>(ledger.engine())) {
  Threads* threads = threads_.get();
  threads->engine.set_rings([threads] { threads->engine.judge(); },
                            [threads] { threads->committer_bell.ring(); });
  threads->engine.judge();
  threads->committer = std::thread([threads] { threads->run_committer(); });
  threads->engine.start_commit();
}

LedgerThreads::~LedgerThreads() {
  threads_->engine.judge();
  threads_->committer_stops.store(true);
  threads_->stop_bell.ring();
  threads_->committer_bell.ring();
  threads_->committer.join();
  threads_->engine.set_rings([] {}, [] {});
}

struct InlineLedger::Step final : event::Deferred {
  Step(Engine& e, event::Loop& l) : engine(e), loop(l) {}
  void run() override {
    const bool judged = engine.book_step();
    const bool committed = engine.committer_step();
    if (judged || committed) ring();
  }
  void ring() {
    if (!is_linked()) loop.defer(*this);
  }
  Engine& engine;
  event::Loop& loop;
};

InlineLedger::InlineLedger(Ledger& ledger, event::Loop& loop)
    : step_(std::make_unique<Step>(ledger.engine(), loop)) {
  Step* step = step_.get();
  step->engine.set_rings([step] { step->ring(); }, [step] { step->ring(); });
  step->ring();
}

InlineLedger::~InlineLedger() {
  step_->engine.set_rings([] {}, [] {});
}

}  // namespace mg::ledger
