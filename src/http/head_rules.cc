#include "http/head_rules.h"

#include <cstdint>
#include <cstring>

#include "base/address.h"
#include "base/text.h"

namespace mg::http {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) {
  return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_port(std::string_view text) {
  const auto port = parse_number<uint16_t>(text);
  return port && *port > 0 && text.size() <= 5;
}

// A registered name or an IPv4 address. Underscores stand in names of containers and services.
bool is_reg_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  for (char c : name)
    if (!is_alphanumeric(c) && c != '-' && c != '.' && c != '_') return false;
  return true;
}

constexpr std::string_view kForbiddenTrailers[] = {
    "age",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "idempotency-key",
    "x-api-key",
};
constexpr std::string_view kForbiddenTrailerPrefixes[] = {"content-", "if-", "proxy-",
                                                          "x-forwarded-", "accept"};

}  // namespace

bool is_ascii(std::string_view text) {
  uint64_t bits = 0;
  size_t i = 0;
  for (; i + sizeof bits <= text.size(); i += sizeof bits) {
    uint64_t eight;
    std::memcpy(&eight, text.data() + i, sizeof eight);
    bits |= eight;
  }
  for (; i < text.size(); ++i) bits |= static_cast<unsigned char>(text[i]);
  return (bits & 0x8080808080808080u) == 0;
}

bool is_host(std::string_view value) {
  if (!value.empty() && value.front() == '[') {
    const size_t close = value.find(']');
    if (close == std::string_view::npos) return false;
    const std::string_view inside = value.substr(1, close - 1);
    const std::string_view rest = value.substr(close + 1);
    return inside.find(':') != inside.npos && IpAddress::parse(inside) &&
           (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1))));
  }
  const size_t colon = value.find(':');
  if (colon == std::string_view::npos) return is_reg_name(value);
  return is_reg_name(value.substr(0, colon)) && is_port(value.substr(colon + 1));
}

bool is_target(Method method, std::string_view target) {
  if (target == "*") return method == Method::options;
  if (target.empty() || target.front() != '/') return false;
  for (size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\') return false;
    if (c != '%') continue;
    if (target.size() - i < 3) return false;
    const int high = hex_value(target[i + 1]);
    const int low = hex_value(target[i + 2]);
    if (high < 0 || low < 0) return false;
    const int byte = high * 16 + low;
    if (byte < 0x20 || byte == 0x7f) return false;
  }
  return true;
}

bool is_request_line(std::string_view raw, Method method, std::string_view target, int minor) {
  const auto take = [&raw](std::string_view expected) {
    if (raw.substr(0, expected.size()) != expected) return false;
    raw.remove_prefix(expected.size());
    return true;
  };
  return take(name(method)) && take(" ") && take(target) && take(" HTTP/1.") &&
         take(minor == 0 ? "0\r\n" : "1\r\n");
}

bool is_status_line(std::string_view raw, int minor, int status) {
  constexpr size_t kBeforeReason = 12;  // "HTTP/1.1 200"
  if (raw.size() <= kBeforeReason || raw.substr(0, 7) != "HTTP/1.") return false;
  if (raw[7] != '0' + minor || raw[8] != ' ') return false;
  if (parse_number<int>(raw.substr(9, 3)) != status) return false;
  return raw[kBeforeReason] == ' ' || raw[kBeforeReason] == '\r';
}

bool is_chunked(std::string_view value) { return equal_ignoring_case(value, "chunked"); }

bool is_single_coding(std::string_view value) { return is_field_name(value); }

bool is_forbidden_trailer(std::string_view name) {
  for (std::string_view known : kForbiddenTrailers)
    if (equal_ignoring_case(known, name)) return true;
  for (std::string_view prefix : kForbiddenTrailerPrefixes)
    if (equal_ignoring_case(prefix, name.substr(0, prefix.size()))) return true;
  return false;
}

}  // namespace mg::http
