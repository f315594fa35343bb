#include "http/client_connection.h"

#include "base/assert.h"

namespace mg::http {

ClientConnection::ClientConnection(event::Loop& loop, std::unique_ptr<event::Stream> stream)
    : stream_(std::move(stream)),
      deadline_(event::Deadline::calling<&ClientConnection::on_deadline>(loop.timers(), this)) {
  stream_->read_start(*this);
}

ClientConnection::~ClientConnection() = default;

void ClientConnection::send(Method method, std::string_view head,
                            std::span<const std::string_view> body) {
  MG_ASSERT(!in_exchange_);
  in_exchange_ = true;
  complete_ = keep_alive_ = false;
  head_.reset();
  kept_.clear();
  body_bytes_ = 0;
  parser_.expect(method);
  std::vector<std::string_view> pieces{head};
  pieces.insert(pieces.end(), body.begin(), body.end());
  const Result<> sent = stream_->write(pieces);
  // The peer may have answered before it closed (a refusal, say): what it sent is read first, and
  // the end of the stream then tells of the failure.
  if (!sent && ended_) fail_with(sent.error());
}

void ClientConnection::on_bytes(std::string_view bytes) {
  consume(bytes);
  if (waiting_ == Waiting::nothing && kept_.size() >= limits::read_buffer_bytes)
    stream_->read_stop();
  const bool head_news = waiting_ == Waiting::head && head_is_ready();
  const bool body_news = waiting_ == Waiting::body && (body_is_ready() || pieces_are_new_);
  if (head_news || body_news) resume_waiter();
}

void ClientConnection::consume(std::string_view bytes) {
  pieces_.clear();
  if (!in_exchange_) {
    keep_alive_ = false;  // an answer to nothing: whatever it is, the connection is not to be used
    return;
  }
  while (!complete_ && !error_) {
    const Parsed parsed = parser_.feed(bytes);
    bytes.remove_prefix(parsed.consumed);
    switch (parsed.event) {
      case ParseEvent::head:
        head_ = parser_.take_head();
        keep_alive_ = head_->keep_alive;
        break;
      case ParseEvent::body:
        body_bytes_ += parsed.body.size();
        // A waiting reader gets the bytes where they lie; otherwise they are kept, in order.
        if (waiting_ == Waiting::body && kept_.empty()) {
          pieces_.push_back(parsed.body);
          pieces_are_new_ = true;
        } else {
          kept_.append(parsed.body);
        }
        break;
      case ParseEvent::complete:
        complete_ = true;
        // More than was asked for: the rest is nobody's answer, and the connection not to be
        // trusted.
        if (!bytes.empty()) keep_alive_ = false;
        break;
      case ParseEvent::error:
        fail_with({Errc::protocol, std::string(parser_.error().reason)});
        break;
      case ParseEvent::need_more:
        return;
    }
  }
  if (complete_ && !bytes.empty()) keep_alive_ = false;
}

void ClientConnection::on_read_end(Error error) {
  ended_ = true;
  keep_alive_ = false;
  const bool is_whole = in_exchange_ && !complete_ && error.code == Errc::closed &&
                        parser_.finish().event == ParseEvent::complete;
  if (is_whole) {
    complete_ = true;
  } else if (!complete_) {
    // Whether it was closed or reset: before the first byte of an answer a kept connection may
    // simply have been given up by the peer as we took it.
    const bool has_begun = parser_.is_in_head() || head_ || body_bytes_ > 0;
    if (!has_begun) {
      error.code = Errc::closed;
    } else if (error.code == Errc::closed) {
      error = {Errc::protocol, "the upstream ended the connection"};
    }
    fail_with(std::move(error));
  }
  if (waiting_ != Waiting::nothing) resume_waiter();
}

void ClientConnection::on_deadline() {
  if (waiting_ == Waiting::nothing) return;
  interrupt({Errc::timeout, waiting_ == Waiting::head ? "no answer in time" : "no more in time"});
}

void ClientConnection::interrupt(Error error) {
  fail_with(std::move(error));
  if (waiting_ != Waiting::nothing) resume_waiter();
}

void ClientConnection::fail_with(Error error) {
  keep_alive_ = false;
  if (!error_) error_ = std::make_unique<const Error>(std::move(error));
}

void ClientConnection::wait(std::coroutine_handle<> waiter, int64_t timeout_ms) {
  waiter_ = waiter;
  std::string().swap(given_);  // the reader is through with it, and may wait long
  deadline_.set_ms(timeout_ms);
  if (!ended_) stream_->read_start(*this);
}

void ClientConnection::resume_waiter() {
  waiting_ = Waiting::nothing;
  deadline_.clear();
  std::exchange(waiter_, {}).resume();
}

Result<ResponseHead> ClientConnection::take_head() {
  waiting_ = Waiting::nothing;
  if (!head_) return tl::unexpected(*error_);
  Result<ResponseHead> head = std::move(*head_);
  head_.reset();
  return head;
}

Result<std::span<const std::string_view>> ClientConnection::take_pieces() {
  waiting_ = Waiting::nothing;
  if (std::exchange(pieces_are_new_, false)) return std::span<const std::string_view>(pieces_);
  if (!kept_.empty()) {
    given_ = std::exchange(kept_, {});
    pieces_.assign(1, given_);
    return std::span<const std::string_view>(pieces_);
  }
  if (complete_) {
    in_exchange_ = false;
    return std::span<const std::string_view>();
  }
  return tl::unexpected(*error_);
}

// An upstream may answer before it has taken the whole request: what is still queued then would
// stand before the next one.
bool ClientConnection::is_reusable() const {
  return !in_exchange_ && keep_alive_ && !error_ && stream_->queued_bytes() == 0;
}

void ClientConnection::rest() {
  std::string().swap(given_);
  std::string().swap(kept_);
  head_.reset();
  stream_->read_start(*this);
}

}  // namespace mg::http
