#include "event/tcp.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "event/local_path.h"
#include "event/uv_stream.h"

namespace mg::event {
namespace {

constexpr int kBacklog = 4096;
constexpr int kUnsentBytesMax = 128 * 1024;
constexpr int64_t kAcceptPauseMs = 100;

SocketAddress from_sockaddr(const sockaddr_storage& storage) {
  SocketAddress out;
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    std::array<uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    out = {IpAddress::v4(bytes), ntohs(in.sin_port)};
  } else if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    out = {IpAddress::v6(bytes), ntohs(in.sin6_port)};
  }
  return out;
}

sockaddr_storage to_sockaddr(const SocketAddress& address) {
  sockaddr_storage storage{};
  if (address.ip.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.ip.data(), 4);
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(storage);
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, address.ip.data(), 16);
  }
  return storage;
}

template <class H, class Init>
Result<Handle<H>> make_socket(UvLoop& loop, Init init) {
  auto raw = std::make_unique<H>();
  const int status = init(loop.uv(), raw.get());
  if (status != 0) return tl::unexpected(uv_error(status, "socket"));
  as_handle(raw.get())->data = nullptr;
  return Handle<H>(raw.release());
}

int init_tcp(uv_loop_t* loop, uv_tcp_t* tcp) { return uv_tcp_init(loop, tcp); }
int init_pipe(uv_loop_t* loop, uv_pipe_t* pipe) { return uv_pipe_init(loop, pipe, 0); }

// Left to itself the kernel keeps megabytes for a peer that does not read, out of sight of every
// bound of ours.
void limit_unsent(const uv_tcp_t& tcp) {
  uv_os_fd_t fd = -1;
  const int bytes = kUnsentBytesMax;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(&tcp), &fd) == 0)
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

std::unique_ptr<Stream> tcp_stream(UvLoop& loop, Handle<uv_tcp_t> handle) {
  uv_tcp_nodelay(handle.get(), 1);
  limit_unsent(*handle);
  sockaddr_storage storage{};
  int length = sizeof storage;
  uv_tcp_getpeername(handle.get(), reinterpret_cast<sockaddr*>(&storage), &length);
  return std::make_unique<UvStream<uv_tcp_t>>(loop, std::move(handle), from_sockaddr(storage));
}

// Waits for one connect request of libuv. The request outlives a waiter that was dropped.
template <class H>
class ConnectAwaiter {
 public:
  explicit ConnectAwaiter(Loop& loop)
      : timer_(Timer::calling<&ConnectAwaiter::on_timeout>(loop.timers(), this)) {}
  ~ConnectAwaiter() {
    if (request_) request_->owner = nullptr;
  }

  // The request to hand to libuv; arm() once libuv took it.
  uv_connect_t* request() {
    request_ = new Request{{}, this};  // freed in on_connected, which libuv always calls
    request_->connect.data = request_;
    return &request_->connect;
  }
  void arm(int64_t timeout_ms) { timer_.start_ms(timeout_ms); }
  void refused(int status) {
    std::unique_ptr<Request> unused(std::exchange(request_, nullptr));
    status_ = status;
  }

  static void on_connected(uv_connect_t* connect, int status) {
    std::unique_ptr<Request> finished(static_cast<Request*>(connect->data));
    ConnectAwaiter* self = finished->owner;
    if (!self) return;
    self->request_ = nullptr;
    self->complete(status);
  }

  bool await_ready() const noexcept { return request_ == nullptr; }
  void await_suspend(std::coroutine_handle<> waiter) { waiter_ = waiter; }
  int await_resume() const noexcept { return status_; }

 private:
  struct Request {
    uv_connect_t connect;
    ConnectAwaiter* owner;
  };

  void on_timeout() {
    request_->owner = nullptr;
    request_ = nullptr;
    complete(UV_ETIMEDOUT);
  }
  void complete(int status) {
    timer_.stop();
    status_ = status;
    if (waiter_) waiter_.resume();
  }

