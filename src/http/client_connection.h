// One connection to an upstream: sends a request whole, then yields the head of the answer and its
// body as it arrives. While nobody waits for more, at most one read's worth is kept and the rest
// stays with the sender.
//
// One thread, one exchange at a time. Ending a wait early (interrupt, deadline) leaves the
// connection unusable for another exchange.
#pragma once

#include <coroutine>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "event/loop.h"
#include "event/stream.h"
#include "http/parser.h"

namespace mg::http {

class ClientConnection final : private event::ReadSink {
 public:
  ClientConnection(event::Loop& loop, std::unique_ptr<event::Stream> stream);
  ~ClientConnection();

  // Starts an exchange: `head` as write_request_head made it, then the body, in pieces that are
  // used before the call returns. A failure shows in read_head().
  void send(Method method, std::string_view head, std::span<const std::string_view> body);

  class HeadAwaiter;
  class BodyAwaiter;

  // co_await connection.read_head(timeout_ms) -> Result<ResponseHead>
  // Errors: timeout, closed (not a byte came before the end), protocol, io, interrupted.
  HeadAwaiter read_head(int64_t timeout_ms);

  // co_await connection.read(timeout_ms) -> Result<std::span<const std::string_view>>
  // What arrived of the body, in pieces that are valid until the coroutine next waits for anything
  // or reads again; none at the end of the answer. The timeout is for this wait alone.
  BodyAwaiter read(int64_t timeout_ms);

  // Ends a wait in one of the two with this error, at once; the waiter runs before this returns.
  // Without one, the next wait ends with it.
  void interrupt(Error error);

  // The request went out whole, the answer was read to its end, and another request may follow.
  // Turns false by itself when the peer ends an idle connection, or sends what nobody asked for.
  bool is_reusable() const;
  // Between two exchanges: lets go of what the last one left.
  void rest();

  // Answer bytes that came for the present exchange, head not counted.
  uint64_t body_bytes() const { return body_bytes_; }

 private:
  friend class HeadAwaiter;
  friend class BodyAwaiter;

  void on_bytes(std::string_view bytes) override;
  void on_read_end(Error error) override;
  void on_deadline();
  void consume(std::string_view bytes);
  void fail_with(Error error);
  bool head_is_ready() const { return head_.has_value() || error_; }
  bool body_is_ready() const { return !kept_.empty() || complete_ || error_; }
  Result<ResponseHead> take_head();
  Result<std::span<const std::string_view>> take_pieces();
  void wait(std::coroutine_handle<> waiter, int64_t timeout_ms);
  void resume_waiter();

  std::unique_ptr<event::Stream> stream_;
  ResponseParser parser_;
  event::Deadline deadline_;
  std::optional<ResponseHead> head_;
  std::vector<std::string_view> pieces_;  // into the bytes being read, or into given_
  std::string kept_;                      // arrived while nobody waited
  std::string given_;                     // kept bytes that the reader works on
  std::unique_ptr<const Error> error_;
  std::coroutine_handle<> waiter_;
  uint64_t body_bytes_ = 0;
  enum class Waiting : uint8_t { nothing, head, body } waiting_ = Waiting::nothing;
  bool pieces_are_new_ = false;  // not yet handed to the reader
  bool in_exchange_ = false;
  bool complete_ = false;
  bool keep_alive_ = false;
  bool ended_ = false;
};

class ClientConnection::HeadAwaiter {
 public:
  HeadAwaiter(ClientConnection& connection, int64_t timeout_ms)
      : connection_(connection), timeout_ms_(timeout_ms) {}
  ~HeadAwaiter() {
    if (connection_.waiting_ == Waiting::head) connection_.waiting_ = Waiting::nothing;
  }
  bool await_ready() const { return connection_.head_is_ready(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection_.waiting_ = Waiting::head;
    connection_.wait(waiter, timeout_ms_);
  }
  Result<ResponseHead> await_resume() { return connection_.take_head(); }

 private:
  ClientConnection& connection_;
  int64_t timeout_ms_;
};

class ClientConnection::BodyAwaiter {
 public:
  BodyAwaiter(ClientConnection& connection, int64_t timeout_ms)
      : connection_(connection), timeout_ms_(timeout_ms) {}
  ~BodyAwaiter() {
    if (connection_.waiting_ == Waiting::body) connection_.waiting_ = Waiting::nothing;
  }
  bool await_ready() const { return connection_.body_is_ready(); }
  void await_suspend(std::coroutine_handle<> waiter) {
    connection_.waiting_ = Waiting::body;
    connection_.wait(waiter, timeout_ms_);
  }
  Result<std::span<const std::string_view>> await_resume() { return connection_.take_pieces(); }

 private:
  ClientConnection& connection_;
  int64_t timeout_ms_;
};

inline ClientConnection::HeadAwaiter ClientConnection::read_head(int64_t timeout_ms) {
  return {*this, timeout_ms};
}

inline ClientConnection::BodyAwaiter ClientConnection::read(int64_t timeout_ms) {
  return {*this, timeout_ms};
}

}  // namespace mg::http
