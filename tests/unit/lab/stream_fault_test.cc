// Every fault of a streamed answer, read from a real socket.
#include "base/text.h"
#include "unit/lab/steady.h"
#include "unit/lab/talk.h"

using namespace mg;
using namespace mg::test;

namespace {

const std::string kBody = ask("Tell me about lanterns", kStreamed);

struct StreamFixture {
  StreamFixture() : good(steady(real.exchange(post(kChat, kBody))->received)) {
    const ParsedAnswer answer = parse_answers(good)[0];
    CHECK(answer.is_complete);
    CHECK(answer.head.body == http::Framing::chunked());
    head = good.substr(0, good.find("\r\n\r\n") + 4);
    events = events_of(answer.body);
    REQUIRE(events.size() > 10);
  }
  std::unique_ptr<RawClient> with(std::string_view fault, std::string_view at = "") {
    auto client = with_clock(fault, at);
    client->received = steady(client->received);
    return client;
  }
  // The same, with what the clock says left in.
  std::unique_ptr<RawClient> with_clock(std::string_view fault, std::string_view at = "") {
    std::string headers = "x-lab-fault: " + std::string(fault) + "\r\n";
    if (!at.empty()) headers += "x-lab-fault-at: " + std::string(at) + "\r\n";
    return real.exchange(post(kChat, kBody, headers));
  }
  // What a fault leaves of it, as whole answer.
  std::vector<std::string> events_with(std::string_view fault, std::string_view at = "") {
    const ParsedAnswer answer = parse_answers(with(fault, at)->received)[0];
    CHECK(answer.is_complete);
    return events_of(answer.body);
  }
  // The bytes of the head and so many events.
  std::string first(size_t count) const {
    std::string out = head;
    for (size_t i = 0; i < count; ++i) out += framed(events[i]);
    return out;
  }
  static std::string framed(const std::string& data) {
    char line[32];
    std::snprintf(line, sizeof line, "%zx\r\n", data.size() + 8);
    return line + ("data: " + data) + "\n\n\r\n";
  }

  RealLab real;
  std::string good, head;
  std::vector<std::string> events;
};

}  // namespace

TEST_CASE("a stream is a head, a chunk for each event, and the last chunk") {
  StreamFixture f;
  CHECK(f.good == f.first(f.events.size()) + "0\r\n\r\n");
  CHECK(f.events.back() == "[DONE]");
  const http::ResponseHead head = parse_answers(f.good)[0].head;
  CHECK(head.headers.find("content-type") == "text/event-stream; charset=utf-8");
  CHECK(head.headers.find("x-request-id")->starts_with("req_"));
}

TEST_CASE("streams that break off: by a reset, by an end, by nothing at all") {
  StreamFixture f;
  for (const char* at : {"", "0", "1", "7"}) {
    const std::string part = f.first(*at ? std::stoul(at) : 3);
    const auto reset = f.with("reset-in-body", at);
    CHECK(reset->received == part);
    CHECK(reset->saw_reset());

    const auto half_closed = f.with("half-close", at);
    CHECK(half_closed->received == part);
    CHECK(half_closed->saw_fin());

    const auto stalled = f.with("stall", at);
    CHECK(stalled->received == part);
    CHECK_FALSE(stalled->end);
    CHECK(f.real.provider->counts().streams_open >= 1);
  }
  const auto last = f.real.connect();
  CHECK(f.real.run_until(*last, [&] { return f.real.provider->counts().streams_open == 0; }));
}

TEST_CASE("a fault that the stream is too short for strikes before [DONE]") {
  StreamFixture f;
  const auto reset = f.with("reset-in-body", "100000");
  CHECK(reset->received == f.first(f.events.size() - 1));
  CHECK(reset->saw_reset());
}

