// The ledger put together: the store, the book that judges, the committer that makes it last. Open
// it once per process; then let exactly one of two drivers run it:
//
//   LedgerThreads   in production: the committer on a thread of its own, the book on whichever
//                   thread sends to it, one at a time
//   InlineLedger    both on the caller's loop, for commands without a server, and for simulation
//
// and give each loop a Client (client.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "event/loop.h"
#include "ledger/commit_queue.h"
#include "ledger/disk.h"
#include "ledger/reader.h"
#include "ledger/types.h"
#include "ledger/wallet_view.h"

namespace mg::store {
class Env;
}

namespace mg::ledger {

class Engine;

struct LedgerOptions {
  std::string directory;  // made if it is not there; its parent must be
  size_t map_bytes = limits::map_bytes;
  uint64_t disk_low_bytes = limits::disk_low_bytes;
  uint64_t ballast_bytes = limits::ballast_bytes;
  uint64_t replay_records_goal = limits::replay_records_goal;
  size_t backlog_bytes_max = limits::commit_backlog_bytes_max;
  // Under load a commit begins this long after the one before began (LedgerThreads only).
  int64_t commit_spacing_us = limits::commit_spacing_us;
  // Seams; what is left empty is the real thing.
  FreeSpace* free_space = nullptr;  // lives as long as the ledger
  std::function<std::unique_ptr<CommitQueue>(std::unique_ptr<CommitQueue>)> wrap_commits;
};

struct LedgerStatus {
  Seq ordered = 0;  // the last number given
  Seq durable = 0;
  uint64_t epoch = 0;     // counts the starts of this store
  bool poisoned = false;  // a commit failed: no money moves until the next start
  bool disk_low = false;  // new holds are refused, settlements go on
  size_t accounts = 0;
  size_t open_holds = 0;
  size_t backlog_bytes = 0;  // ordered, not yet handed to a commit
  uint64_t commits = 0;
  int64_t commit_ns = 0;  // all of them together
  size_t holds_posted_at_start = 0;
  size_t holds_voided_at_start = 0;
  bool takes_holds() const { return !poisoned && !disk_low; }
};

class Ledger {
 public:
  // Takes the store's lock, loads and replays, and closes the request holds of processes before
  // this one. Errors: conflict, when another process has the store; invalid, when it is damaged or
  // of another format; io, unavailable.
  static Result<std::unique_ptr<Ledger>> open(LedgerOptions options, Clock& clock);
  // After its driver and every client. Commits nothing more.
  ~Ledger();
  Ledger(const Ledger&) = delete;

  // Any thread.
  LedgerStatus status() const;
  JournalReader journal();
  std::shared_ptr<const WalletView> wallet_view(const AccountName& wallet);

  // The durable records of a table, by rising key, until visit returns false. The views are valid
  // during the visit. Any thread; a short read transaction. Errors: invalid (damaged), io.
  Result<> each_record(
      std::string_view table,
      const std::function<bool(std::string_view key, std::string_view value)>& visit);
  Result<std::optional<std::string>> record(std::string_view table, std::string_view key);

  // A compact copy of the durable state into a directory that does not exist yet, while the ledger
  // runs. The copy is a store of its own and verifies. Any thread. Errors: conflict, io.
  Result<> backup(const std::string& directory);

  // Frees what died readers of other processes left behind; call it now and then, on any thread.
  Result<size_t> clear_dead_readers();

  // For clients and drivers.
  Engine& engine() { return *engine_; }

 private:
  explicit Ledger(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

// The book has no thread: a round is a few microseconds, and waking a thread for it, and being
// woken by it, would cost ten times that. Whoever sends a command takes the book if nobody has it
// and judges what waits; else the one who has it judges that as well. The destructor lets the
// committer finish what was sent, and joins it.
class LedgerThreads {
 public:
  explicit LedgerThreads(Ledger& ledger);
  ~LedgerThreads();
  LedgerThreads(const LedgerThreads&) = delete;

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

// One step of each per turn of the loop, for as long as there is something to do. The destructor
// stops where it stands, like a process that dies.
class InlineLedger {
 public:
  InlineLedger(Ledger& ledger, event::Loop& loop);
  ~InlineLedger();
  InlineLedger(const InlineLedger&) = delete;

 private:
  struct Step;
  std::unique_ptr<Step> step_;
};

}  // namespace mg::ledger
