// The parts of the ledger and how they are joined; ledger.h is the outside of it. Internal.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "event/mailbox.h"
#include "ledger/book.h"
#include "ledger/committer.h"
#include "ledger/disk.h"
#include "ledger/ledger.h"
#include "ledger/port.h"
#include "ledger/recovery.h"
#include "ledger/store_commits.h"

namespace mg::ledger {

// Where one thread sleeps until another rings. A ring before the sleep is remembered.
class Doorbell {
 public:
  void ring();
  void wait();
  // Until somebody rings or the time has passed; not at all where it is not positive. A ring stays
  // remembered.
  void wait_at_most_ns(int64_t ns);

 private:
  std::mutex mutex_;
  std::condition_variable rung_cv_;
  bool rung_ = false;
};

class Engine {
 public:
  Engine(LedgerOptions options, Clock& clock, std::unique_ptr<store::Env> env);
  ~Engine();
  // Loads, replays and opens a new epoch, whose first commit it makes.
  Result<> start();

  // ---- for the drivers: who rings when there is something to do. Set before any client sends.
  void set_rings(std::function<void()> ring_book, std::function<void()> ring_committer);
  // One round of the book, if anything waits. False if not. For a driver with one thread.
  bool book_step();
  // Rounds of the book until nothing waits, on the calling thread, whichever it is. While another
  // thread is at it this returns at once, and that one takes what waits here as well.
  void judge();
  // Has what was judged committed. Apart from judging, so that a worker first sends what its
  // answers let it send: the thread this wakes may take its processor.
  void start_commit();
  bool committer_step() { return committer_->step(); }
  // Between the beginnings of two commits, where the driver can wait.
  int64_t commit_spacing_ns() const { return options_.commit_spacing_us * 1000; }
  Clock& clock() { return clock_; }

  // ---- for clients
  event::Mailbox<Command*>& inbox() { return inbox_; }
  Port* add_port(std::unique_ptr<Port> port);
  const Progress& progress() const { return progress_; }
  WalletViews& views() { return views_; }

  store::Env& env() { return *env_; }
  LedgerStatus status();

 private:
  // A commit has ended: wakes every client that waits for it.
  void on_progress();
  void remove_port(Port* port);

  Clock& clock_;
  const LedgerOptions options_;
  std::unique_ptr<store::Env> env_;
  StatvfsSpace statvfs_;
  std::unique_ptr<CommitQueue> queue_;
  DiskGuard disk_;
  Progress progress_;
  WalletViews views_;
  State state_;
  CommitBuffer buffer_;
  std::unique_ptr<Book> book_;
  std::unique_ptr<Committer> committer_;
  std::function<void()> ring_book_;
  std::function<void()> ring_committer_;
  event::Mailbox<Command*> inbox_;
  std::atomic<bool> judging_{false};        // some thread has the book
  std::atomic<bool> commit_is_due_{false};  // something was judged since the committer was rung for
  std::vector<Command*> commands_;          // of this round
  std::vector<Port*> gone_;
  std::mutex ports_mutex_;
  std::vector<std::unique_ptr<Port>> ports_;
  uint64_t epoch_ = 0;
  Book::Recovered recovered_;
};

}  // namespace mg::ledger
