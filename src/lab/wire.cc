#include "lab/wire.h"

namespace mg::lab {

Wire::Wire(Shared& shared, std::unique_ptr<event::Stream> stream)
    : shared_(shared), stream_(std::move(stream)) {}

Wire::~Wire() = default;

event::Task<Wire::Arrival> Wire::next_request() {
  stage_ = Stage::reading;
  is_idle_ = true;
  progress_.reset();
  forget_request();
  if (!ahead_.empty()) {
    const std::string bytes = std::exchange(ahead_, {});
    consume(bytes);
  }
  if (stage_ == Stage::reading && !gone_) stream_->read_start(*this);
  for (;;) {
    if (stage_ == Stage::complete) co_return Arrival::request;
    if (stage_ == Stage::nonsense) co_return Arrival::nonsense;
    if (gone_ || (is_idle_ && is_ending_)) co_return Arrival::nothing;
    co_await progress_.wait();
  }
}

void Wire::forget_request() {
  head_ = {};
  body_ = {};
}

void Wire::end_when_idle() {
  is_ending_ = true;
  if (stage_ == Stage::reading && is_idle_) progress_.raise();
}

void Wire::on_bytes(std::string_view bytes) {
  if (stage_ == Stage::reading) {
    consume(bytes);
    if (stage_ != Stage::reading) progress_.raise();  // may destroy this
    return;
  }
  ahead_.append(bytes);
  if (ahead_.size() > limits::pipelined_bytes_max) stream_->read_stop();
}

void Wire::consume(std::string_view bytes) {
  is_idle_ = is_idle_ && bytes.empty();
  for (;;) {
    const http::Parsed parsed = parser_.feed(bytes);
    bytes.remove_prefix(parsed.consumed);
    switch (parsed.event) {
      case http::ParseEvent::head:
        head_ = parser_.take_head();
        if (head_.expects_continue) write(http::kContinue);
        if (head_.body.kind == http::BodyKind::length)
          body_.reserve(std::min<size_t>(head_.body.bytes, limits::MiB) +
                        limits::json_padding_bytes);
        break;
      case http::ParseEvent::body:
        body_.append(parsed.body);
        break;
      case http::ParseEvent::complete:
        stage_ = Stage::complete;
        ahead_.append(bytes);
        return;
      case http::ParseEvent::error:
        stage_ = Stage::nonsense;
        return;
      case http::ParseEvent::need_more:
        return;
    }
  }
}

void Wire::on_read_end(Error error) {
  gone_ = true;
  unlink();
  stream_->interrupt_drain(std::move(error));
  progress_.raise();  // may destroy this
}

bool Wire::write(std::string_view bytes) {
  if (gone_) return false;
  const Result<> sent = stream_->write(bytes);
  if (!sent) gone_ = true;
  return !gone_;
}

event::Signal::Awaiter Wire::pause_ms(int64_t ms, Pacer::From from) {
  if (gone_ || ms <= 0) {
    progress_.raise();  // remembered: the wait is over before it begins
  } else {
    progress_.reset();
    shared_.pacer.wait(*this, ms, from);
  }
  return progress_.wait();
}

void Wire::reset() {
  stream_->abort();
  gone_ = was_reset_ = true;
}

}  // namespace mg::lab
