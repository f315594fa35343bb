#include "script/watchdog.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/assert.h"
#include "base/thread_name.h"

namespace mg::script {
namespace {

// Looks without anybody running before the watchdog stops looking. Between requests of a busy
// server it never does, so that starting a run does not cost a wake-up.
constexpr int kIdleLooksMax = 4;

// A run whose budget is nearly or just gone is looked at again no sooner than this.
constexpr int64_t kShortestSleepNs = 50'000;

// Of a thread's processor time, between the warning and the kill.
constexpr int64_t kGraceNs = 100'000;

constexpr int kNice = -15;

int kill_signal() { return SIGRTMIN; }

thread_local WatchSlot* slot_of_thread = nullptr;

void install_handler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  MG_ASSERT(sigaction(kill_signal(), &action, nullptr) == 0);
}

}  // namespace

Watchdog::Watchdog(int64_t look_every_ns) : look_every_ns_(look_every_ns) {
  install_handler(&WatchSlot::on_signal);
  // The thread inherits a full mask: signals meant for the process go to threads that expect them.
  sigset_t all, before;
  sigfillset(&all);
  MG_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  thread_ = std::thread([this] { watch(); });
  MG_ASSERT(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    MG_ASSERT(slots_.empty());
    stop_ = true;
    asleep_.store(false);
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::add(WatchSlot& slot) {
  std::lock_guard lock(mutex_);
  slots_.push_back(&slot);
}

void Watchdog::remove(WatchSlot& slot) {
  std::lock_guard lock(mutex_);
  std::erase(slots_, &slot);
}

void Watchdog::wake() {
  {
    std::lock_guard lock(mutex_);
    asleep_.store(false);
  }
  changed_.notify_all();
}

void Watchdog::watch() {
  name_this_thread("watchdog");
  // It uses next to nothing and must not wait its turn behind those it watches. Where the system
  // does not allow it, kills come later on a busy machine, and that is all.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  std::unique_lock lock(mutex_);
  for (int idle_looks = 0; !stop_;) {
    const Sight sight = look();
    idle_looks = sight.busy ? 0 : idle_looks + 1;
    if (idle_looks > kIdleLooksMax) {
      sleep_until_woken(lock);
      idle_looks = 0;
    } else {
      changed_.wait_for(lock, std::chrono::nanoseconds(sight.next_look_ns));
    }
  }
}

// The other half of WatchSlot::begin: both sides store first and look afterwards, in one total
// order, so that either the watchdog sees the run or the run sees that the watchdog sleeps.
void Watchdog::sleep_until_woken(std::unique_lock<std::mutex>& lock) {
  asleep_.store(true);
  if (look().busy) {
    asleep_.store(false);
    return;
  }
  changed_.wait(lock, [this] { return !asleep_.load(); });
}

Watchdog::Sight Watchdog::look() {
  Sight sight{.busy = false, .next_look_ns = look_every_ns_};
  for (WatchSlot* slot : slots_) {
    const uint64_t running = slot->running_.load();
    const bool is_new = std::exchange(slot->seen_, running) != running;
    const bool is_running = running % 2 == 1;
    if (is_new || is_running) sight.busy = true;
    if (!is_running) continue;
    const int64_t cpu_ns = slot->cpu_.ns();
    if (is_new) slot->seen_cpu_ns_ = cpu_ns;
    const int64_t used_ns = cpu_ns - slot->seen_cpu_ns_;
    const int64_t left_ns = slot->budget_ns_.load(std::memory_order_relaxed) - used_ns;
    sight.next_look_ns = std::min(sight.next_look_ns, std::max(left_ns, kShortestSleepNs));
    if (left_ns > 0) continue;
    slot->condemned_.store(running);
    // One at a time: these signals queue, and a thread that was held up would drown in them.
    if (slot->signal_on_its_way_.exchange(true)) continue;
    if (pthread_kill(slot->thread_, kill_signal()) != 0) slot->signal_on_its_way_.store(false);
  }
  return sight;
}

WatchSlot::WatchSlot(Watchdog& watchdog)
    : watchdog_(watchdog), thread_(pthread_self()), cpu_(ThreadCpuClock::of_calling_thread()) {
  MG_ASSERT(slot_of_thread == nullptr);
  slot_of_thread = this;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kill_signal());
  MG_ASSERT(pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
  watchdog_.add(*this);
}

WatchSlot::~WatchSlot() {
  MG_ASSERT(slot_of_thread == this && running_.load() % 2 == 0);
  watchdog_.remove(*this);
  slot_of_thread = nullptr;
}

void WatchSlot::begin(Kill kill, void* target, int64_t budget_ns) {
  MG_ASSERT(running_.load(std::memory_order_relaxed) % 2 == 0);
  kill_ = kill;
  target_ = target;
  budget_ns_.store(budget_ns, std::memory_order_relaxed);
  running_.store(2 * ++number_ + 1);
  if (watchdog_.asleep_.load()) watchdog_.wake();
}

// A signal may arrive after the run it was meant for; the number tells.
void WatchSlot::on_signal(int) {
  WatchSlot* slot = slot_of_thread;
  if (slot == nullptr) return;
  slot->signal_on_its_way_.store(false);
  const uint64_t running = slot->running_.load();
  if (running % 2 == 0 || running != slot->condemned_.load()) return;
  if (slot->has_had_its_time(running)) slot->kill_(slot->target_);
}

// The first signal is a warning, and a kill comes only after some more time of the thread's own. A
// thread whose processor the host of a virtual machine has taken away counts as running: once in
// tens of millions of runs it seems to use up its budget without a single instruction. This is
// read on the thread, so it runs again, and an honest script is through in no time.
bool WatchSlot::has_had_its_time(uint64_t running) {
  const int64_t now_ns = thread_cpu_ns();
  if (warned_ != running) {
    warned_ = running;
    warned_cpu_ns_ = now_ns;
  }
  return now_ns - warned_cpu_ns_ >= kGraceNs;
}

}  // namespace mg::script
