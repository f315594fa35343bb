// What stands before a body: the line that starts a message, its fields, and how the body that
// follows is delimited.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace mg::http {

// The methods this server speaks; every other one is refused by the parser.
enum class Method : uint8_t { get, head, post, put, del, options, patch };
std::string_view name(Method method);  // "GET", ..., "DELETE"
// Exact: methods are case-sensitive.
std::optional<Method> parse_method(std::string_view text);

enum class BodyKind : uint8_t {
  none,         // no body follows
  length,       // exactly so many bytes
  chunked,      // RFC 9112, section 7.1
  until_close,  // answers only: ends with the connection
};

struct Framing {
  BodyKind kind = BodyKind::none;
  uint64_t bytes = 0;  // with `length` only

  static Framing none() { return {}; }
  static Framing length(uint64_t bytes) { return {BodyKind::length, bytes}; }
  static Framing chunked() { return {BodyKind::chunked, 0}; }
  static Framing until_close() { return {BodyKind::until_close, 0}; }
  bool operator==(const Framing&) const = default;
};

struct RequestHead {
  Method method = Method::get;
  uint8_t minor_version = 1;  // of HTTP/1
  bool keep_alive = true;     // the client would send another request
  bool expects_continue = false;
  Framing body;
  Headers headers;
  Headers::Stored target_at;  // in `headers`

  // For those who build one: the target is kept in the headers' storage.
  static RequestHead make(Method method, std::string_view target);

  // As it came: starts with '/', or is "*" (OPTIONS only). Visible ASCII, escapes well formed.
  std::string_view target() const { return headers.stored(target_at); }
  std::string_view path() const;   // up to the first '?'
  std::string_view query() const;  // behind it; empty where there is none
  std::string_view host() const { return headers.find("host").value_or(std::string_view()); }
};

struct ResponseHead {
  int status = 0;  // 200 to 599 (an interim answer is never given out)
  uint8_t minor_version = 1;
  bool keep_alive = true;  // the connection may carry another exchange after this one
  Framing body;
  Headers headers;
};

// Dates as heads carry them: "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, RFC 9110, 5.6.7).
std::string format_http_date(int64_t unix_s);
// Seconds since 1970; the two obsolete forms are not read.
std::optional<int64_t> parse_http_date(std::string_view text);

// The text that goes with a status: "Not Found"; empty for one nobody registered.
std::string_view reason_phrase(int status);

}  // namespace mg::http
