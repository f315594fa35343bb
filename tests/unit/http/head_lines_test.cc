#include "http/head_lines.h"

#include <catch2/catch.hpp>
#include <string>

using namespace mg::http;
using Verdict = HeadLines::Verdict;

namespace {

// The same scan in pieces of every size: always the same place and verdict.
HeadLines::Scan scan_any_way(const std::string& bytes) {
  HeadLines whole;
  const HeadLines::Scan expected = whole.scan(bytes);
  for (size_t step = 1; step <= bytes.size(); ++step) {
    HeadLines lines;
    size_t at = 0;
    HeadLines::Scan scan{0, Verdict::more};
    while (at < bytes.size() && scan.verdict == Verdict::more) {
      scan = lines.scan(std::string(bytes.substr(at, step)));
      at += scan.bytes;
    }
    CHECK(at == expected.bytes);
    CHECK(scan.verdict == expected.verdict);
  }
  return expected;
}

}  // namespace

TEST_CASE("the first empty line ends the head") {
  const auto scan = scan_any_way("GET / HTTP/1.1\r\nA: b\r\n\r\nbody\r\n\r\n");
  CHECK(scan.verdict == Verdict::end);
  CHECK(scan.bytes == 24);
  CHECK(scan_any_way("a\r\nb").verdict == Verdict::more);
}

TEST_CASE("a bad line is found at its first wrong byte") {
  struct Row {
    const char* text;
    size_t at;
  };
  for (const Row& row : {Row{"a\nb", 1}, Row{"a\rb", 2}, Row{"a\r\n b", 3}, Row{"a\r\n\tb", 3},
                         Row{" a", 0}, Row{"\r\n", 0}, Row{"\n", 0}, Row{"a\r\n\n", 3},
                         Row{"a\r\n\r\r\n", 4}, Row{"a\r\r\n", 2}, Row{"a\r\n\rX", 4}}) {
    CAPTURE(row.text);
    const auto scan = scan_any_way(row.text);
    CHECK(scan.verdict == Verdict::bad);
    CHECK(scan.bytes == row.at);
  }
}

TEST_CASE("trailers may be empty, and it is known how many lines were seen") {
  HeadLines lines;
  lines.begin_trailers();
  CHECK(lines.scan("\r\nX").verdict == Verdict::end);
  HeadLines head;
  CHECK(head.scan("GET / HTTP/1.1").verdict == Verdict::more);
  CHECK(head.in_first_line());
  CHECK(head.scan("\r\nA: 1\r\nB: 2\r\n").verdict == Verdict::more);
  CHECK(!head.in_first_line());
  CHECK(head.lines() == 3);
}