  Timer timer_;
  Request* request_ = nullptr;
  std::coroutine_handle<> waiter_;
  int status_ = 0;
};

// Accepts, and survives running out of descriptors: it pauses instead of spinning, and goes on. Of
// many who come at once it takes some each turn: who is here already does not wait for all of them,
// and they do not all hold at the same time what a request needs before its answer begins.
template <class H, class Init, class Wrap>
class UvListener final : public Listener, private Deferred {
 public:
  UvListener(UvLoop& loop, Handle<H> handle, AcceptSink& sink, SocketAddress address, Init init,
             Wrap wrap)
      : loop_(loop),
        handle_(std::move(handle)),
        sink_(sink),
        address_(address),
        init_(init),
        wrap_(wrap),
        pause_(Timer::calling<&UvListener::accept_one>(loop.timers(), this)) {
    as_handle(handle_.get())->data = this;
  }
  ~UvListener() override {
    if (!local_path_.empty()) ::unlink(local_path_.c_str());
  }

  int start() {
    return uv_listen(reinterpret_cast<uv_stream_t*>(handle_.get()), kBacklog,
                     [](uv_stream_t* server, int status) {
                       auto* self = static_cast<UvListener*>(server->data);
                       if (self) self->on_connection(status);
                     });
  }
  void remove_on_close(std::string path) { local_path_ = std::move(path); }
  SocketAddress address() const override { return address_; }

 private:
  void on_connection(int status) {
    if (status == 0) {
      // One that is not taken stops libuv from asking the kernel for more.
      if (accepted_ < limits::accepts_per_turn_max) {
        ++accepted_;
        accept_one();
      } else {
        has_more_ = true;
      }
      if (!is_linked()) loop_.defer(*this);
    } else if (!pause_.is_armed()) {
      log_warning("accept_failed", {{"reason", uv_strerror(status)}});
      pause_.start_ms(kAcceptPauseMs);
    }
  }
  // At the end of a turn in which somebody came.
  void run() override {
    accepted_ = 0;
    if (std::exchange(has_more_, false)) on_connection(0);
  }
  void accept_one() {
    auto client = make_socket<H>(loop_, init_);
    if (!client) return;
    const int status = uv_accept(reinterpret_cast<uv_stream_t*>(handle_.get()),
                                 reinterpret_cast<uv_stream_t*>(client->get()));
    if (status != 0) return;
    if (auto stream = wrap_(loop_, std::move(*client))) sink_.on_accept(std::move(stream));
  }

  UvLoop& loop_;
  Handle<H> handle_;
  AcceptSink& sink_;
  SocketAddress address_;
  Init init_;
  Wrap wrap_;
  Timer pause_;
  int accepted_ = 0;  // in this turn
  bool has_more_ = false;
  std::string local_path_;
};

