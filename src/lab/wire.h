// One accepted connection, as close to its bytes as a Stream lets one come: reads one request after
// the other, and sends whatever it is given, in good order or not. Internal to this folder.
//
// While a request is being served it keeps reading, so that a client who leaves is noticed; what a
// pipelining client sends ahead waits, bounded. One thread, one coroutine that waits.
#pragma once

#include <memory>
#include <string>

#include "event/stream.h"
#include "http/parser.h"
#include "lab/shared.h"

namespace mg::lab {

class Wire final : private event::ReadSink, private Pacer::Rest {
 public:
  Wire(Shared& shared, std::unique_ptr<event::Stream> stream);
  ~Wire();

  enum class Arrival : uint8_t {
    request,
    nonsense,  // error() says what; answer it and close
    nothing,   // the client left, or was sent away between two requests
  };
  event::Task<Arrival> next_request();
  const http::RequestHead& head() const { return head_; }
  std::string& body() { return body_; }
  const http::ParseError& error() const { return parser_.error(); }
  // Lets go of head and body: an answer that takes long does not need them.
  void forget_request();

  // Between two requests the connection ends at once; otherwise after the answer.
  void end_when_idle();

  // False once the client is gone: there is nobody left to send to.
  bool write(std::string_view bytes);
  bool is_gone() const { return gone_; }
  // More waits to be sent than a client that reads would leave.
  bool is_backed_up() const { return stream_->queued_bytes() > limits::queue_bytes_high; }
  // co_await wire.drained() -> Result<>: everything is sent, or the client is gone.
  event::Stream::DrainedAwaiter drained() { return stream_->drained(); }

  // co_await wire.pause_ms(20): or until the client is gone; nothing for 0.
  event::Signal::Awaiter pause_ms(int64_t ms, Pacer::From from = Pacer::From::now);
  // co_await wire.until_gone()
  event::Signal::Awaiter until_gone() { return progress_.wait(); }

  // Ends our side behind what was sent (FIN).
  void finish() { stream_->finish(); }
  // Breaks the connection (RST). What was not yet sent is lost: wait in drained() before.
  void reset();
  bool was_reset() const { return was_reset_; }

 private:
  void on_bytes(std::string_view bytes) override;
  void on_read_end(Error error) override;
  void on_rest_over() override { progress_.raise(); }
  void consume(std::string_view bytes);

  enum class Stage : uint8_t { reading, complete, nonsense };

  Shared& shared_;
  std::unique_ptr<event::Stream> stream_;
  http::RequestParser parser_;
  http::RequestHead head_;
  std::string body_;
  std::string ahead_;  // sent before its turn
  event::Signal progress_;
  Stage stage_ = Stage::reading;
  bool is_idle_ = true;  // not a byte of the next request has come
  bool is_ending_ = false;
  bool gone_ = false;
  bool was_reset_ = false;
};

}  // namespace mg::lab
