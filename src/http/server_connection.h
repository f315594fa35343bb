// One connection of a client: reads its requests one after the other, hands each to the handler,
// and sends what the handler answers. It keeps reading while a request is served, so that it knows
// at once when the client leaves, and holds what a pipelining client sent ahead, bounded.
//
// One thread. The handler is given the connection for one request and must have answered, or
// aborted, when its task ends.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "event/loop.h"
#include "event/stream.h"
#include "http/parser.h"
#include "http/writer.h"

namespace mg::http {

class ServerConnection;

class Handler {
 public:
  virtual event::Task<> serve(ServerConnection& client) = 0;
  // What came is no request (or took too long: status 408). To be answered at once, with
  // respond(); the connection then ends.
  virtual void reject(ServerConnection& client, const ParseError& error) = 0;

 protected:
  ~Handler() = default;
};

// Told when the client of the running request is gone: it closed its side, or the connection broke.
// Called at most once a request, never from inside a call of the handler's own.
class GoneSink {
 public:
  virtual void on_client_gone() = 0;

 protected:
  ~GoneSink() = default;
};

struct ServerLimits {
  uint64_t body_bytes_max = limits::body_bytes_max;
  uint64_t bodies_bytes_max = limits::bodies_bytes_max;  // of all bodies in memory
  int64_t idle_timeout_ms = 75'000;                      // between two requests
  int64_t head_timeout_ms = 10'000;   // from the first byte of a head to its last
  int64_t body_timeout_ms = 30'000;   // for a body to make up for being slow, or to go on at all
  int64_t write_timeout_ms = 30'000;  // for a client that takes nothing of what it is sent
  int64_t linger_ms = 1'000;          // for the client to read our last words after we ended, from
  int64_t linger_ms_max = 10'000;     // the last that it still sent; and in all
};

// How hard the server is pressed: each step keeps what the one before does.
enum class Pressure : uint8_t {
  none,
  no_keep_alive,  // answers end their connection
  refuse,         // new requests get 503
  shed,           // idle connections are closed
};

// What all connections of a worker share.
struct ServerShared {
  event::Loop& loop;
  const ServerLimits& limits;
  HttpDate date;
  Pressure pressure = Pressure::none;
  std::vector<std::string_view> pieces;  // scratch for one write
  uint64_t bodies_bytes = 0;             // in memory, but for the uncounted part of each
};

class ServerConnection final : private event::ReadSink {
 public:
  ServerConnection(ServerShared& shared, std::unique_ptr<event::Stream> stream, Handler& handler);
  ~ServerConnection();

  // Serves until the connection ends. The connection must outlive the task; it may go when the task
  // has ended.
  event::Task<> run();

  // Between two requests.
  bool is_idle() const { return stage_ == Stage::idle; }
  // Ends the connection when it is idle; otherwise after the request that runs.
  void end_when_idle();

  // --- For the handler, about the request ---
  const RequestHead& head() const { return head_; }
  IpAddress peer() const { return stream_->peer().ip; }
  Pressure pressure() const { return shared_.pressure; }
  // The whole body. Errors: too_large, timeout (also where it comes too slowly for too long),
  // overloaded (other bodies take all the room there is), closed, protocol (its framing is broken).
  event::Task<Result<std::string>> read_body();
  // The text that read_body() gave is in memory no longer, and makes room for others. At the end of
  // the request that goes without saying.
  void release_body();
  // What can be let go once the request is understood: its fields and target. How to answer
  // (method, version, whether the connection stays) is kept.
  void forget_fields() {
    [[maybe_unused]] const Headers gone = std::exchange(head_.headers, {});
    head_.target_at = {};
  }
  bool is_gone() const { return gone_; }
  // nullptr: nobody wants to know any more. A client that is gone already is not announced.
  void watch_gone(GoneSink* sink) { gone_sink_ = sink; }

  // --- For the handler, the answer: either respond(), or begin() ... finish() ---
  void respond(int status, const Headers& headers, std::string_view body);
  // Starts an answer whose length is not known. Nothing is sent before the first piece.
  void begin(int status, const Headers& headers);
  // Sends pieces, after what begin() prepared. An error means that the client is gone.
  Result<> write(std::span<const std::string_view> pieces);
  // Ends the answer in good order, with some last pieces.
  void finish(std::span<const std::string_view> last_pieces = {});
  // Sends some last words of an answer that cannot go on, and ends the connection without ending
  // the answer, so that the client does not take it for complete.
  void break_off(std::string_view last_words);
  // Ends the connection at once; what is still queued is lost.
  void abort();

  // More is queued than a client that reads would leave: wait in drained() before writing more.
  bool is_backed_up() const { return stream_->queued_bytes() > limits::queue_bytes_high; }
  // Errors: closed, timeout (write_timeout_ms passed and not a byte was taken).
  event::Task<Result<>> drained();

  bool has_begun() const { return answer_ != Answer::none; }
  bool has_answered() const { return answer_ >= Answer::finished; }

 private:
  enum class Stage : uint8_t { idle, head, serving, ending };
  enum class Answer : uint8_t { none, prepared, streaming, finished, broken_off, aborted };
  enum class Waiting : uint8_t { nothing, head, body, end };

  void on_bytes(std::string_view bytes) override;
  void on_read_end(Error error) override;
  void on_deadline();

  event::Task<> serve_all();
  event::Task<bool> next_request();
  event::Task<> linger();
  void consume(std::string_view bytes);
  void wake();
  void begin_next();
  Result<> check_body_announced() const;
  void count_body();
  bool sends_body(int status) const;
  Connection connection_after() const;

  ServerShared& shared_;
  std::unique_ptr<event::Stream> stream_;
  Handler& handler_;
  RequestParser parser_;
  RequestHead head_;
  std::string body_;
  std::string ahead_;     // sent by a pipelining client before its turn
  std::string prepared_;  // the head of a streamed answer until its first piece
  event::Signal progress_;
  event::Deadline deadline_;
  size_t queued_before_ = 0;  // when the write deadline was set
  int64_t linger_until_ns_ = 0;
  GoneSink* gone_sink_ = nullptr;
  std::unique_ptr<const Error> read_error_;
  uint32_t body_counted_ = 0;  // of the bytes of all bodies; no body comes near 4 GiB
  Stage stage_ = Stage::idle;
  Answer answer_ = Answer::none;
  Waiting waiting_ = Waiting::nothing;
  bool has_head_ = false;
  bool body_complete_ = false;
  bool body_wanted_ = false;
  bool chunked_ = false;
  bool unparsable_ = false;
  bool gone_ = false;
  bool close_after_ = false;
};

}  // namespace mg::http
