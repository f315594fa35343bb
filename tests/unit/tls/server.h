// A small HTTPS server and ways to run other people's programs against it, for tests over real
// sockets.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "base/text.h"
#include "event/tcp.h"
#include "tls/stream.h"
#include "unit/tls/on_loop.h"

namespace mg::tls::test {

// Answers one request per connection: /info says what TLS knows, /big is long, /echo comes back.
class TestServer final : private event::AcceptSink {
 public:
  static constexpr size_t kBigBytes = 5'000'000;

  TestServer(event::UvLoop& loop, std::shared_ptr<const ServerCredentials> now)
      : credentials(std::move(now)), loop_(loop), sockets_(loop) {
    listener_ = sockets_
                    .listen(SocketAddress::parse("127.0.0.1:0").value(),
                            event::PortSharing::exclusive, *this)
                    .value();
  }
  std::string port() const { return std::to_string(listener_->address().port); }

  std::shared_ptr<const ServerCredentials> credentials;  // for the next connection
  int shaken() const { return *shaken_; }

 private:
  void on_accept(std::unique_ptr<event::Stream> stream) override {
    loop_.spawn(serve(loop_, std::move(stream), credentials, shaken_));
  }

  // Static: a connection may still be served when the test is over.
  static event::Task<> serve(event::Loop& loop, std::unique_ptr<event::Stream> inner,
                             std::shared_ptr<const ServerCredentials> with,
                             std::shared_ptr<int> shaken) {
    Result<std::unique_ptr<Stream>> made =
        co_await tls::accept(loop, std::move(inner), std::move(with), 10'000);
    if (!made) co_return;
    ++*shaken;
    Stream& stream = **made;
    Collector received;
    stream.read_start(received);
    size_t head_end;
    while ((head_end = received.bytes.find("\r\n\r\n")) == std::string::npos) {
      const bool more = co_await received.until(received.bytes.size() + 1);
      if (!more) co_return;
    }
    const std::string head = received.bytes.substr(0, head_end + 4);
    std::string body = "version=" + std::string(stream.version()) +
                       " resumed=" + (stream.was_resumed() ? "1" : "0") +
                       " name=" + std::string(stream.server_name()) + "\n";
    if (head.find(" /big ") != std::string::npos) body.assign(kBigBytes, 'b');
    const size_t length_at = to_lower(head).find("content-length: ");
    if (length_at != std::string::npos) {
      const size_t length = std::stoul(head.substr(length_at + 16));
      const bool all = co_await received.until(head.size() + length);
      if (!all) co_return;
      body = received.bytes.substr(head.size());
    }
    Result<> sent = stream.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                                 std::to_string(body.size()) + "\r\n\r\n");
    for (size_t at = 0; sent && at < body.size(); at += 100'000) {
      sent = stream.write(std::string_view(body).substr(at, 100'000));
      if (sent) sent = co_await stream.drained();
    }
    stream.finish();
    while (!received.end) {
      const bool more = co_await received.until(received.bytes.size() + 1);
      if (!more) break;
    }
  }

  event::UvLoop& loop_;
  event::UvSockets sockets_;
  std::shared_ptr<int> shaken_ = std::make_shared<int>(0);
  std::unique_ptr<event::Listener> listener_;
};

// Runs a shell command in the pool; what it printed, errors included.
inline event::Task<std::string> shell(event::Loop& loop, std::string command) {
  const auto run = [command] {
    std::string output;
    FILE* pipe = ::popen(("timeout 20 sh -c \"" + command + "\" 2>&1").c_str(), "r");
    std::array<char, 4096> buffer;
    for (size_t n; pipe && (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
      output.append(buffer.data(), n);
    if (pipe) ::pclose(pipe);
    return output;
  };
  std::string output = co_await event::offloaded(loop, run);
  co_return output;
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace mg::tls::test
