// What a head must be beyond its syntax. Pure functions over text; the parser says which status a
// breach is answered with.
#pragma once

#include <string_view>

#include "http/head.h"

namespace mg::http {

// No byte above 0x7f.
bool is_ascii(std::string_view text);

// A name, an IPv4 address or an IPv6 one in brackets, and perhaps a port from 1 to 65535; no
// userinfo, no path, not empty.
bool is_host(std::string_view value);

// Starts with '/' (or is "*", for OPTIONS); visible ASCII without '#' and '\', which programs
// read differently; each '%' begins an escape of something other than a control byte.
bool is_target(Method method, std::string_view target);

// The exact bytes "METHOD SP target SP HTTP/1.x CRLF" at the front of a raw head.
bool is_request_line(std::string_view raw, Method method, std::string_view target, int minor);
// "HTTP/1.x SP 3DIGIT [SP reason] CRLF".
bool is_status_line(std::string_view raw, int minor, int status);

// "chunked" in any case.
bool is_chunked(std::string_view value);
// One token and nothing else: a coding we do not know, as opposed to a malformed list.
bool is_single_coding(std::string_view value);

// Fields that may not stand behind a body, because they would change what came before it: framing,
// routing, authentication, conditions, the body's meaning (RFC 9110, section 6.5.1).
bool is_forbidden_trailer(std::string_view name);

}  // namespace mg::http
