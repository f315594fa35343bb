// Waits of many streams, most of them equally long. A heap of timers would sort thousands of
// deadlines that come in order anyway: here each length of wait has a queue, and each queue one
// timer, so that a step of a stream costs the same however many there are.
#pragma once

#include <map>
#include <memory>

#include "event/loop.h"

namespace mg::lab {

class Pacer {
 public:
  // Something that waits; destroying it ends the wait.
  class Rest : public event::Link {
   public:
    virtual void on_rest_over() = 0;

   protected:
    ~Rest() = default;

   private:
    friend class Pacer;
    int64_t due_ns_ = 0;
  };

  // What a wait counts from: now, or the end of this one's last wait, so that a stream keeps its
  // pace although each step comes a little late.
  enum class From : uint8_t { now, last };

  explicit Pacer(event::Loop& loop);
  ~Pacer();
  Pacer(const Pacer&) = delete;

  // It must not be waiting; ms > 0.
  void wait(Rest& rest, int64_t ms, From from);

 private:
  class Queue;

  event::Loop& loop_;
  std::map<int64_t, std::unique_ptr<Queue>> queues_;  // by milliseconds
};

}  // namespace mg::lab
