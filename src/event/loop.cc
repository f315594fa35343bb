#include "event/loop.h"

#include "base/assert.h"

namespace mg::event {

void Link::unlink() {
  if (!next_) return;
  next_->previous_ = previous_;
  previous_->next_ = next_;
  next_ = previous_ = nullptr;
}

LinkList::LinkList() { head_.next_ = head_.previous_ = &head_; }

LinkList::~LinkList() {
  while (pop_front()) {
  }
  head_.next_ = head_.previous_ = nullptr;
}

void LinkList::push_back(Link& link) {
  MG_ASSERT(!link.is_linked());
  link.next_ = &head_;
  link.previous_ = head_.previous_;
  head_.previous_->next_ = &link;
  head_.previous_ = &link;
}

Link* LinkList::pop_front() {
  Link* link = front();
  if (link) link->unlink();
  return link;
}

void LinkList::take(LinkList& other) {
  if (other.empty()) return;
  Link* first = other.head_.next_;
  Link* last = other.head_.previous_;
  first->previous_ = head_.previous_;
  head_.previous_->next_ = first;
  last->next_ = &head_;
  head_.previous_ = last;
  other.head_.next_ = other.head_.previous_ = &other.head_;
}

// A task nobody awaits. Its frame is dropped between turns, never from inside its own call chain.
struct Loop::Spawned : Link {
  Task<> task;
};

Loop::Loop(Clock& clock) : clock_(clock), timers_([this] { return now_ns(); }) {}

Loop::~Loop() {
  MG_ASSERT(spawned_count_ ==
            0);  // the owner cancels before the loop goes, so that frames can close
}

Task<> Loop::drive(Loop* loop, Spawned* root, Task<> task) {
  co_await std::move(task);
  root->unlink();
  loop->finished_.push_back(*root);
}

void Loop::spawn(Task<> task) {
  auto* root = new Spawned;  // owned by running_, then finished_, then freed
  root->task = drive(this, root, std::move(task));
  running_.push_back(*root);
  ++spawned_count_;
  root->task.start();
}

void Loop::cancel_spawned() {
  while (!running_.empty() || !finished_.empty()) {
    finished_.take(running_);
    while (Link* link = finished_.pop_front()) {
      std::unique_ptr<Spawned> root(static_cast<Spawned*>(link));
      --spawned_count_;
    }
  }
}

void Loop::end_turn() {
  now_is_stale_ = true;
  timers_.run_due();
  // What is deferred from inside deferred work waits for the next turn, so that I/O is not starved.
  LinkList now;
  now.take(deferred_);
  while (Link* link = now.pop_front()) static_cast<Deferred*>(link)->run();
  LinkList hooks;
  hooks.take(turn_ends_);
  while (Link* link = hooks.pop_front()) {
    turn_ends_.push_back(*link);
    static_cast<TurnEnd*>(link)->on_turn_end();
  }
  while (Link* link = finished_.pop_front()) {
    std::unique_ptr<Spawned> root(static_cast<Spawned*>(link));
    --spawned_count_;
  }
  now_is_stale_ = true;  // the loop sleeps now
}

void Signal::raise() {
  if (!waiter_) {
    raised_ = true;
    return;
  }
  const std::coroutine_handle<> waiter = std::exchange(waiter_, {});
  waiter.resume();
}

}  // namespace mg::event
