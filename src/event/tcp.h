// TCP and local sockets over libuv.
#pragma once

#include <functional>
#include <string>

#include "event/stream.h"
#include "event/uv_loop.h"

namespace mg::event {

// The sockets of production. The loop must outlive it and every stream it made.
class UvSockets final : public Sockets {
 public:
  explicit UvSockets(UvLoop& loop) : loop_(loop) {}
  Task<Result<std::unique_ptr<Stream>>> connect(SocketAddress address, int64_t timeout_ms) override;
  Result<std::unique_ptr<Listener>> listen(const SocketAddress& address, PortSharing sharing,
                                           AcceptSink& sink) override;

  // Local (AF_UNIX) sockets, for the control socket. peer() of such a stream says nothing.
  Task<Result<std::unique_ptr<Stream>>> connect_local(std::string path);
  // Replaces a socket file nobody listens on. Only peers of our own user, or root, are accepted.
  Result<std::unique_ptr<Listener>> listen_local(const std::string& path, AcceptSink& sink);

 private:
  UvLoop& loop_;
};

}  // namespace mg::event
