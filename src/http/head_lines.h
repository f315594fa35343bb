// The lines of a head, looked at before any parser is: each must end in CRLF, none may begin with a
// blank, and the first empty one ends the head. Bare CR, bare LF and folded lines are what request
// smuggling is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mg::http {

class HeadLines {
 public:
  enum class Verdict : uint8_t { more, end, bad };

  struct Scan {
    size_t bytes;  // up to and with the end of the head, or up to the byte that is bad
    Verdict verdict;
  };
  // Goes on where the last scan stopped.
  Scan scan(std::string_view bytes);
  // Still within the first line.
  bool in_first_line() const { return lines_ == 0; }
  uint32_t lines() const { return lines_; }
  void begin_head() { *this = {}; }
  // For the fields after a chunked body, which no first line stands before.
  void begin_trailers() {
    *this = {};
    lines_ = 1;
  }

 private:
  uint32_t lines_ = 0;
  bool at_line_start_ = true;
  bool after_cr_ = false;
};

}  // namespace mg::http
