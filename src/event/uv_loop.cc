#include "event/uv_loop.h"

#include <algorithm>

namespace mg::event {
namespace {

template <class H, class Init>
Handle<H> make_handle(uv_loop_t* loop, void* owner, Init init) {
  auto raw = std::make_unique<H>();
  MG_ASSERT(init(loop, raw.get()) == 0);
  as_handle(raw.get())->data = owner;
  return Handle<H>(raw.release());
}

class UvWaker final : public Waker {
 public:
  UvWaker(uv_loop_t* loop, std::function<void()> callback) : callback_(std::move(callback)) {
    async_ = make_handle<uv_async_t>(loop, this, [](uv_loop_t* l, uv_async_t* a) {
      return uv_async_init(l, a, [](uv_async_t* async) {
        if (auto* self = owner_of<UvWaker>(async)) self->callback_();
      });
    });
  }
  void wake() override { uv_async_send(async_.get()); }

 private:
  std::function<void()> callback_;
  Handle<uv_async_t> async_;
};

struct PoolJob {
  uv_work_t request;
  std::unique_ptr<Work> work;
};

}  // namespace

Error uv_error(int status, std::string_view doing) {
  Errc code = Errc::io;
  switch (status) {
    case UV_ETIMEDOUT:
      code = Errc::timeout;
      break;
    case UV_ECONNREFUSED:
      code = Errc::refused;
      break;
    case UV_EOF:
    case UV_EPIPE:
      code = Errc::closed;
      break;
    case UV_ECANCELED:
      code = Errc::interrupted;
      break;
    case UV_EADDRINUSE:
      code = Errc::conflict;
      break;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
    case UV_EADDRNOTAVAIL:  // no port is left, on the way out
      code = Errc::overloaded;
      break;
    default:
      break;
  }
  return {code, std::string(doing) + ": " + uv_strerror(status)};
}

UvLoop::UvLoop(Clock& clock)
    : Loop(clock),
      read_buffer_(std::make_unique<char[]>(limits::read_buffer_bytes)),
      uv_timer_due_ns_(kNever) {
  MG_ASSERT(uv_loop_init(&uv_) == 0);
  prepare_ = make_handle<uv_prepare_t>(&uv_, this, uv_prepare_init);
  timer_ = make_handle<uv_timer_t>(&uv_, this, uv_timer_init);
  idle_ = make_handle<uv_idle_t>(&uv_, this, uv_idle_init);
  uv_prepare_start(prepare_.get(), [](uv_prepare_t* h) { owner_of<UvLoop>(h)->finish_turn(); });
}

UvLoop::~UvLoop() {
  cancel_spawned();
  prepare_.reset();
  timer_.reset();
  idle_.reset();
  uv_run(&uv_, UV_RUN_DEFAULT);
  MG_ASSERT(uv_loop_close(&uv_) == 0);
}

void UvLoop::run() {
  while (!stopping_) uv_run(&uv_, UV_RUN_ONCE);
  stopping_ = false;
}

void UvLoop::finish_turn() {
  end_turn();
  if (may_sleep() && !stopping_) {
    uv_idle_stop(idle_.get());
  } else {
    uv_idle_start(idle_.get(), [](uv_idle_t*) {});
  }
  set_uv_timer();
}

void UvLoop::set_uv_timer() {
  const int64_t due = timers().next_ns();
  if (due == uv_timer_due_ns_) return;
  uv_timer_due_ns_ = due;
  if (due == kNever) {
    uv_timer_stop(timer_.get());
    return;
  }
  // Rounded up: a wake-up just before the deadline would find nothing due and spin.
  // The clock itself: now_ns() would still be that of this turn when the loop wakes in the next
  // one.
  const int64_t wait_ns = due - clock().monotonic_ns();
  const int64_t wait_ms = std::max<int64_t>(0, (wait_ns + kNsPerMs - 1) / kNsPerMs);
  uv_update_time(&uv_);
  uv_timer_start(
      timer_.get(), [](uv_timer_t* h) { owner_of<UvLoop>(h)->uv_timer_due_ns_ = kNever; },
      static_cast<uint64_t>(wait_ms), 0);
}

std::unique_ptr<Waker> UvLoop::make_waker(std::function<void()> callback) {
  return std::make_unique<UvWaker>(&uv_, std::move(callback));
}

void UvLoop::offload(std::unique_ptr<Work> work) {
  auto* job = new PoolJob{{}, std::move(work)};  // freed in the callback that libuv always makes
  job->request.data = job;
  const int status = uv_queue_work(
      &uv_, &job->request,
      [](uv_work_t* request) { static_cast<PoolJob*>(request->data)->work->run(); },
      [](uv_work_t* request, int) {
        std::unique_ptr<PoolJob> finished(static_cast<PoolJob*>(request->data));
        finished->work->done();
      });
  MG_ASSERT(status == 0);
}

}  // namespace mg::event
