#include "base/clock.h"

#include <pthread.h>

#include <ctime>

#include "base/assert.h"

namespace mg {
namespace {

int64_t read_ns(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * kNsPerS + t.tv_nsec;
}

}  // namespace

int64_t SystemClock::monotonic_ns() { return read_ns(CLOCK_MONOTONIC); }

int64_t SystemClock::wall_ms() { return read_ns(CLOCK_REALTIME) / kNsPerMs; }

int64_t thread_cpu_ns() { return read_ns(CLOCK_THREAD_CPUTIME_ID); }

ThreadCpuClock ThreadCpuClock::of_calling_thread() {
  clockid_t id;
  MG_ASSERT(pthread_getcpuclockid(pthread_self(), &id) == 0);
  return ThreadCpuClock(id);
}

int64_t ThreadCpuClock::ns() const { return read_ns(id_); }

}  // namespace mg
