// Heads and chunk framing, appended to the caller's buffer. The framing fields (Content-Length,
// Transfer-Encoding, Connection) are written from `Framing` alone: what a Headers carries under
// those names is left out, so that a message can never say two things about its length.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/head.h"

namespace mg::http {

// Whether a connection stays. It does by itself since HTTP/1.1; a client of 1.0 must be told.
enum class Connection : uint8_t { keep_alive, keep_alive_said, close };

// `target` starts with '/' or is "*". Errors: invalid for a target or host that could be taken for
// more than that; nothing is appended then. A body is announced by `framing`; `none` writes
// "Content-Length: 0" for methods that usually have one.
Result<> write_request_head(std::string& out, Method method, std::string_view target,
                            std::string_view host, const Headers& headers, Framing framing);

// A request's head, written but for the length of its body: for those who send many that differ in
// nothing else. Immutable once made.
class PreparedHead {
 public:
  // Errors: as write_request_head.
  static Result<PreparedHead> make(Method method, std::string_view target, std::string_view host,
                                   const Headers& headers);

  // The head of a request with so many bytes of body.
  std::string with_length(uint64_t body_bytes) const;

 private:
  std::string text_;  // up to the length
};

// `date` is an IMF-fixdate (see HttpDate). A status without a body (204, 304) gets no
// Content-Length whatever `framing` says.
void write_response_head(std::string& out, int status, const Headers& headers, Framing framing,
                         Connection connection, std::string_view date);

// "HTTP/1.1 100 Continue" as a whole.
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// The line before a chunk of so many bytes, which must not be 0. A chunk is sent as three pieces:
// this line, the bytes, kChunkEnd.
class ChunkLine {
 public:
  explicit ChunkLine(size_t chunk_bytes);
  std::string_view view() const { return {text_.data() + begin_, text_.size() - begin_}; }

 private:
  std::array<char, 18> text_;
  size_t begin_;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// The Date field, made anew once a second. One per thread.
class HttpDate {
 public:
  std::string_view at(int64_t wall_ms);

 private:
  int64_t second_ = -1;
  std::string text_;
};

}  // namespace mg::http
