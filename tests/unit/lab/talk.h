// Talking to a lab byte by byte: over the simulated network, where time is virtual, and over real
// sockets, where an end of a stream and a reset are what the kernel makes of them.
#pragma once

#include <catch2/catch.hpp>

#include "base/json_value.h"
#include "event/tcp.h"
#include "http/parser.h"
#include "http/sse.h"
#include "lab/lab.h"
#include "support/sim_sockets.h"

namespace mg::test {

inline const SocketAddress kAnyPort{*IpAddress::parse("127.0.0.1"), 0};

// Keeps every byte, when it came, and how the connection ended.
struct RawClient final : event::ReadSink {
  explicit RawClient(Clock& c, std::unique_ptr<event::Stream> s) : clock(c), stream(std::move(s)) {
    stream->read_start(*this);
  }
  void on_bytes(std::string_view bytes) override {
    received.append(bytes);
    arrivals.push_back({clock.monotonic_ns() / kNsPerMs, bytes.size()});
    if (on_news) on_news();
  }
  void on_read_end(Error error) override {
    end = std::move(error);
    if (on_news) on_news();
  }
  void say(std::string_view bytes) { CHECK(stream->write(bytes)); }
  bool saw_fin() const { return end && end->code == Errc::closed; }
  bool saw_reset() const { return end && end->code == Errc::io; }

  struct Arrival {
    int64_t at_ms;
    size_t bytes;
  };
  Clock& clock;
  std::unique_ptr<event::Stream> stream;
  std::string received;
  std::vector<Arrival> arrivals;
  std::optional<Error> end;
  std::function<void()> on_news;
};

inline std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: lab\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}
inline std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: lab\r\n" + std::string(more) + "\r\n";
}

inline constexpr std::string_view kChat = "/v1/chat/completions";
inline std::string ask(std::string_view text, std::string_view more = "") {
  return R"({"model":"gpt-4o","messages":[{"role":"user","content":")" + std::string(text) +
         "\"}]" + std::string(more) + "}";
}
inline constexpr std::string_view kStreamed =
    R"(,"stream":true,"stream_options":{"include_usage":true})";

// The answers that stand one after the other in what was received.
struct ParsedAnswer {
  http::ResponseHead head;
  std::string body;
  bool is_complete = false;
};
inline std::vector<ParsedAnswer> parse_answers(std::string_view bytes,
                                               bool connection_ended = false) {
  std::vector<ParsedAnswer> answers;
  http::ResponseParser parser;
  while (!bytes.empty()) {
    parser.expect(http::Method::post);
    ParsedAnswer answer;
    for (bool more = true; more;) {
      const http::Parsed parsed = parser.feed(bytes);
      bytes.remove_prefix(parsed.consumed);
      switch (parsed.event) {
        case http::ParseEvent::head:
          answer.head = parser.take_head();
          break;
        case http::ParseEvent::body:
          answer.body += parsed.body;
          break;
        case http::ParseEvent::complete:
          answer.is_complete = true;
          more = false;
          break;
        case http::ParseEvent::need_more:
          if (connection_ended)
            answer.is_complete = parser.finish().event == http::ParseEvent::complete;
          more = false;
          break;
        case http::ParseEvent::error:
          FAIL("not an answer: " << parser.error().reason);
      }
    }
    answers.push_back(std::move(answer));
    if (!answers.back().is_complete) break;
  }
  return answers;
}

// The data of all events of a stream.
inline std::vector<std::string> events_of(std::string_view body) {
  std::vector<std::string> out;
  http::SseReader reader;
  http::SseEvent event;
  while (reader.next(body, event) == http::SseStep::event)
    if (event.has_data) out.emplace_back(event.data);
  return out;
}

