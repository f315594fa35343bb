// A connected libuv stream (TCP or pipe) as a Stream. Internal to this folder.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "event/handle.h"
#include "event/stream.h"
#include "event/uv_loop.h"

namespace mg::event {

template <class H>
class UvStream final : public Stream {
 public:
  UvStream(UvLoop& loop, Handle<H> handle, SocketAddress peer)
      : loop_(loop), handle_(std::move(handle)), peer_(peer) {
    as_handle(handle_.get())->data = this;
  }

  void read_start(ReadSink& sink) override {
    sink_ = &sink;
    if (reading_ || ended_ || !handle_) return;
    reading_ = true;
    const int status = uv_read_start(
        stream(), [](uv_handle_t* h, size_t, uv_buf_t* buffer) { on_alloc(h, buffer); },
        [](uv_stream_t* s, ssize_t n, const uv_buf_t* buffer) { on_read(s, n, buffer); });
    MG_ASSERT(status == 0);
  }

  void read_stop() override {
    if (!reading_ || !handle_) return;
    reading_ = false;
    uv_read_stop(stream());
  }

  Result<> write(std::span<const std::string_view> pieces) override {
    if (write_error()) return tl::unexpected(*write_error());
    size_t skip = 0;
    if (queued_bytes() == 0) {
      const Result<size_t> sent = try_write(pieces);
      if (!sent) {
        fail_writes(sent.error());
        return tl::unexpected(sent.error());
      }
      skip = *sent;
    }
    for (std::string_view piece : pieces) {
      const size_t n = std::min(skip, piece.size());
      skip -= n;
      append_waiting(piece.substr(n));
    }
    if (!waiting_.empty() && in_flight_bytes_ == 0) submit();
    return {};
  }

  size_t queued_bytes() const override { return waiting_.size() + in_flight_bytes_; }

  void finish() override {
    finishing_ = true;
    if (queued_bytes() == 0 && handle_) shut_down();
  }

  void abort() override {
    if (!handle_) return;
    reading_ = false;
    if constexpr (std::is_same_v<H, uv_tcp_t>) {
      H* h = handle_.release();
      as_handle(h)->data = nullptr;
      const auto freed = [](uv_handle_t* closed) { delete reinterpret_cast<H*>(closed); };
      if (uv_tcp_close_reset(h, freed) != 0) uv_close(as_handle(h), freed);
    } else {
      handle_.reset();
    }
    fail_writes({Errc::closed, "aborted"});
  }

  SocketAddress peer() const override { return peer_; }

 private:
  static constexpr size_t kPiecesMax = 16;
  static constexpr size_t kGrowthBytesMax = 32 * limits::KiB;

  struct WriteRequest {
    uv_write_t request;
    std::string bytes;
  };

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(handle_.get()); }

  static void on_alloc(uv_handle_t* h, uv_buf_t* buffer) {
    auto* self = static_cast<UvStream*>(h->data);
    const std::span<char> shared = self ? self->loop_.read_buffer() : std::span<char>();
    *buffer = uv_buf_init(shared.data(), static_cast<unsigned>(shared.size()));
  }

  static void on_read(uv_stream_t* s, ssize_t n, const uv_buf_t* buffer) {
    auto* self = static_cast<UvStream*>(s->data);
    if (!self || n == 0) return;
    if (n > 0) {
      self->sink_->on_bytes({buffer->base, static_cast<size_t>(n)});
      return;  // the sink may have destroyed the stream
    }
    self->read_stop();
    self->ended_ = true;
    const int status = static_cast<int>(n);
    self->sink_->on_read_end(uv_error(status == UV_EOF ? self->why_ended() : status, "read"));
  }

  // libuv takes a hang-up that comes behind a short read for the end of the stream, without asking
  // whether it was a reset; the kernel still knows.
  int why_ended() {
    uv_os_fd_t fd = -1;
    char byte;
    if (uv_fileno(as_handle(handle_.get()), &fd) != 0) return UV_EOF;
    const ssize_t more = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return more < 0 && errno == ECONNRESET ? UV_ECONNRESET : UV_EOF;
  }

  // Bytes the kernel took at once.
  Result<size_t> try_write(std::span<const std::string_view> pieces) {
    uv_buf_t buffers[kPiecesMax];
    size_t sent = 0;
    while (!pieces.empty()) {
      const auto now = pieces.first(std::min(pieces.size(), kPiecesMax));
      size_t want = 0;
      for (size_t i = 0; i < now.size(); ++i) {
        buffers[i] =
            uv_buf_init(const_cast<char*>(now[i].data()), static_cast<unsigned>(now[i].size()));
        want += now[i].size();
      }
      const int n = uv_try_write(stream(), buffers, static_cast<unsigned>(now.size()));
      if (n == UV_EAGAIN) return sent;
      if (n < 0) return tl::unexpected(uv_error(n, "write"));
      sent += static_cast<size_t>(n);
      if (static_cast<size_t>(n) < want) return sent;
      pieces = pieces.subspan(now.size());
    }
    return sent;
  }

  // Doubles while it is small, and then grows by steps: a slow reader shall not cost twice what it
  // may leave unread.
  void append_waiting(std::string_view bytes) {
    const size_t size = waiting_.size() + bytes.size();
    if (size > waiting_.capacity()) {
      std::string grown;
      grown.reserve(size + std::min(waiting_.size(), kGrowthBytesMax));
      grown.append(waiting_);
      waiting_.swap(grown);
    }
    waiting_.append(bytes);
  }

  void submit() {
    auto write = std::make_unique<WriteRequest>();
    write->bytes.swap(waiting_);
    in_flight_bytes_ = write->bytes.size();
    write->request.data = write.get();
    uv_buf_t buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
    const int status = uv_write(&write->request, stream(), &buffer, 1, &UvStream::on_written);
    if (status != 0) {
      in_flight_bytes_ = 0;
      fail_writes(uv_error(status, "write"));
      return;
    }
    write.release();  // comes back in on_written, always
  }

  static void on_written(uv_write_t* request, int status) {
    std::unique_ptr<WriteRequest> write(static_cast<WriteRequest*>(request->data));
    auto* self = static_cast<UvStream*>(request->handle->data);
    if (!self) return;
    self->in_flight_bytes_ = 0;
    if (status != 0) {
      self->waiting_.clear();
      self->fail_writes(uv_error(status, "write"));
    } else if (!self->waiting_.empty()) {
      self->submit();
    } else {
      if (self->finishing_) self->shut_down();
      self->notify_drained();
    }
  }

  void shut_down() {
    auto request = std::make_unique<uv_shutdown_t>();
    const auto freed = [](uv_shutdown_t* done, int) { std::unique_ptr<uv_shutdown_t> owned(done); };
    if (uv_shutdown(request.get(), stream(), freed) == 0) request.release();
  }

  UvLoop& loop_;
  Handle<H> handle_;
  const SocketAddress peer_;
  ReadSink* sink_ = nullptr;
  std::string waiting_;
  size_t in_flight_bytes_ = 0;
  bool reading_ = false;
  bool ended_ = false;  // the reading side is over
  bool finishing_ = false;
};

}  // namespace mg::event