TEST_CASE("ends that are none: cut before [DONE], without [DONE], without a reason, with an echo") {
  StreamFixture f;
  const auto cut = f.with("cut-before-done");
  CHECK(cut->received == f.first(f.events.size() - 1));
  CHECK(cut->saw_fin());

  const auto no_done = f.with("no-done");
  CHECK(no_done->received == f.first(f.events.size() - 1) + "0\r\n\r\n");
  CHECK_FALSE(no_done->end);

  const auto no_finish = f.events_with("no-finish");
  CHECK(no_finish.size() == f.events.size() - 1);
  CHECK(no_finish.back() == "[DONE]");
  for (size_t i = 0; i + 2 < no_finish.size(); ++i)
    CHECK(json_of(no_finish[i].substr(0))["choices"][0]["finish_reason"].is_null());

  const auto late = f.with("late-event");
  CHECK(late->received ==
        f.first(f.events.size()) + StreamFixture::framed(f.events[1]) + "0\r\n\r\n");
}

TEST_CASE("events that are none: half of one, bad UTF-8, an error") {
  StreamFixture f;
  for (const char* at : {"", "5"}) {
    const size_t where = *at ? std::stoul(at) : 3;
    auto halved = f.events_with("malformed-sse", at);
    REQUIRE(halved.size() == f.events.size());
    CHECK(halved[where] == f.events[where].substr(0, f.events[where].size() / 2));
    halved[where] = f.events[where];
    CHECK(halved == f.events);

    const auto spoilt = f.events_with("bad-utf8", at);
    REQUIRE(spoilt.size() == f.events.size());
    const std::string mark = "\"content\":\"";
    std::string expected = f.events[where];
    expected.insert(expected.find(mark) + mark.size(), "\xff\xfe\x80");
    CHECK(spoilt[where] == expected);

    const auto failed = f.events_with("error-event", at);
    REQUIRE(failed.size() == where + 1);
    CHECK(json_of(failed.back())["error"]["type"] == "server_error");
    CHECK(failed[where - 1] == f.events[where - 1]);
  }
}

TEST_CASE("odd but legal events are the same events") {
  StreamFixture f;
  const auto client = f.with("odd-sse");
  const ParsedAnswer answer = parse_answers(client->received)[0];
  CHECK(answer.is_complete);
  CHECK(answer.body.find(": still here\r\n\r\n") != std::string::npos);
  CHECK(answer.body.find("id: 1\r\nevent: message\r\nretry:3000\r\ndata:{") != std::string::npos);
  CHECK(events_of(answer.body) == f.events);
}

TEST_CASE("fragments of a stream end anywhere, and are the whole stream") {
  StreamFixture f;
  // A fragment may end inside a time, whose digits are one again only when it is put together.
  const auto client = f.with_clock("fragments", "50");
  const ParsedAnswer answer = parse_answers(client->received)[0];
  CHECK(answer.is_complete);
  CHECK(events_of(steady(answer.body)) == f.events);
  const size_t begin = f.head.size() + std::string_view("32\r\ndata: {").size();
  CHECK(steady(client->received.substr(0, begin)) == f.head + "32\r\ndata: {");
}

TEST_CASE("an endless stream, and an endless line") {
  StreamFixture f;
  const auto stream = f.real.connect();
  stream->say(post(kChat, kBody, "x-lab-fault: endless\r\n"));
  REQUIRE(f.real.run_until(*stream, [&] { return stream->received.size() > 2'000'000; }));
  const std::string body = parse_answers(stream->received)[0].body;
  CHECK(body.find("\"finish_reason\":\"") == std::string::npos);
  CHECK(events_of(body).size() > 3000);
  const auto line = f.real.connect();
  line->say(post(kChat, kBody, "x-lab-fault: endless-line\r\n"));
  REQUIRE(f.real.run_until(*line, [&] { return line->received.size() > 2'000'000; }));
  const std::string text = parse_answers(line->received)[0].body;
  CHECK(steady(line->received).starts_with(f.first(3)));
  CHECK(events_of(text).size() == 3);
  // The line begins behind the third event and never ends; chunk framing is less than a quarter.
  CHECK(text.find("data: ", text.rfind('\n')) == text.rfind('\n') + 1);
  CHECK(text.size() - text.rfind('\n') > 1'500'000);
}

