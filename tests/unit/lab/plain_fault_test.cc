// Every fault of a plain answer, read from a real socket: the bytes, and how the connection ended.
#include <isa-l.h>

#include "base/text.h"
#include "unit/lab/steady.h"
#include "unit/lab/talk.h"

using namespace mg;
using namespace mg::test;

namespace {

const std::string kBody = ask("Tell me about lanterns");

struct PlainFixture {
  PlainFixture() : good(steady(real.exchange(post(kChat, kBody))->received)) {
    const size_t end = good.find("\r\n\r\n") + 4;
    head = good.substr(0, end);
    body = good.substr(end);
    CHECK(parse_answers(good)[0].is_complete);
  }
  std::unique_ptr<RawClient> with(std::string_view fault, std::string_view at = "") {
    std::string headers = "x-lab-fault: " + std::string(fault) + "\r\n";
    if (!at.empty()) headers += "x-lab-fault-at: " + std::string(at) + "\r\n";
    auto client = real.exchange(post(kChat, kBody, headers));
    client->received = steady(client->received);
    return client;
  }
  // The head, with one of its fields changed.
  std::string head_with(std::string_view length) const {
    std::string out = head;
    const size_t at = out.find("Content-Length: ");
    return out.replace(at, out.find("\r\n", at) - at, length);
  }

  RealLab real;
  std::string good, head, body;
};

std::string closing(std::string head) {
  return head.insert(head.size() - 2, "Connection: close\r\n");
}

std::string unpacked(std::string_view packed) {
  std::string out(1'000'000, '\0');
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_GZIP;
  state.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(packed.data()));
  state.avail_in = static_cast<uint32_t>(packed.size());
  state.next_out = reinterpret_cast<uint8_t*>(out.data());
  state.avail_out = static_cast<uint32_t>(out.size());
  REQUIRE(isal_inflate(&state) == ISAL_DECOMP_OK);
  out.resize(state.total_out);
  return out;
}

}  // namespace

TEST_CASE("without a fault the connection stays open, and the next answer is the same") {
  PlainFixture f;
  const auto client = f.real.connect();
  client->say(post(kChat, kBody) + post(kChat, kBody));
  CHECK(f.real.run_until(*client, [&] { return client->received.size() == 2 * f.good.size(); }));
  CHECK(steady(client->received) == f.good + f.good);
  CHECK_FALSE(client->end);
}

TEST_CASE("faults before an answer: reset, close, silence") {
  PlainFixture f;
  const auto reset = f.with("reset-before-head");
  CHECK(reset->received.empty());
  CHECK(reset->saw_reset());
  const auto closed = f.with("close-before-head");
  CHECK(closed->received.empty());
  CHECK(closed->saw_fin());
  const auto silent = f.with("stall-before-head");
  CHECK(silent->received.empty());
  CHECK_FALSE(silent->end);
  CHECK(f.real.provider->counts().clients_left == 0);
  silent->stream->abort();
  CHECK(f.real.run_until(*silent, [&] { return f.real.provider->counts().clients_left == 1; }));
}

TEST_CASE("faults in the head: reset and close after so many bytes") {
  PlainFixture f;
  for (const char* at : {"", "1", "90"}) {
    const size_t bytes = *at ? std::stoul(at) : 20;
    const auto reset = f.with("reset-in-head", at);
    CHECK(reset->received == f.good.substr(0, bytes));
    CHECK(reset->saw_reset());
    const auto closed = f.with("close-in-head", at);
    CHECK(closed->received == f.good.substr(0, bytes));
    CHECK(closed->saw_fin());
  }
  // Never so many that the head would be whole.
  CHECK(f.with("close-in-head", "100000")->received == f.head.substr(0, f.head.size() - 1));
}

TEST_CASE("garbage is no HTTP, and as long as asked for") {
  PlainFixture f;
  for (const char* at : {"", "1000"}) {
    const auto client = f.with("garbage", at);
    CHECK(client->received.size() == (*at ? 1000 : 64));
    CHECK(std::all_of(client->received.begin(), client->received.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; }));
    CHECK(client->saw_fin());
    CHECK(client->received == f.with("garbage", at)->received);
  }
}

TEST_CASE("interim heads come before the answer") {
  PlainFixture f;
  const std::string hint = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
  CHECK(f.with("informational")->received == hint + f.good);
  CHECK(f.with("informational", "3")->received == hint + hint + hint + f.good);
  CHECK(f.with("informational", "0")->received == f.good);
}

