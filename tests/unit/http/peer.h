// The far end of a connection over the simulated network, for tests of either end of HTTP.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "support/sim_sockets.h"

namespace mg::http::test {

using mg::test::SimStream;

inline const SocketAddress kHere{*IpAddress::parse("127.0.0.1"), 1};
inline const SocketAddress kThere{*IpAddress::parse("127.0.0.2"), 2};

// The far end of a connection: what it received, and the stream to talk back with.
struct Peer final : event::ReadSink {
  explicit Peer(std::unique_ptr<SimStream> s) : stream(std::move(s)) { stream->read_start(*this); }
  void on_bytes(std::string_view bytes) override { received.append(bytes); }
  void on_read_end(Error error) override { end = error; }
  void say(std::string_view bytes) { CHECK(stream->write(bytes)); }
  std::unique_ptr<SimStream> stream;
  std::string received;
  std::optional<Error> end;
};

}  // namespace mg::http::test
