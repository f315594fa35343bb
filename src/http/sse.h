// Server-sent events, read as they arrive (WHATWG HTML, "Server-sent events"): what each event
// says, together with the very bytes that said it, so that a relay can pass them on untouched, hold
// one back, or leave one out.
//
//   SseEvent event;
//   for (;;) {
//     const SseStep step = reader.next(bytes, event);      // takes what it uses off `bytes`
//     if (step != SseStep::event) break;
//   }
//
// An event that lies within what was fed is never copied; one that came in parts is put together in
// a buffer of bounded size. Splitting the input differently changes neither the events nor the sum
// of their raw bytes (the LF of a CRLF that was split goes to the next event's raw bytes, so that
// an event is never delayed by a byte that may not come).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace mg::http {

// Views are valid until the next call of next().
struct SseEvent {
  std::string_view raw;   // every byte since the event before, the blank line included
  std::string_view type;  // of `event:`; empty means "message"
  std::string_view data;  // of all `data:` lines, joined by LF
  bool has_data = false;  // without it (comments, keep-alives) a reader of events sees nothing
  std::optional<std::string_view> id;
  std::optional<int64_t> retry_ms;
};

enum class SseStep : uint8_t {
  need_more,
  event,      // something ended in a blank line
  too_large,  // an event passed the bound; the stream cannot be read any further
};

// One per stream, one thread.
class SseReader {
 public:
  explicit SseReader(size_t event_bytes_max = limits::sse_event_bytes_max)
      : event_bytes_max_(event_bytes_max) {}

  SseStep next(std::string_view& bytes, SseEvent& event);

  // At the end of the stream: what came after the last blank line. By the rules this is no event;
  // a relay may still want to pass it on.
  std::string_view rest() const;

 private:
  size_t find_end(std::string_view bytes);
  void read_fields(SseEvent& event);
  void read_line(std::string_view line, SseEvent& event);
  void add_data(std::string_view value, SseEvent& event);

  const size_t event_bytes_max_;
  std::string carry_;            // of an event that comes in parts
  std::string data_;             // of an event with several data lines
  bool carry_is_given_ = false;  // it was handed out with the event before
  bool line_is_empty_ = true;
  bool after_cr_ = false;
  bool is_first_event_ = true;
  bool failed_ = false;
  uint8_t bom_bytes_ = 0;  // of a byte order mark at the very start
};

// Appends one event; `type` may be empty. Line breaks in `data` become further data lines.
void append_sse_event(std::string& out, std::string_view type, std::string_view data);

}  // namespace mg::http
