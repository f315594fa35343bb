#include "event/tcp.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

// A descriptor until somebody else takes it over.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

Error system_error(std::string_view doing) {
  return uv_error(uv_translate_sys_error(errno), doing);
}

// Accepts. Of many who come at once it takes some each turn: who is here already does not wait for
// all of them, and they do not all hold at the same time what a request needs before its answer
// begins. Out of descriptors, it lets the rest wait and asks again after a pause. (uv_listen would
// not do: its loop goes on asking, and where several threads are out of descriptors it never ends.)
template <class H, class Init, class Open, class Wrap>
class UvListener final : public Listener {
 public:
  UvListener(UvLoop& loop, Descriptor socket, AcceptSink& sink, SocketAddress address, Init init,
             Open open, Wrap wrap)
      : loop_(loop),
        socket_(std::move(socket)),
        sink_(sink),
        address_(address),
        init_(init),
        open_(open),
        wrap_(wrap),
        pause_(Timer::calling<&UvListener::watch>(loop.timers(), this)) {}
  ~UvListener() override {
    poll_.reset();  // before its descriptor
    if (!local_path_.empty()) ::unlink(local_path_.c_str());
  }

  int start() {
    auto raw = std::make_unique<uv_poll_t>();
    const int status = uv_poll_init(loop_.uv(), raw.get(), socket_.get());
    if (status != 0) return status;
    as_handle(raw.get())->data = this;
    poll_.reset(raw.release());
    watch();
    return 0;
  }
  void remove_on_close(std::string path) { local_path_ = std::move(path); }
  SocketAddress address() const override { return address_; }
  bool has_more() const override {
    pollfd waiting{socket_.get(), POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

 private:
  void watch() {
    uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* poll, int, int) {
      if (auto* self = owner_of<UvListener>(poll)) self->accept_some();
    });
  }
  void accept_some() {
    for (int taken = 0; taken < limits::accepts_per_turn_max;) {
      Descriptor peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      const int number = errno;
      if (peer.get() >= 0) {
        ++taken;
        let_in(std::move(peer));
      } else if (number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM) {
        log_warning("accept_failed", {{"reason", std::strerror(number)}});
        uv_poll_stop(poll_.get());
        pause_.start_ms(kAcceptPauseMs);
        return;
      } else if (number == EAGAIN) {
        return;
      } else {
        ++taken;  // one that broke on its way in (accept(2), "Error handling")
      }
    }
  }
  void let_in(Descriptor peer) {
    auto client = make_socket<H>(loop_, init_);
    if (!client || open_(client->get(), peer.get()) != 0) return;
    peer.release();
    if (auto stream = wrap_(loop_, std::move(*client))) sink_.on_accept(std::move(stream));
  }

  UvLoop& loop_;
  const Descriptor socket_;
  AcceptSink& sink_;
  SocketAddress address_;
  Init init_;
  Open open_;
  Wrap wrap_;
  Timer pause_;
  Handle<uv_poll_t> poll_;
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
  const std::string doing = "listen on " + address.text();
  sockaddr_storage name = to_sockaddr(address);
  socklen_t length = address.ip.is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  Descriptor socket(::socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (socket.get() < 0) return tl::unexpected(system_error(doing));
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (sharing == PortSharing::between_workers)
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  auto* generic = reinterpret_cast<sockaddr*>(&name);
  if (::bind(socket.get(), generic, length) != 0 || ::listen(socket.get(), kBacklog) != 0 ||
      ::getsockname(socket.get(), generic, &length) != 0)
    return tl::unexpected(system_error(doing));
  using Type =
      UvListener<uv_tcp_t, decltype(&init_tcp), decltype(&uv_tcp_open), decltype(&tcp_stream)>;
  auto listener = std::make_unique<Type>(loop_, std::move(socket), sink, from_sockaddr(name),
                                         &init_tcp, &uv_tcp_open, &tcp_stream);
  const int status = listener->start();
  if (status != 0) return tl::unexpected(uv_error(status, doing));
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
  const std::string doing = "listen on " + path;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, kLocalPathBytesMax);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return tl::unexpected(system_error(doing));
  ::unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = ::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof name);
  umask(before);
  if (bound != 0 || ::listen(socket.get(), kBacklog) != 0)
    return tl::unexpected(system_error(doing));
  using Type =
      UvListener<uv_pipe_t, decltype(&init_pipe), decltype(&uv_pipe_open), decltype(&local_stream)>;
  auto listener = std::make_unique<Type>(loop_, std::move(socket), sink, SocketAddress(),
                                         &init_pipe, &uv_pipe_open, &local_stream);
  listener->remove_on_close(path);
  const int status = listener->start();
  if (status != 0) return tl::unexpected(uv_error(status, doing));
  return listener;
}

}  // namespace mg::event
