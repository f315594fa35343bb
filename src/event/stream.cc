#include "event/stream.h"

#include <utility>

namespace mg::event {

void Stream::resume_drain_waiter() {
  DrainedAwaiter* waiter = std::exchange(drain_waiter_, nullptr);
  if (!waiter) return;
  waiter->waiting_ = false;
  waiter->waiter_.resume();
}

void Stream::notify_drained() {
  if (outer_) {
    outer_->notify_drained();
  } else {
    resume_drain_waiter();
  }
}

void Stream::fail_writes(Error error) {
  if (!write_error_) write_error_ = error;
  if (outer_) {
    outer_->fail_writes(std::move(error));
  } else {
    resume_drain_waiter();
  }
}

void Stream::interrupt_drain(Error error) {
  if (!drain_waiter_) return;
  drain_waiter_->interrupted_ = std::move(error);
  resume_drain_waiter();
}

}  // namespace mg::event
