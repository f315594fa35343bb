// Makes durable what the book has ordered: takes everything that waits, hands it to the commit
// queue in one batch, publishes the number when it is done, and wakes who waits for it. While one
// commit is under way the next batch grows; a slow disk sets the size of a batch by itself, and on
// a fast one the driver keeps some milliseconds between two commits (LedgerThreads).
//
// A commit that fails poisons the ledger: what was not yet durable never will be, nobody is told
// otherwise, and only the next start, which reads what the disk really has, goes on.
#pragma once

#include <functional>
#include <mutex>

#include "base/clock.h"
#include "ledger/commit_queue.h"
#include "ledger/disk.h"
#include "ledger/progress.h"

namespace mg::ledger {

// Between the book and the committer.
class CommitBuffer {
 public:
  // Appends a round; true when nothing had waited before.
  bool add(CommitBatch& round);
  // Everything that waits; `out` is empty. False when there is nothing.
  bool take(CommitBatch& out);
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  size_t checkpoint_rows() const { return checkpoint_rows_.load(std::memory_order_relaxed); }

 private:
  std::mutex mutex_;
  CommitBatch waiting_;
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> checkpoint_rows_{0};
};

// One thread: its own, or the inline driver's.
class Committer final : private CommitDone {
 public:
  Committer(CommitBuffer& buffer, CommitQueue& queue, DiskGuard& disk, Progress& progress,
            Clock& clock, std::function<void()> on_progress);

  // Starts a commit if there is something to commit and none is under way. False if not.
  bool step();

 private:
  void on_committed(Result<> result) override;

  CommitBuffer& buffer_;
  CommitQueue& queue_;
  DiskGuard& disk_;
  Progress& progress_;
  Clock& clock_;
  std::function<void()> on_progress_;
  CommitBatch batch_;
  int64_t started_ns_ = 0;
  bool busy_ = false;
};

}  // namespace mg::ledger
