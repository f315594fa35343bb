// The loop of production: libuv.
#pragma once

#include <span>

#include "base/limits.h"
#include "base/result.h"
#include "event/handle.h"
#include "event/loop.h"

namespace mg::event {

class UvLoop final : public Loop {
 public:
  explicit UvLoop(Clock& clock);
  // Runs libuv until every closed handle is freed. Aborts if something still holds one open.
  ~UvLoop() override;

  // Takes turns until stop() is called; at once where that has happened already.
  void run();
  // On the loop's own thread; the present turn is finished first.
  void stop() { stopping_ = true; }

  std::unique_ptr<Waker> make_waker(std::function<void()> callback) override;
  void offload(std::unique_ptr<Work> work) override;

  uv_loop_t* uv() { return &uv_; }
  // Shared by all streams of the loop: what was read into it is used before the next read.
  std::span<char> read_buffer() { return {read_buffer_.get(), limits::read_buffer_bytes}; }

 private:
  void finish_turn();
  void set_uv_timer();

  uv_loop_t uv_;
  Handle<uv_prepare_t> prepare_;
  Handle<uv_timer_t> timer_;
  Handle<uv_idle_t> idle_;  // active while work waits for the next turn: no sleep then
  std::unique_ptr<char[]> read_buffer_;
  int64_t uv_timer_due_ns_;
  bool stopping_ = false;
};

// The text libuv has for an error, as an Error: timeout, refused, closed, interrupted, conflict
// (address in use) or io.
Error uv_error(int status, std::string_view doing);

}  // namespace mg::event
