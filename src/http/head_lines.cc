#include "http/head_lines.h"

#include <cstring>

namespace mg::http {

HeadLines::Scan HeadLines::scan(std::string_view bytes) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* at = begin;
  const auto bad = [&](const char* where) {
    return Scan{static_cast<size_t>(where - begin), Verdict::bad};
  };
  while (at != end) {
    if (after_cr_) {
      if (*at != '\n') return bad(at);
      ++at;
      after_cr_ = false;
      if (at_line_start_) return {static_cast<size_t>(at - begin), Verdict::end};
      at_line_start_ = true;
      ++lines_;
      continue;
    }
    if (at_line_start_) {
      if (*at == ' ' || *at == '\t' || *at == '\n') return bad(at);
      if (*at == '\r') {
        if (lines_ == 0) return bad(at);  // nothing stands before the first line
        after_cr_ = true;
        ++at;
        continue;
      }
      at_line_start_ = false;
    }
    const auto* lf = static_cast<const char*>(std::memchr(at, '\n', size_t(end - at)));
    const char* const line_end = lf ? lf : end;
    const auto* cr = static_cast<const char*>(std::memchr(at, '\r', size_t(line_end - at)));
    if (!cr) {
      if (lf) return bad(lf);
      at = end;
    } else {
      at = cr + 1;
      after_cr_ = true;
    }
  }
  return {bytes.size(), Verdict::more};
}

}  // namespace mg::http
