// Deadlines of one loop: an intrusive heap, so that arming a timer allocates nothing and a loop of
// libuv and a simulated loop share the code and the order of firing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace mg::event {

class TimerQueue;

inline constexpr int64_t kNever = INT64_MAX;

// Calls a member function of its owner once per start, on the loop's thread. Stopping or
// destroying it before then cancels it. The call may start, stop or destroy timers, its own too.
//   Timer idle_ = Timer::calling<&Connection::on_idle>(loop.timers(), this);
class Timer {
 public:
  template <auto Method, class Owner>
  static Timer calling(TimerQueue& queue, Owner* owner) {
    return Timer(
        queue, [](void* o) { (static_cast<Owner*>(o)->*Method)(); }, owner);
  }
  Timer(TimerQueue& queue, void (*call)(void*), void* owner)
      : queue_(queue), call_(call), owner_(owner) {}
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Counts from now; starting anew moves the deadline.
  void start_ms(int64_t delay_ms);
  void start_ns(int64_t delay_ns);
  void stop();
  bool is_armed() const { return slot_ != kNone; }

 private:
  friend class TimerQueue;
  static constexpr size_t kNone = static_cast<size_t>(-1);

  TimerQueue& queue_;
  void (*call_)(void*);
  void* owner_;
  int64_t deadline_ns_ = 0;
  uint64_t order_ = 0;  // equal deadlines fire in the order they were armed
  size_t slot_ = kNone;
};

// A deadline that is set and cleared again and again, for every request or piece of one, and
// almost never reached. Moving it back or clearing it touches no heap: the timer behind it stays
// armed, and looks again when it fires.
class Deadline {
 public:
  template <auto Method, class Owner>
  static Deadline calling(TimerQueue& queue, Owner* owner) {
    return Deadline(
        queue, [](void* o) { (static_cast<Owner*>(o)->*Method)(); }, owner);
  }
  Deadline(TimerQueue& queue, void (*call)(void*), void* owner);
  Deadline(const Deadline&) = delete;

  void set_ms(int64_t delay_ms);
  void clear();

 private:
  void on_timer();

  TimerQueue& queue_;
  Timer timer_;
  void (*call_)(void*);
  void* owner_;
  int64_t due_ns_;
  int64_t armed_ns_;  // when the timer fires
};

class TimerQueue {
 public:
  // `now_ns` reads the loop's idea of now.
  explicit TimerQueue(std::function<int64_t()> now_ns) : now_ns_(std::move(now_ns)) {}
  TimerQueue(const TimerQueue&) = delete;

  // Fires all that are due.
  void run_due();
  // The first deadline, or kNever where none is armed.
  int64_t next_ns() const;
  size_t size() const { return heap_.size(); }
  int64_t now_ns() const { return now_ns_(); }

 private:
  friend class Timer;
  void arm(Timer& timer, int64_t delay_ns);
  void disarm(Timer& timer);
  static bool before(const Timer* a, const Timer* b);
  void place(Timer* timer, size_t slot);
  void sift_up(size_t slot);
  void sift_down(size_t slot);

  std::function<int64_t()> now_ns_;
  std::vector<Timer*> heap_;
  uint64_t next_order_ = 0;
};

}  // namespace mg::event