TEST_CASE("lengths that lie: too long, too short, none, two") {
  PlainFixture f;
  const auto announcing = [&](size_t bytes) {
    return closing(f.head_with("Content-Length: " + std::to_string(bytes)));
  };
  const auto more = f.with("wrong-length");
  CHECK(more->received == announcing(f.body.size() + 100) + f.body);
  CHECK(more->saw_fin());
  CHECK(f.with("wrong-length", "1")->received == announcing(f.body.size() + 1) + f.body);
  const auto less = f.with("excess-length");
  CHECK(less->received == announcing(f.body.size() - 10) + f.body);
  CHECK(less->saw_fin());
  CHECK(f.with("excess-length", "100000")->received == announcing(0) + f.body);
  const auto none = f.with("empty-body");
  CHECK(none->received == f.head_with("Content-Length: 0"));
  CHECK_FALSE(none->end);
  const auto both = f.with("conflicting-length");
  char line[32];
  std::snprintf(line, sizeof line, "%zx\r\n", f.body.size());
  CHECK(both->received == closing(f.head_with("Content-Length: " + std::to_string(f.body.size()) +
                                              "\r\nTransfer-Encoding: chunked")) +
                              line + f.body + "\r\n0\r\n\r\n");
  CHECK(both->saw_fin());
}

TEST_CASE("bodies that are not what was asked for: a page, gzip, half of it, bad UTF-8, an error") {
  PlainFixture f;
  const ParsedAnswer page = parse_answers(f.with("html")->received)[0];
  CHECK(page.head.status == 200);
  CHECK(page.head.headers.find("content-type") == "text/html; charset=utf-8");
  CHECK(page.body.starts_with("<!DOCTYPE html>"));

  const ParsedAnswer packed = parse_answers(f.with("gzip")->received)[0];
  CHECK(packed.is_complete);
  CHECK(packed.head.headers.find("content-encoding") == "gzip");
  CHECK(steady(unpacked(packed.body)) == f.body);

  const auto half = f.with("malformed-sse");
  const std::string first_half = f.body.substr(0, f.body.size() / 2);
  CHECK(half->received ==
        f.head_with("Content-Length: " + std::to_string(first_half.size())) + first_half);
  CHECK_FALSE(half->end);

  const ParsedAnswer spoilt = parse_answers(f.with("bad-utf8")->received)[0];
  CHECK(spoilt.is_complete);
  CHECK_FALSE(is_utf8(spoilt.body));
  const std::string mark = "\"content\":\"";
  std::string expected = f.body;
  expected.insert(expected.find(mark) + mark.size(), "\xff\xfe\x80");
  CHECK(spoilt.body == expected);

  const ParsedAnswer error = parse_answers(f.with("error-event")->received)[0];
  CHECK(error.head.status == 200);
  CHECK(json_of(error.body)["error"]["type"] == "server_error");
}

TEST_CASE("a body that breaks off: by a reset, by an end, by nothing at all") {
  PlainFixture f;
  for (const char* at : {"", "0", "7"}) {
    const std::string part = f.head + f.body.substr(0, *at ? std::stoul(at) : f.body.size() / 2);
    const auto reset = f.with("reset-in-body", at);
    CHECK(reset->received == part);
    CHECK(reset->saw_reset());

    const auto half_closed = f.with("half-close", at);
    CHECK(half_closed->received == part);
    CHECK(half_closed->saw_fin());
    // The other half is still open: what we send does not make the lab end it.
    CHECK(half_closed->stream->write("hello?"));
    f.real.run_until(*half_closed, [n = 0]() mutable { return ++n > 10; });
    CHECK(f.real.provider->connections() >= 1);

    const auto stalled = f.with("stall", at);
    CHECK(stalled->received == part);
    CHECK_FALSE(stalled->end);
  }
  // All of those clients are gone now, and the lab has noticed.
  const auto last = f.real.connect();
  CHECK(f.real.run_until(*last, [&] { return f.real.provider->connections() == 1; }));
}

