// An upstream on the simulated network that answers with whatever bytes a test gives it, and
// remembers what it was asked.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/parser.h"
#include "support/sim_sockets.h"

namespace mg::test {

struct SeenRequest {
  std::string target;
  std::string authorization;
  std::string body;
};

class SimUpstream final : public event::AcceptSink {
 public:
  // One connection, for the answering function to talk back on.
  class Guest final : public event::ReadSink {
   public:
    Guest(SimUpstream& upstream, std::unique_ptr<event::Stream> s)
        : stream(std::move(s)), upstream_(upstream) {
      stream->read_start(*this);
    }
    void say(std::string_view bytes) { (void)stream->write(bytes); }
    void close() { stream->finish(); }
    void reset() { stream->abort(); }
    bool is_gone() const { return gone_; }
    std::unique_ptr<event::Stream> stream;

   private:
    void on_bytes(std::string_view bytes) override {
      for (;;) {
        const http::Parsed parsed = parser_.feed(bytes);
        bytes.remove_prefix(parsed.consumed);
        switch (parsed.event) {
          case http::ParseEvent::head: {
            const http::RequestHead head = parser_.take_head();
            request_ = {std::string(head.target()),
                        std::string(head.headers.find("authorization").value_or("")), ""};
            continue;
          }
          case http::ParseEvent::body:
            request_.body.append(parsed.body);
            continue;
          case http::ParseEvent::complete:
            upstream_.seen.push_back(request_);
            upstream_.answer(request_, *this);
            continue;
          default:
            return;
        }
      }
    }
    void on_read_end(Error) override { gone_ = true; }
    SimUpstream& upstream_;
    http::RequestParser parser_;
    SeenRequest request_;
    bool gone_ = false;
  };

  SimUpstream(SimSockets& sockets, const SocketAddress& address)
      : listener_(*sockets.listen(address, event::PortSharing::exclusive, *this)) {}

  std::function<void(const SeenRequest&, Guest&)> answer;
  std::vector<SeenRequest> seen;
  std::vector<std::unique_ptr<Guest>> guests;

 private:
  void on_accept(std::unique_ptr<event::Stream> stream) override {
    guests.push_back(std::make_unique<Guest>(*this, std::move(stream)));
  }
  std::unique_ptr<event::Listener> listener_;
};

inline std::string json_answer(const std::string& body, const std::string& status = "200 OK",
                               const std::string& more = "") {
  return "HTTP/1.1 " + status +
         "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n" + more + "\r\n" + body;
}

inline std::string sse_head() {
  return "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
}

inline std::string chunk(const std::string& text) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + text + "\r\n";
}

inline std::string sse_chunk(const std::string& data) { return chunk("data: " + data + "\n\n"); }

inline constexpr const char* kLastChunk = "0\r\n\r\n";

}  // namespace mg::test
