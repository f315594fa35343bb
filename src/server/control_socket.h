// state/control.sock: commands of the command line against the running server. A connection carries
// one command, a line of JSON each way:
//   {"command":"key.create","arguments":{...}}
//   {"result":...}   or   {"error":{"code":"not_found","message":"..."}}
// Who may connect is decided by the kernel's word on the peer's user (event/tcp.h).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/operations.h"
#include "event/tcp.h"

namespace mg::server {

class ControlSocket final : private event::AcceptSink {
 public:
  // Errors: io.
  static Result<std::unique_ptr<ControlSocket>> open(event::UvLoop& loop, event::UvSockets& sockets,
                                                     control::Operations& operations,
                                                     const std::string& path);

 private:
  ControlSocket(event::UvLoop& loop, control::Operations& operations)
      : loop_(loop), operations_(operations) {}
  void on_accept(std::unique_ptr<event::Stream> stream) override;
  event::Task<> serve(std::unique_ptr<event::Stream> stream);

  event::UvLoop& loop_;
  control::Operations& operations_;
  std::unique_ptr<event::Listener> listener_;
};

// The other side. Nothing when nobody listens there; then the command has reached nobody. Errors:
// the server's own; io when it ended before it answered, and timeout when it did not answer within
// `wait_ms` (0: however long that takes). In both cases the command may have been carried out, and
// in the second it may still be.
event::Task<Result<std::optional<Json>>> ask_server(event::UvLoop& loop, event::UvSockets& sockets,
                                                    std::string path, std::string command,
                                                    Json arguments, int64_t wait_ms);

}  // namespace mg::server
