// Two answers of one lab differ in what the clock says. Here the clock stands still.
#pragma once

#include <string>

namespace mg::test {

// The bytes with the Date field's value and every "created" made ones, at their full length.
inline std::string steady(std::string bytes) {
  const auto blank = [&](std::string_view mark, std::string_view end) {
    for (size_t at = 0; (at = bytes.find(mark, at)) != std::string::npos;) {
      at += mark.size();
      const size_t stop = std::min(bytes.find(end, at), bytes.size());
      for (; at < stop; ++at) bytes[at] = '1';
    }
  };
  blank("\r\nDate: ", "\r\n");
  blank("\"created\":", ",");
  return bytes;
}

}  // namespace mg::test
