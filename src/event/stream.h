// Bytes both ways: TCP, TLS over it, a local socket, or a pipe in memory. And how one comes by
// them. These are the seams a simulation replaces; nothing else in the program opens a socket.
#pragma once

#include <coroutine>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"
#include "event/task.h"

namespace mg::event {

// Where a stream delivers what it reads.
class ReadSink {
 public:
  // The bytes are valid during the call only. The sink may stop reading, write, or destroy the
  // stream from inside.
  virtual void on_bytes(std::string_view bytes) = 0;
  // Once, and nothing follows: closed for an orderly end, else what broke.
  virtual void on_read_end(Error error) = 0;

 protected:
  ~ReadSink() = default;
};

class Stream {
 public:
  // Closes at once; what was not yet sent may be lost. Anyone waiting in drained() must be gone.
  virtual ~Stream() = default;

  // Reading is off until started; stopping leaves bytes to the kernel, and so to the sender.
  virtual void read_start(ReadSink& sink) = 0;
  virtual void read_stop() = 0;

  // Sends all pieces in order. What the kernel does not take now is kept and sent later; look at
  // queued_bytes() and wait for drained() before adding more. An error here, or one reported by
  // drained(), is final.
  virtual Result<> write(std::span<const std::string_view> pieces) = 0;
  Result<> write(std::string_view bytes) { return write(std::span(&bytes, 1)); }
  virtual size_t queued_bytes() const = 0;

  // Ends our side once everything is sent; reading goes on.
  virtual void finish() = 0;
  // Ends both sides so that the peer cannot take it for an orderly end (TCP: RST).
  virtual void abort() = 0;

  virtual SocketAddress peer() const = 0;

  // co_await stream.drained(): until nothing is queued. One waiter at a time.
  class DrainedAwaiter {
   public:
    explicit DrainedAwaiter(Stream& stream) : stream_(stream) {}
    ~DrainedAwaiter() {
      if (waiting_) stream_.drain_waiter_ = nullptr;
    }
    bool await_ready() const { return stream_.queued_bytes() == 0 || stream_.write_error_; }
    void await_suspend(std::coroutine_handle<> waiter) {
      waiter_ = waiter;
      waiting_ = true;
      stream_.drain_waiter_ = this;
    }
    Result<> await_resume() {
      waiting_ = false;
      if (interrupted_) return tl::unexpected(*interrupted_);
      if (stream_.write_error_) return tl::unexpected(*stream_.write_error_);
      return {};
    }

   private:
    friend class Stream;
    Stream& stream_;
    std::coroutine_handle<> waiter_;
    std::optional<Error> interrupted_;
    bool waiting_ = false;
  };
  DrainedAwaiter drained() { return DrainedAwaiter(*this); }

  // Ends a wait in drained() with this error, for deadlines. Without a waiter it does nothing.
  void interrupt_drain(Error error);

 protected:
  // For implementations: everything is sent, or sending failed for good.
  void notify_drained();
  void fail_writes(Error error);
  const std::optional<Error>& write_error() const { return write_error_; }
  // For a stream that lies over another and owns it: what `inner` would say to those who wait on
  // it, it says to this one.
  void follow(Stream& inner) { inner.outer_ = this; }

 private:
  void resume_drain_waiter();
  Stream* outer_ = nullptr;
  DrainedAwaiter* drain_waiter_ = nullptr;
  std::optional<Error> write_error_;
};

// Called for each accepted connection, on the listener's loop.
class AcceptSink {
 public:
  virtual void on_accept(std::unique_ptr<Stream> stream) = 0;

 protected:
  ~AcceptSink() = default;
};

class Listener {
 public:
  virtual ~Listener() = default;  // stops listening
  virtual SocketAddress address() const = 0;
  // More had come than were taken in this turn. Who waits when the listener goes is cut off.
  virtual bool has_more() const { return false; }
};

enum class PortSharing : uint8_t { exclusive, between_workers };

class Sockets {
 public:
  virtual ~Sockets() = default;
  // Errors: refused, timeout, io.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(SocketAddress address,
                                                        int64_t timeout_ms) = 0;
  // Port 0 binds any free one. Errors: conflict when the address is taken, io.
  virtual Result<std::unique_ptr<Listener>> listen(const SocketAddress& address,
                                                   PortSharing sharing, AcceptSink& sink) = 0;
};

}  // namespace mg::event