TEST_CASE("usage left out, twice, or in every chunk") {
  StreamFixture f;
  const auto missing = f.events_with("missing-usage");
  CHECK(missing.size() == f.events.size() - 1);
  for (const std::string& event : missing) CHECK(event.find("usage") == std::string::npos);

  const auto twice = f.events_with("double-usage");
  REQUIRE(twice.size() == f.events.size() + 1);
  CHECK(twice[twice.size() - 2] == twice[twice.size() - 3]);
  CHECK(twice[twice.size() - 2] == f.events[f.events.size() - 2]);

  const auto running = f.events_with("running-usage");
  REQUIRE(running.size() == f.events.size());
  int64_t written = -1;
  for (size_t i = 0; i + 1 < running.size(); ++i) {
    const int64_t now = json_of(running[i])["usage"]["completion_tokens"];
    CHECK(now >= written);
    CHECK(now <= written + 1);
    written = now;
  }
  CHECK(json_of(running[running.size() - 2])["usage"] ==
        json_of(f.events[f.events.size() - 2])["usage"]);
  // Not asked for, it comes all the same.
  const auto unasked =
      f.real.exchange(post(kChat, ask("x", R"(,"stream":true)"), "x-lab-fault: running-usage\r\n"));
  CHECK(json_of(events_of(parse_answers(unasked->received)[0].body)[0])["usage"].is_object());
}

TEST_CASE("faults of heads and whole bodies spoil streams alike") {
  StreamFixture f;
  const auto reset = f.with("reset-in-head");
  CHECK(reset->received == f.good.substr(0, 20));
  CHECK(reset->saw_reset());
  CHECK(f.with("reset-before-head")->saw_reset());
  CHECK(f.with("close-before-head")->saw_fin());
  CHECK(f.with("garbage")->received.size() == 64);
  const ParsedAnswer page = parse_answers(f.with("html")->received)[0];
  CHECK(page.head.headers.find("content-type") == "text/html; charset=utf-8");
  const ParsedAnswer packed = parse_answers(f.with("gzip")->received)[0];
  CHECK(packed.head.headers.find("content-encoding") == "gzip");
  CHECK(packed.head.headers.find("content-type") == "text/event-stream; charset=utf-8");
  CHECK(packed.body.starts_with("\x1f\x8b"));
  CHECK(parse_answers(f.with("empty-body")->received)[0].body.empty());
  const auto longer = f.with("wrong-length");
  CHECK(longer->saw_fin());
  CHECK_FALSE(parse_answers(longer->received)[0].is_complete);
  CHECK(f.with("excess-length")->received.find("[DONE]\n\n") != std::string::npos);
  const std::string both = to_lower(f.with("conflicting-length")->received);
  CHECK(both.find("content-length: ") != std::string::npos);
  CHECK(both.find("transfer-encoding: chunked") != std::string::npos);
  CHECK(f.with("informational")->received.starts_with("HTTP/1.1 103 "));
}

TEST_CASE("waits are kept to the millisecond: before the head, behind it, between events") {
  SimLab sim;
  const auto client = sim.connect();
  const int64_t start_ms = sim.clock.monotonic_ns() / kNsPerMs;
  client->say(post(kChat, kBody,
                   "x-lab-delay-ms: 100\r\nx-lab-first-byte-ms: 30\r\nx-lab-interval-ms: 20\r\n"));
  sim.loop.run_for_ms(20'000);
  const auto events = events_of(parse_answers(client->received)[0].body);
  const auto at = [&](size_t i) { return client->arrivals[i].at_ms - start_ms; };
  CHECK(at(0) == 100);
  CHECK(client->received.substr(0, client->arrivals[0].bytes).ends_with("\r\n\r\n"));
  // Role and text, one each; the last one comes with the end of its choice, usage and [DONE].
  const size_t steps = events.size() - 2;
  REQUIRE(client->arrivals.size() == steps + 1);
  for (size_t i = 0; i < steps; ++i) CHECK(at(i + 1) == 130 + 20 * static_cast<int64_t>(i));

  // A plain answer: head and body are apart only when that is asked for.
  const auto plain = sim.connect();
  const int64_t then_ms = sim.clock.monotonic_ns() / kNsPerMs;
  plain->say(post(kChat, ask("x"), "x-lab-delay-ms: 5\r\nx-lab-first-byte-ms: 7\r\n"));
  sim.loop.run_for_ms(100);
  REQUIRE(plain->arrivals.size() == 2);
  CHECK(plain->arrivals[0].at_ms == then_ms + 5);
  CHECK(plain->arrivals[1].at_ms == then_ms + 12);
}