inline Json json_of(std::string_view text) {
  Result<Json> parsed = parse_json(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

// The text that a stream's choice says, put together from its deltas.
inline std::string streamed_text(const std::vector<std::string>& events, size_t choice = 0,
                                 const char* member = "content") {
  std::string text;
  for (const std::string& event : events) {
    if (event == "[DONE]") continue;
    const Json chunk = json_of(event);
    for (const Json& entry : chunk["choices"])
      if (entry["index"] == choice && entry.contains("delta") && entry["delta"].contains(member) &&
          entry["delta"][member].is_string())
        text += entry["delta"][member].get<std::string>();
  }
  return text;
}

// A lab on the simulated network.
struct SimLab {
  explicit SimLab(lab::LabOptions options = {}, uint64_t seed = 1)
      : provider(std::make_unique<lab::Lab>(loop, sockets, seed, std::move(options))),
        address(*provider->listen(kAnyPort)) {}

  std::unique_ptr<RawClient> connect() {
    auto stream = finish(loop, sockets.connect(address, 1000));
    REQUIRE(stream);
    return std::make_unique<RawClient>(clock, std::move(*stream));
  }
  // One request on a connection of its own, and all that comes back in this time.
  std::string exchange(std::string_view request, int64_t ms = 10'000) {
    const auto client = connect();
    client->say(request);
    loop.run_for_ms(ms);
    return client->received;
  }
  ParsedAnswer answer(std::string_view request, int64_t ms = 10'000) {
    std::vector<ParsedAnswer> answers = parse_answers(exchange(request, ms));
    REQUIRE(answers.size() == 1);
    return std::move(answers[0]);
  }
  Json chat(std::string_view body, std::string_view headers = "") {
    const ParsedAnswer got = answer(post(kChat, body, headers));
    CHECK(got.head.status == 200);
    return json_of(got.body);
  }
  std::vector<std::string> stream(std::string_view body, std::string_view headers = "") {
    const ParsedAnswer got = answer(post(kChat, body, headers));
    CHECK(got.head.status == 200);
    CHECK(got.is_complete);
    return events_of(got.body);
  }

  VirtualClock clock;
  SimLoop loop{clock};
  SimSockets sockets{loop};
  std::unique_ptr<lab::Lab> provider;
  SocketAddress address;
};

// A lab behind real sockets of this machine.
struct RealLab {
  explicit RealLab(lab::LabOptions options = {})
      : provider(std::make_unique<lab::Lab>(loop, sockets, 1, std::move(options))),
        address(*provider->listen(kAnyPort)) {}
  ~RealLab() { loop.cancel_spawned(); }

  std::unique_ptr<RawClient> connect() {
    std::unique_ptr<event::Stream> stream;
    loop.spawn(connect_into(stream));
    loop.run();
    REQUIRE(stream);
    return std::make_unique<RawClient>(clock, std::move(stream));
  }
  // Runs until `done`, asked after each arrival and every few milliseconds; for 10 s at most.
  bool run_until(RawClient& client, const std::function<bool()>& done) {
    is_done = &done;
    client.on_news = [&] { look(); };
    loop.spawn(watch());
    if (!done()) loop.run();
    const bool reached = done();
    client.on_news = nullptr;
    loop.cancel_spawned();
    return reached;
  }
  // Sends a request and waits until the lab ends the connection, or nothing comes for 100 ms.
  std::unique_ptr<RawClient> exchange(std::string_view request) {
    auto client = connect();
    client->say(request);
    size_t seen = 0;
    int64_t since_ns = clock.monotonic_ns();
    run_until(*client, [&] {
      if (client->received.size() != seen) {
        seen = client->received.size();
        since_ns = clock.monotonic_ns();
      }
      return client->end || clock.monotonic_ns() - since_ns > 100 * kNsPerMs;
    });
    return client;
  }

  SystemClock clock;
  event::UvLoop loop{clock};
  event::UvSockets sockets{loop};
  std::unique_ptr<lab::Lab> provider;
  SocketAddress address;

 private:
  event::Task<> connect_into(std::unique_ptr<event::Stream>& stream) {
    auto connected = co_await sockets.connect(address, 1000);
    if (connected) stream = std::move(*connected);
    loop.stop();
  }
  event::Task<> watch() {
    for (int i = 0; i < 2000; ++i) {
      co_await event::sleep_ms(loop, 5);
      look();
    }
    loop.stop();
  }
  void look() {
    if ((*is_done)()) loop.stop();
  }
  const std::function<bool()>* is_done = nullptr;
};

}  // namespace mg::test
