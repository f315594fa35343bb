// Nanoseconds per request head and body, per answer, per event and per head written. Prints the
// best of several rounds: a shared machine only ever makes it slower.
#include <cstdio>
#include <limits>
#include <string>

#include "base/clock.h"
#include "http/parser.h"
#include "http/sse.h"
#include "http/writer.h"

using namespace mg;
using namespace mg::http;

namespace {

template <class F>
void measure(const char* what, size_t bytes, F once) {
  SystemClock clock;
  constexpr int kRounds = 9, kTimes = 20'000;
  int64_t best_ns = std::numeric_limits<int64_t>::max();
  for (int round = 0; round < kRounds; ++round) {
    const int64_t start_ns = clock.monotonic_ns();
    for (int i = 0; i < kTimes; ++i) once();
    best_ns = std::min(best_ns, clock.monotonic_ns() - start_ns);
  }
  std::printf("%-46s %6zu B %7lld ns\n", what, bytes, static_cast<long long>(best_ns / kTimes));
}

std::string request(size_t body_bytes) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example.com\r\n"
         "User-Agent: OpenAI/Python 1.3\r\nAccept: application/json\r\n"
         "Accept-Encoding: gzip, deflate\r\n"
         "Authorization: Bearer mg-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
         "Content-Type: application/json\r\nX-Stainless-Lang: python\r\nX-Stainless-OS: Linux\r\n"
         "X-Request-Id: 0123456789\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n" + std::string(body_bytes, 'x');
}

std::string chunked_answer(int chunks, size_t chunk_bytes) {
  std::string out =
      "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Content-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
      "Connection: keep-alive\r\nopenai-processing-ms: 120\r\nx-ratelimit-limit-requests: 1000\r\n"
      "x-ratelimit-remaining-requests: 999\r\nx-request-id: req_0123456789\r\n\r\n";
  for (int i = 0; i < chunks; ++i) {
    out.append(ChunkLine(chunk_bytes).view()).append(chunk_bytes, 'x').append(kChunkEnd);
  }
  return out.append(kLastChunk);
}

template <class Parser>
void parse_all(Parser& parser, std::string_view bytes) {
  for (;;) {
    const Parsed parsed = parser.feed(bytes);
    bytes.remove_prefix(parsed.consumed);
    if (parsed.event == ParseEvent::head) {
      const auto head = parser.take_head();
      if (head.headers.empty()) std::abort();
    }
    if (parsed.event == ParseEvent::complete) return;
    if (parsed.event == ParseEvent::error) std::abort();
  }
}

void bench_parsers() {
  RequestParser requests;
  for (size_t body_bytes : {0, 800, 16'000}) {
    const std::string bytes = request(body_bytes);
    measure("request, head and body", bytes.size(), [&] { parse_all(requests, bytes); });
  }
  const std::string in_two = request(800);
  measure("the same in two reads", in_two.size(), [&] {
    const std::string_view first = std::string_view(in_two).substr(0, 200);
    if (requests.feed(first).event != ParseEvent::need_more) std::abort();
    parse_all(requests, std::string_view(in_two).substr(200));
  });
  ResponseParser responses;
  for (int chunks : {0, 1, 100}) {
    const std::string bytes = chunked_answer(chunks, 200);
    const std::string what = "answer, " + std::to_string(chunks) + " chunks of 200 B";
    measure(what.c_str(), bytes.size(), [&] {
      responses.expect(Method::post);
      parse_all(responses, bytes);
    });
  }
}

void bench_sse() {
  const std::string event =
      "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
      "\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},"
      "\"finish_reason\":null}],\"usage\":null,\"x\":1}\n\n";
  std::string many;
  for (int i = 0; i < 100; ++i) many += event;
  SseReader reader;
  SseEvent out;
  const auto read = [&](std::string_view bytes) {
    while (reader.next(bytes, out) == SseStep::event) {
      if (out.data.empty()) std::abort();
    }
  };
  measure("one event, whole", event.size(), [&] { read(event); });
  measure("100 events, whole", many.size(), [&] { read(many); });
  measure("one event, in two reads", event.size(), [&] {
    read(std::string_view(event).substr(0, 90));
    read(std::string_view(event).substr(90));
  });
  const std::string typed =
      "event: content_block_delta\r\n" + event.substr(0, event.size() - 2) + "\r\n\r\n";
  measure("one event with type, CRLF", typed.size(), [&] { read(typed); });
}

void bench_writer() {
  Headers headers;
  headers.add("Content-Type", "application/json");
  headers.add("x-request-id", "req_01hzy0123456789abcdefghjkm");
  headers.add("x-moongate-generation", "12");
  headers.add("x-ratelimit-limit-requests", "1000");
  std::string out;
  HttpDate date;
  measure("answer's head, written", 260, [&] {
    out.clear();
    write_response_head(out, 200, headers, Framing::length(1234), Connection::keep_alive,
                        date.at(784111777'000));
  });
  measure("request's head, written", 260, [&] {
    out.clear();
    if (!write_request_head(out, Method::post, "/v1/chat/completions", "api.example.com", headers,
                            Framing::length(1234)))
      std::abort();
  });
}

}  // namespace

int main() {
  std::printf("sizes: RequestParser %zu, ResponseParser %zu, SseReader %zu, RequestHead %zu\n",
              sizeof(RequestParser), sizeof(ResponseParser), sizeof(SseReader),
              sizeof(RequestHead));
  bench_parsers();
  bench_sse();
  bench_writer();
}
