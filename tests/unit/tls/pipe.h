// Two Streams joined in memory: what one writes the other reads, on a later turn of the loop, in
// pieces as small as the test wants. Writes beyond a bound stay queued until the other side reads.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "event/loop.h"
#include "event/stream.h"

namespace mg::tls::test {

class Pipe final : public event::Stream, private event::Deferred {
 public:
  struct Options {
    size_t piece_bytes = 100'000;  // at most so many per delivery
    size_t room_bytes = 64'000;    // what the "kernel" between them holds
  };
  using Ends = std::pair<std::unique_ptr<Pipe>, std::unique_ptr<Pipe>>;

  static Ends make(event::Loop& loop) { return make(loop, Options()); }
  static Ends make(event::Loop& loop, const Options& options) {
    auto a = std::make_unique<Pipe>(loop, options);
    auto b = std::make_unique<Pipe>(loop, options);
    a->other_ = b.get();
    b->other_ = a.get();
    return {std::move(a), std::move(b)};
  }
  Pipe(event::Loop& loop, const Options& options) : loop_(loop), options_(options) {}
  ~Pipe() override { leave({Errc::closed, "closed"}); }

  void read_start(event::ReadSink& sink) override {
    sink_ = &sink;
    reading_ = true;
    come();
  }
  void read_stop() override { reading_ = false; }

  using event::Stream::write;
  Result<> write(std::span<const std::string_view> pieces) override {
    if (write_error()) return tl::unexpected(*write_error());
    if (!other_) {
      fail_writes({Errc::closed, "nobody reads"});
      return tl::unexpected(*write_error());
    }
    for (std::string_view piece : pieces) {
      queue_.append(piece);
      written_bytes_ += piece.size();
    }
    pump();
    return {};
  }
  size_t queued_bytes() const override { return queue_.size(); }
  void finish() override {
    finished_ = true;
    pump();
  }
  void abort() override {
    leave({Errc::io, "reset"});
    fail_writes({Errc::closed, "aborted"});
  }
  SocketAddress peer() const override { return {}; }

  // For tests.
  uint64_t written_bytes() const { return written_bytes_; }
  bool is_reading() const { return reading_; }

 private:
  void come() {
    const bool has_news = !inbox_.empty() || (end_ && !told_);
    if (reading_ && has_news && !is_linked()) loop_.defer(*this);
  }
  // From our queue into the other's inbox, as far as there is room.
  void pump() {
    if (!other_) return;
    const size_t room = options_.room_bytes - std::min(options_.room_bytes, other_->inbox_.size());
    const size_t moved = std::min(room, queue_.size());
    other_->inbox_.append(queue_, 0, moved);
    queue_.erase(0, moved);
    if (queue_.empty() && finished_ && !other_->end_) other_->end_ = {Errc::closed, "end"};
    other_->come();
  }
  void run() override {
    if (!reading_) return;
    if (inbox_.empty()) {
      if (!end_ || told_) return;
      reading_ = false;
      told_ = true;
      sink_->on_read_end(*end_);
      return;
    }
    const std::string piece = inbox_.substr(0, options_.piece_bytes);
    inbox_.erase(0, piece.size());
    come();
    if (other_) {
      const bool was_full = other_->queued_bytes() > 0;
      other_->pump();
      if (was_full && other_->queued_bytes() == 0) other_->notify_drained();
    }
    sink_->on_bytes(piece);
  }
  void leave(const Error& why) {
    if (!other_) return;
    other_->other_ = nullptr;
    if (!other_->end_) other_->end_ = why;
    other_->come();
    other_ = nullptr;
  }

  event::Loop& loop_;
  const Options options_;
  Pipe* other_ = nullptr;
  event::ReadSink* sink_ = nullptr;
  std::string queue_;  // written, not yet under way
  std::string inbox_;  // under way to us
  std::optional<Error> end_;
  bool told_ = false;  // once, as event::ReadSink says
  uint64_t written_bytes_ = 0;
  bool reading_ = false;
  bool finished_ = false;
};

}  // namespace mg::tls::test