TEST_CASE("an endless answer goes on until the client leaves") {
  PlainFixture f;
  for (const char* fault : {"endless", "endless-line"}) {
    const auto client = f.real.connect();
    client->say(post(kChat, kBody, "x-lab-fault: " + std::string(fault) + "\r\n"));
    REQUIRE(f.real.run_until(*client, [&] { return client->received.size() > 2'000'000; }));
    const ParsedAnswer answer = parse_answers(client->received)[0];
    CHECK(answer.head.body == http::Framing::chunked());
    CHECK_FALSE(answer.is_complete);
    CHECK(answer.body.starts_with("{\"id\":"));
    CHECK(answer.body.find('\n') == std::string::npos);
    const int64_t left = f.real.provider->counts().clients_left;
    client->stream->abort();
    CHECK(f.real.run_until(*client,
                           [&] { return f.real.provider->counts().clients_left == left + 1; }));
  }
}

TEST_CASE("an endless answer waits for a client that does not read") {
  SimLab sim;
  const auto client = sim.connect();
  client->stream->read_stop();
  client->say(post(kChat, kBody, "x-lab-fault: endless\r\n"));
  // An answer that is not held back has something to do in every turn there is.
  int turns = 0;
  while (turns < 200'000 && sim.loop.turn()) ++turns;
  CHECK(turns < 200'000);
  const auto& pipe = dynamic_cast<const SimStream&>(*client->stream);
  CHECK(pipe.unread_bytes() >= pipe.window_bytes);
  CHECK(pipe.unread_bytes() <= pipe.window_bytes + limits::queue_bytes_high + 64 * limits::KiB);
  const size_t held = pipe.unread_bytes();
  client->stream->read_start(*client);
  while (client->received.size() < 3 * held) REQUIRE(sim.loop.turn());
}

TEST_CASE("usage left out, or there twice") {
  PlainFixture f;
  CHECK_FALSE(json_of(parse_answers(f.with("missing-usage")->received)[0].body).contains("usage"));
  const std::string twice = parse_answers(f.with("double-usage")->received)[0].body;
  const size_t first = twice.find("\"usage\":"), second = twice.rfind("\"usage\":");
  REQUIRE(first != second);
  CHECK(twice.substr(first, second - first - 1) + "}" == twice.substr(second));
}

TEST_CASE("faults of streams leave plain answers alone") {
  PlainFixture f;
  for (const char* fault : {"odd-sse", "cut-before-done", "no-done", "no-finish", "late-event",
                            "running-usage", "none"})
    CHECK(f.with(fault)->received == f.good);
}

TEST_CASE("fragments are all there is to an answer, piece by piece") {
  PlainFixture f;
  CHECK(f.with("fragments", "100")->received == f.good);
  // On the virtual clock one can see them come.
  SimLab sim;
  const auto client = sim.connect();
  client->say(post(kChat, kBody, "x-lab-fault: fragments\r\n"));
  sim.loop.run_for_ms(10'000);
  const ParsedAnswer answer = parse_answers(client->received)[0];
  CHECK(answer.is_complete);
  CHECK(client->arrivals.size() == 1 + (answer.body.size() + 6) / 7);
  for (size_t i = 1; i < client->arrivals.size(); ++i) {
    CHECK(client->arrivals[i].at_ms == client->arrivals[0].at_ms + int64_t(i));
    if (i + 1 < client->arrivals.size()) CHECK(client->arrivals[i].bytes == 7);
  }
}

TEST_CASE("faults come by flag and by metadata as well, and other answers have them too") {
  lab::LabOptions options;
  REQUIRE(options.knobs.set("fault", "reset-before-head"));
  RealLab by_flag(options);
  CHECK(by_flag.exchange(post(kChat, kBody))->saw_reset());
  CHECK_FALSE(by_flag.exchange(post(kChat, kBody, "x-lab-fault: none\r\n"))->end);
  RealLab real;
  CHECK(real.exchange(post(kChat, ask("x", R"(,"metadata":{"x-lab-fault":"close-before-head"})")))
            ->saw_fin());
  const std::string embed = R"({"model":"e","input":"x","dimensions":2})";
  CHECK(
      real.exchange(post("/v1/embeddings", embed, "x-lab-fault: reset-in-body\r\n"))->saw_reset());
  // A fault and a status together: the error answer is spoilt.
  const auto cut = real.exchange(post(
      kChat, kBody, "x-lab-status: 503\r\nx-lab-fault: close-in-head\r\nx-lab-fault-at: 12\r\n"));
  CHECK(cut->received == "HTTP/1.1 503");
}
