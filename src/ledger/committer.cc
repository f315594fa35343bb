#include "ledger/committer.h"

#include "base/assert.h"
#include "base/log.h"

namespace mg::ledger {

bool CommitBuffer::add(CommitBatch& round) {
  std::lock_guard lock(mutex_);
  const bool was_empty = waiting_.empty();
  waiting_.take(round);
  bytes_.store(waiting_.bytes(), std::memory_order_relaxed);
  checkpoint_rows_.store(waiting_.checkpoint_rows(), std::memory_order_relaxed);
  return was_empty;
}

bool CommitBuffer::take(CommitBatch& out) {
  MG_ASSERT(out.empty());
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) return false;
  std::swap(out, waiting_);
  bytes_.store(0, std::memory_order_relaxed);
  checkpoint_rows_.store(0, std::memory_order_relaxed);
  return true;
}

Committer::Committer(CommitBuffer& buffer, CommitQueue& queue, DiskGuard& disk, Progress& progress,
                     Clock& clock, std::function<void()> on_progress)
    : buffer_(buffer),
      queue_(queue),
      disk_(disk),
      progress_(progress),
      clock_(clock),
      on_progress_(std::move(on_progress)) {}

bool Committer::step() {
  if (busy_ || progress_.poisoned.load(std::memory_order_relaxed) || !buffer_.take(batch_))
    return false;
  busy_ = true;
  disk_.before_commit();
  started_ns_ = clock_.monotonic_ns();
  queue_.commit(batch_, *this);
  return true;
}

void Committer::on_committed(Result<> result) {
  MG_ASSERT(busy_);
  const Seq last = batch_.last();
  batch_.clear();
  busy_ = false;
  if (!result) {
    progress_.poisoned.store(true);
    log_error("ledger_poisoned", {{"error", result.error().what}});
    on_progress_();
    return;
  }
  MG_ASSERT(last > progress_.durable.load());
  progress_.commits.fetch_add(1, std::memory_order_relaxed);
  progress_.commit_ns.fetch_add(clock_.monotonic_ns() - started_ns_, std::memory_order_relaxed);
  progress_.durable.store(last);
  on_progress_();
}

}  // namespace mg::ledger