// Only our own user and root may speak to the control socket.
bool is_allowed_peer(uv_pipe_t* pipe) {
  uv_os_fd_t fd;
  ucred peer{};
  socklen_t length = sizeof peer;
  if (uv_fileno(as_handle(pipe), &fd) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
    return false;
  return peer.uid == geteuid() || peer.uid == 0;
}

std::unique_ptr<Stream> local_stream(UvLoop& loop, Handle<uv_pipe_t> handle) {
  if (!is_allowed_peer(handle.get())) return nullptr;
  return std::make_unique<UvStream<uv_pipe_t>>(loop, std::move(handle), SocketAddress());
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> UvSockets::connect(SocketAddress address,
                                                         int64_t timeout_ms) {
  MG_CO_TRY(Handle<uv_tcp_t> tcp, make_socket<uv_tcp_t>(loop_, init_tcp));
  const sockaddr_storage storage = to_sockaddr(address);
  ConnectAwaiter<uv_tcp_t> connected(loop_);
  const int status =
      uv_tcp_connect(connected.request(), tcp.get(), reinterpret_cast<const sockaddr*>(&storage),
                     &ConnectAwaiter<uv_tcp_t>::on_connected);
  if (status != 0) {
    connected.refused(status);
  } else {
    connected.arm(timeout_ms);
  }
  const int outcome = co_await connected;
  if (outcome != 0) co_return tl::unexpected(uv_error(outcome, "connect to " + address.text()));
  co_return tcp_stream(loop_, std::move(tcp));
}

Result<std::unique_ptr<Listener>> UvSockets::listen(const SocketAddress& address,
                                                    PortSharing sharing, AcceptSink& sink) {
  const auto init = [](uv_loop_t* l, uv_tcp_t* t) { return uv_tcp_init(l, t); };
  MG_TRY(Handle<uv_tcp_t> tcp, make_socket<uv_tcp_t>(loop_, [&](uv_loop_t* l, uv_tcp_t* t) {
           return uv_tcp_init_ex(l, t, address.ip.is_v4() ? AF_INET : AF_INET6);
         }));
  if (sharing == PortSharing::between_workers) {
    uv_os_fd_t fd;
    const int on = 1;
    uv_fileno(as_handle(tcp.get()), &fd);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  const sockaddr_storage storage = to_sockaddr(address);
  int status = uv_tcp_bind(tcp.get(), reinterpret_cast<const sockaddr*>(&storage), 0);
  sockaddr_storage bound{};
  int length = sizeof bound;
  if (status == 0)
    status = uv_tcp_getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&bound), &length);
  if (status != 0) return tl::unexpected(uv_error(status, "listen on " + address.text()));
  using Type = UvListener<uv_tcp_t, decltype(init), decltype(&tcp_stream)>;
  auto listener =
      std::make_unique<Type>(loop_, std::move(tcp), sink, from_sockaddr(bound), init, &tcp_stream);
  status = listener->start();
  if (status != 0) return tl::unexpected(uv_error(status, "listen on " + address.text()));
  return listener;
}

Task<Result<std::unique_ptr<Stream>>> UvSockets::connect_local(std::string path) {
  MG_CO_TRY(Handle<uv_pipe_t> pipe, make_socket<uv_pipe_t>(loop_, init_pipe));
  ConnectAwaiter<uv_pipe_t> connected(loop_);
  uv_pipe_connect(connected.request(), pipe.get(), path.c_str(),
                  &ConnectAwaiter<uv_pipe_t>::on_connected);
  const int outcome = co_await connected;
  if (outcome != 0) co_return tl::unexpected(uv_error(outcome, "connect to " + path));
  co_return std::make_unique<UvStream<uv_pipe_t>>(loop_, std::move(pipe), SocketAddress());
}

Result<std::unique_ptr<Listener>> UvSockets::listen_local(const std::string& path,
                                                          AcceptSink& sink) {
  static_assert(kLocalPathBytesMax == sizeof(sockaddr_un::sun_path) - 1);
  if (path.size() > kLocalPathBytesMax)
    return fail(Errc::invalid, path + " is too long for a local socket");
  MG_TRY(Handle<uv_pipe_t> pipe, make_socket<uv_pipe_t>(loop_, init_pipe));
  ::unlink(path.c_str());
  const mode_t before = umask(0177);
  int status = uv_pipe_bind(pipe.get(), path.c_str());
  umask(before);
  if (status != 0) return tl::unexpected(uv_error(status, "listen on " + path));
  using Type = UvListener<uv_pipe_t, decltype(&init_pipe), decltype(&local_stream)>;
  auto listener = std::make_unique<Type>(loop_, std::move(pipe), sink, SocketAddress(), &init_pipe,
                                         &local_stream);
  listener->remove_on_close(path);
  status = listener->start();
  if (status != 0) return tl::unexpected(uv_error(status, "listen on " + path));
  return listener;
}

}  // namespace mg::event
