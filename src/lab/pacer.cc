#include "lab/pacer.h"

#include <algorithm>

#include "base/assert.h"

namespace mg::lab {
namespace {

// Beyond it, queues nobody waits in are dropped when a new one is made.
constexpr size_t kQueuesMax = 64;

}  // namespace

class Pacer::Queue {
 public:
  explicit Queue(event::Loop& loop)
      : loop_(loop), timer_(event::Timer::calling<&Queue::on_timer>(loop.timers(), this)) {}

  bool is_empty() const { return rests_.empty() && !is_in_round_; }

  void add(Rest& rest, int64_t ms, From from) {
    const int64_t now = loop_.now_ns();
    const int64_t span = ms * kNsPerMs;
    rest.due_ns_ = (from == From::last ? rest.due_ns_ : now) + span;
    // In order, always: who comes behind a latecomer is late as well, by less than one step.
    last_due_ns_ = rest.due_ns_ =
        std::max(rest.due_ns_, rests_.empty() ? int64_t{0} : last_due_ns_);
    rests_.push_back(rest);
    if (!timer_.is_armed() && !is_in_round_) start_timer();
  }

 private:
  void on_timer() {
    // Who waits again at once, because it is late, has its turn in the next round: others must be
    // let in between.
    const int64_t round_end = std::min(loop_.now_ns(), last_due_ns_);
    is_in_round_ = true;
    while (event::Link* front = rests_.front()) {
      Rest& rest = *static_cast<Rest*>(front);
      if (rest.due_ns_ > round_end) break;
      rest.unlink();
      rest.on_rest_over();
    }
    is_in_round_ = false;
    if (!rests_.empty()) start_timer();
  }
  void start_timer() {
    const int64_t due_ns = static_cast<Rest*>(rests_.front())->due_ns_;
    timer_.start_ns(std::max<int64_t>(0, due_ns - loop_.now_ns()));
  }

  event::Loop& loop_;
  event::Timer timer_;
  event::LinkList rests_;
  int64_t last_due_ns_ = 0;
  bool is_in_round_ = false;
};

Pacer::Pacer(event::Loop& loop) : loop_(loop) {}
Pacer::~Pacer() = default;

void Pacer::wait(Rest& rest, int64_t ms, From from) {
  MG_ASSERT(ms > 0 && !rest.is_linked());
  std::unique_ptr<Queue>& queue = queues_[ms];
  if (!queue) {
    queue = std::make_unique<Queue>(loop_);
    if (queues_.size() > kQueuesMax)
      std::erase_if(queues_, [&](const auto& entry) {
        return entry.first != ms && entry.second->is_empty();
      });
  }
  queue->add(rest, ms, from);
}

}  // namespace mg::lab
