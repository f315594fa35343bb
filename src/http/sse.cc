#include "http/sse.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"

namespace mg::http {
namespace {

constexpr uint8_t kNoByteOrderMark = 4;
// A buffer that grew beyond this for one long event is given back.
constexpr size_t kBytesKept = 4 * limits::KiB;

// The next LF or CR at or after `at`, or the end. It looks ahead in steps that grow, so that a
// stream with one kind of line end only is not searched to its end for the other.
const char* next_break(const char* at, const char* end) {
  for (size_t step = 256; at != end; step *= 4) {
    const size_t ahead = std::min(step, static_cast<size_t>(end - at));
    const void* lf = std::memchr(at, '\n', ahead);
    const size_t before_lf = lf ? static_cast<size_t>(static_cast<const char*>(lf) - at) : ahead;
    if (const void* cr = std::memchr(at, '\r', before_lf)) return static_cast<const char*>(cr);
    if (lf) return static_cast<const char*>(lf);
    at += ahead;
  }
  return end;
}

void release_if_large(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kBytesKept) buffer.shrink_to_fit();
}

}  // namespace

SseStep SseReader::next(std::string_view& bytes, SseEvent& event) {
  if (failed_) return SseStep::too_large;
  if (carry_is_given_) {
    release_if_large(carry_);
    carry_is_given_ = false;
  }
  const size_t end = find_end(bytes);
  const std::string_view part = bytes.substr(0, end);
  if (carry_.size() + part.size() > event_bytes_max_) {
    failed_ = true;
    return SseStep::too_large;
  }
  bytes.remove_prefix(part.size());
  if (end == std::string_view::npos) {
    carry_.append(part);
    return SseStep::need_more;
  }
  event = SseEvent();
  event.raw = part;
  if (!carry_.empty()) {
    carry_.append(part);
    carry_is_given_ = true;
    event.raw = carry_;
  }
  read_fields(event);
  return SseStep::event;
}

std::string_view SseReader::rest() const {
  return carry_is_given_ ? std::string_view() : std::string_view(carry_);
}

// Behind the blank line that ends the event, or npos. What it must know of the bytes seen so far
// is kept, so that the next bytes go on.
size_t SseReader::find_end(std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  for (; at != end && bom_bytes_ < kByteOrderMark.size(); ++at) {
    if (*at == kByteOrderMark[bom_bytes_]) {
      ++bom_bytes_;
      continue;
    }
    line_is_empty_ = bom_bytes_ == 0;  // half a mark is text
    bom_bytes_ = kNoByteOrderMark;
    break;
  }
  while (at != end) {
    if (after_cr_) {
      after_cr_ = false;
      if (*at == '\n') {
        ++at;
        continue;
      }
    }
    const char* const line_end = next_break(at, end);
    if (line_end != at) line_is_empty_ = false;
    if (line_end == end) break;
    const bool ends_event = line_is_empty_;
    line_is_empty_ = true;
    after_cr_ = *line_end == '\r';
    at = line_end + 1;
    if (!ends_event) continue;
    if (after_cr_ && at != end && *at == '\n') {
      after_cr_ = false;
      ++at;
    }
    return static_cast<size_t>(at - bytes.data());
  }
  return std::string_view::npos;
}

void SseReader::read_fields(SseEvent& event) {
  std::string_view block = event.raw;
  if (is_first_event_ && block.starts_with(kByteOrderMark))
    block.remove_prefix(kByteOrderMark.size());
  is_first_event_ = false;
  release_if_large(data_);
  const char* at = block.data();
  const char* const end = at + block.size();
  while (at != end) {
    const char* const line_end = next_break(at, end);
    if (line_end != at) read_line({at, static_cast<size_t>(line_end - at)}, event);
    at = line_end == end ? end : line_end + 1;  // the LF of a CRLF reads as one more empty line
  }
}

void SseReader::read_line(std::string_view line, SseEvent& event) {
  if (line.front() == ':') return;
  const auto* colon = static_cast<const char*>(std::memchr(line.data(), ':', line.size()));
  const size_t name_bytes = colon ? static_cast<size_t>(colon - line.data()) : line.size();
  const std::string_view name = line.substr(0, name_bytes);
  std::string_view value = line.substr(std::min(line.size(), name_bytes + 1));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    add_data(value, event);
  } else if (name == "event") {
    event.type = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) event.id = value;
  } else if (name == "retry") {
    const bool is_number = value.find_first_not_of("0123456789") == std::string_view::npos;
    if (const auto ms = parse_number<int64_t>(value); is_number && ms) event.retry_ms = ms;
  }
}

void SseReader::add_data(std::string_view value, SseEvent& event) {
  if (!event.has_data) {
    event.has_data = true;
    event.data = value;
    return;
  }
  if (data_.empty()) data_.assign(event.data);
  data_.push_back('\n');
  data_.append(value);
  event.data = data_;
}

void append_sse_event(std::string& out, std::string_view type, std::string_view data) {
  MG_ASSERT(type.find_first_of("\r\n") == std::string_view::npos);
  if (!type.empty()) {
    out.append("event: ");
    out.append(type);
    out.push_back('\n');
  }
  for (;;) {
    const size_t end = data.find_first_of("\r\n");
    out.append("data: ");
    out.append(data.substr(0, end));
    out.push_back('\n');
    if (end == std::string_view::npos) break;
    const bool is_crlf = data.substr(end, 2) == "\r\n";
    data.remove_prefix(end + (is_crlf ? 2 : 1));
  }
  out.push_back('\n');
}

}  // namespace mg::http
