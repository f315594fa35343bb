#include "ledger/engine.h"

#include <algorithm>
#include <chrono>

#include "ledger/rows.h"

namespace mg::ledger {

void Doorbell::ring() {
  {
    std::lock_guard lock(mutex_);
    if (rung_) return;
    rung_ = true;
  }
  rung_cv_.notify_one();
}

void Doorbell::wait() {
  std::unique_lock lock(mutex_);
  rung_cv_.wait(lock, [this] { return rung_; });
  rung_ = false;
}

void Doorbell::wait_at_most_ns(int64_t ns) {
  if (ns <= 0) return;
  std::unique_lock lock(mutex_);
  rung_cv_.wait_for(lock, std::chrono::nanoseconds(ns), [this] { return rung_; });
}

Engine::Engine(LedgerOptions options, Clock& clock, std::unique_ptr<store::Env> env)
    : clock_(clock),
      options_(std::move(options)),
      env_(std::move(env)),
      queue_(std::make_unique<StoreCommits>(*env_)),
      disk_(options_.directory, options_.free_space ? *options_.free_space : statvfs_,
            options_.disk_low_bytes, options_.ballast_bytes),
      state_(views_),
      ring_book_([] {}),
      ring_committer_([] {}),
      inbox_([this] { ring_book_(); }) {
  if (options_.wrap_commits) queue_ = options_.wrap_commits(std::move(queue_));
}

Engine::~Engine() {
  // Nobody drives any more: what no round took is given up, as if the process had died.
  std::vector<Command*> left;
  inbox_.take(left);
  for (Command* command : left) discard(*command);
}

Result<> Engine::start() {
  MG_TRY(const Loaded loaded, load(*env_, state_));
  progress_.durable.store(loaded.last);
  epoch_ = loaded.epoch + 1;
  const BookOptions book_options{options_.replay_records_goal, options_.backlog_bytes_max};
  book_ = std::make_unique<Book>(BookParts{clock_, *env_, state_, buffer_, disk_, progress_},
                                 book_options, loaded.last, loaded.time_ms);
  committer_ = std::make_unique<Committer>(buffer_, *queue_, disk_, progress_, clock_,
                                           [this] { on_progress(); });
  recovered_ = book_->begin_epoch(epoch_);
  committer_->step();
  if (progress_.poisoned.load()) return fail(Errc::unavailable, "the store takes no commit");
  return {};
}

void Engine::set_rings(std::function<void()> ring_book, std::function<void()> ring_committer) {
  ring_book_ = std::move(ring_book);
  ring_committer_ = std::move(ring_committer);
}

bool Engine::book_step() {
  inbox_.take(commands_);
  if (commands_.empty()) return false;
  if (book_->round(commands_, gone_)) commit_is_due_.store(true);
  for (Port* port : gone_) remove_port(port);
  gone_.clear();
  return true;
}

// Who posts to a box that others fill looks once more after letting go, so that what came between
// the last look and the letting go is not left behind.
void Engine::judge() {
  while (!inbox_.empty() && !judging_.exchange(true)) {
    while (book_step()) {
    }
    judging_.store(false);
  }
}

void Engine::start_commit() {
  if (commit_is_due_.load() && commit_is_due_.exchange(false)) ring_committer_();
}

Port* Engine::add_port(std::unique_ptr<Port> port) {
  std::lock_guard lock(ports_mutex_);
  return ports_.emplace_back(std::move(port)).get();
}

void Engine::remove_port(Port* port) {
  std::lock_guard lock(ports_mutex_);
  std::erase_if(ports_, [port](const auto& p) { return p.get() == port; });
}

void Engine::on_progress() {
  // What came while the disk was busy: nobody rang for it, as something had been waiting already.
  if (buffer_.bytes() > 0) ring_committer_();
  const Seq durable = progress_.durable.load();
  const bool poisoned = progress_.poisoned.load();
  std::lock_guard lock(ports_mutex_);
  for (const auto& port : ports_)
    if (poisoned || port->awaited().load() <= durable) port->wake();
}

LedgerStatus Engine::status() {
  LedgerStatus status;
  status.ordered = std::max(progress_.ordered.load(), progress_.durable.load());
  status.durable = progress_.durable.load();
  status.epoch = epoch_;
  status.poisoned = progress_.poisoned.load();
  status.disk_low = disk_.looks_low();
  status.accounts = progress_.accounts.load();
  status.open_holds = progress_.open_holds.load();
  status.backlog_bytes = buffer_.bytes();
  status.commits = progress_.commits.load();
  status.commit_ns = progress_.commit_ns.load();
  status.holds_posted_at_start = recovered_.posted;
  status.holds_voided_at_start = recovered_.voided;
  return status;
}

}  // namespace mg::ledger
