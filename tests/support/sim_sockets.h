// A network in memory: streams are pairs of pipes, delivery is an event of the simulated loop, and
// a test can cut, break or slow what it likes.
#pragma once

#include <map>

#include "event/stream.h"
#include "support/sim_loop.h"

namespace mg::test {

// One end of a connection. What is written arrives at the other end in a later turn, `piece_bytes`
// at a time; a reader that stopped reading leaves it queued at the writer.
class SimStream final : public event::Stream {
 public:
  struct Pair {
    std::unique_ptr<SimStream> near, far;
  };
  static Pair make_pair(SimLoop& loop, SocketAddress near_address, SocketAddress far_address) {
    Pair pair{std::make_unique<SimStream>(loop, far_address),
              std::make_unique<SimStream>(loop, near_address)};
    pair.near->other_ = pair.far.get();
    pair.far->other_ = pair.near.get();
    return pair;
  }

  SimStream(SimLoop& loop, SocketAddress peer) : loop_(loop), peer_(peer) {}
  ~SimStream() override { hang_up({Errc::closed, "closed"}); }

  void read_start(event::ReadSink& sink) override {
    sink_ = &sink;
    reading_ = true;
    schedule();
  }
  void read_stop() override { reading_ = false; }

  Result<> write(std::span<const std::string_view> pieces) override {
    if (write_error()) return tl::unexpected(*write_error());
    if (!other_) {
      fail_writes({Errc::closed, "the other end is gone"});
      return tl::unexpected(*write_error());
    }
    for (std::string_view piece : pieces) other_->inbox_.append(piece);
    other_->schedule();
    return {};
  }
  using event::Stream::write;
  // Up to `window_bytes` count as taken by the kernel.
  size_t queued_bytes() const override {
    if (!other_) return 0;
    return other_->inbox_.size() > window_bytes ? other_->inbox_.size() - window_bytes : 0;
  }
  void finish() override {
    if (!other_) return;
    other_->end_ = Error{Errc::closed, "end of stream"};
    other_->schedule();
  }
  void abort() override { hang_up({Errc::io, "connection reset"}); }
  SocketAddress peer() const override { return peer_; }

  // What has been sent to this end and not been read.
  size_t unread_bytes() const { return inbox_.size(); }

  size_t piece_bytes = 64 * 1024;
  size_t window_bytes = 256 * 1024;

 private:
  void hang_up(Error why) {
    alive_.reset();
    if (!other_) return;
    SimStream* other = std::exchange(other_, nullptr);
    other->other_ = nullptr;
    other->end_ = std::move(why);
    other->schedule();
    other->fail_writes({Errc::closed, "the other end is gone"});
  }
  void schedule() {
    if (scheduled_ || !alive_) return;
    scheduled_ = true;
    loop_.post([this, weak = std::weak_ptr(alive_)] {
      if (!weak.lock()) return;
      scheduled_ = false;
      deliver();
    });
  }
  void deliver() {
    if (!reading_) return;
    if (!inbox_.empty()) {
      const std::string piece = inbox_.substr(0, piece_bytes);
      inbox_.erase(0, piece.size());
      schedule();
      SimStream* writer = other_;
      const std::weak_ptr<int> alive = alive_;
      sink_->on_bytes(piece);
      if (alive.lock() && other_ == writer && writer && writer->queued_bytes() == 0)
        writer->notify_drained();
    } else if (end_) {
      const Error end = *std::exchange(end_, std::nullopt);
      reading_ = false;
      sink_->on_read_end(end);
    }
  }

  SimLoop& loop_;
  const SocketAddress peer_;
  SimStream* other_ = nullptr;
  event::ReadSink* sink_ = nullptr;
  std::string inbox_;
  std::optional<Error> end_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  bool reading_ = false;
  bool scheduled_ = false;
};

class SimSockets final : public event::Sockets {
 public:
  explicit SimSockets(SimLoop& loop) : loop_(loop) {}

  event::Task<Result<std::unique_ptr<event::Stream>>> connect(SocketAddress address,
                                                              int64_t) override {
    co_await event::next_turn(loop_);
    const auto found = listeners_.find(address);
    if (found == listeners_.end()) co_return fail(Errc::refused, address.text() + " refused");
    const SocketAddress from{*IpAddress::parse("127.0.0.1"), next_port_++};
    SimStream::Pair pair = SimStream::make_pair(loop_, from, address);
    found->second->on_accept(std::move(pair.far));
    co_return std::move(pair.near);
  }

  Result<std::unique_ptr<event::Listener>> listen(const SocketAddress& address, event::PortSharing,
                                                  event::AcceptSink& sink) override {
    SocketAddress bound = address;
    if (bound.port == 0) bound.port = next_port_++;
    if (listeners_.contains(bound)) return fail(Errc::conflict, bound.text() + " is in use");
    listeners_[bound] = &sink;
    return std::make_unique<SimListener>(*this, bound);
  }

  bool is_crowded = false;  // as if more had come to every listener than it takes in a turn

 private:
  class SimListener final : public event::Listener {
   public:
    SimListener(SimSockets& sockets, SocketAddress address)
        : sockets_(sockets), address_(address) {}
    ~SimListener() override { sockets_.listeners_.erase(address_); }
    SocketAddress address() const override { return address_; }
    bool has_more() const override { return sockets_.is_crowded; }

   private:
    SimSockets& sockets_;
    const SocketAddress address_;
  };

  SimLoop& loop_;
  std::map<SocketAddress, event::AcceptSink*> listeners_;
  uint16_t next_port_ = 20'000;
};

}  // namespace mg::test
