#include "event/timer.h"

#include "base/assert.h"
#include "base/clock.h"

namespace mg::event {

void Timer::start_ms(int64_t delay_ms) { queue_.arm(*this, delay_ms * kNsPerMs); }

void Timer::start_ns(int64_t delay_ns) { queue_.arm(*this, delay_ns); }

void Timer::stop() {
  if (is_armed()) queue_.disarm(*this);
}

Deadline::Deadline(TimerQueue& queue, void (*call)(void*), void* owner)
    : queue_(queue),
      timer_(Timer::calling<&Deadline::on_timer>(queue, this)),
      call_(call),
      owner_(owner),
      due_ns_(kNever),
      armed_ns_(kNever) {}

void Deadline::set_ms(int64_t delay_ms) {
  due_ns_ = queue_.now_ns() + delay_ms * kNsPerMs;
  if (timer_.is_armed() && armed_ns_ <= due_ns_) return;
  armed_ns_ = due_ns_;
  timer_.start_ms(delay_ms);
}

void Deadline::clear() { due_ns_ = kNever; }

void Deadline::on_timer() {
  const int64_t now = queue_.now_ns();
  if (due_ns_ > now) {
    if (due_ns_ == kNever) return;
    armed_ns_ = due_ns_;
    timer_.start_ns(due_ns_ - now);
    return;
  }
  due_ns_ = kNever;
  call_(owner_);
}

int64_t TimerQueue::next_ns() const { return heap_.empty() ? kNever : heap_.front()->deadline_ns_; }

void TimerQueue::run_due() {
  const int64_t now = now_ns_();
  // Only what was armed before this turn: a timer that arms itself for "now" waits for the next.
  const uint64_t order_end = next_order_;
  while (!heap_.empty() && heap_.front()->deadline_ns_ <= now &&
         heap_.front()->order_ < order_end) {
    Timer& due = *heap_.front();
    disarm(due);
    due.call_(due.owner_);
  }
}

void TimerQueue::arm(Timer& timer, int64_t delay_ns) {
  MG_ASSERT(delay_ns >= 0);
  if (timer.is_armed()) disarm(timer);
  timer.deadline_ns_ = now_ns_() + delay_ns;
  timer.order_ = next_order_++;
  heap_.push_back(&timer);
  timer.slot_ = heap_.size() - 1;
  sift_up(timer.slot_);
}

void TimerQueue::disarm(Timer& timer) {
  const size_t slot = timer.slot_;
  MG_ASSERT(slot < heap_.size() && heap_[slot] == &timer);
  timer.slot_ = Timer::kNone;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(last, slot);
  sift_up(slot);
  sift_down(last->slot_);
}

bool TimerQueue::before(const Timer* a, const Timer* b) {
  if (a->deadline_ns_ != b->deadline_ns_) return a->deadline_ns_ < b->deadline_ns_;
  return a->order_ < b->order_;
}

void TimerQueue::place(Timer* timer, size_t slot) {
  heap_[slot] = timer;
  timer->slot_ = slot;
}

void TimerQueue::sift_up(size_t slot) {
  Timer* moving = heap_[slot];
  while (slot > 0) {
    const size_t parent = (slot - 1) / 2;
    if (!before(moving, heap_[parent])) break;
    place(heap_[parent], slot);
    slot = parent;
  }
  place(moving, slot);
}

void TimerQueue::sift_down(size_t slot) {
  Timer* moving = heap_[slot];
  for (;;) {
    size_t child = slot * 2 + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
    if (!before(heap_[child], moving)) break;
    place(heap_[child], slot);
    slot = child;
  }
  place(moving, slot);
}

}  // namespace mg::event
