#include "server/config_values.h"

#include "base/text.h"

namespace mg::server {
namespace {

bool is_made_of(std::string_view text, std::string_view more) {
  for (const char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && more.find(c) == more.npos)
      return false;
  return !text.empty();
}

// Without the brackets of an IPv6 address there is no colon in a host.
bool is_host(std::string_view host) {
  if (!host.starts_with('[')) return is_made_of(host, ".-_");
  if (!host.ends_with(']')) return false;
  const auto address = IpAddress::parse(host.substr(1, host.size() - 2));
  return address && !address->is_v4() && to_lower(host) == host;
}

bool is_any(const IpAddress& address) {
  for (size_t i = 0; i < address.size(); ++i)
    if (address.data()[i] != 0) return false;
  return true;
}

// [::] takes connections to IPv4 addresses too.
bool covers(const IpAddress& wide, const IpAddress& other) {
  return is_any(wide) && (!wide.is_v4() || other.is_v4());
}

}  // namespace

bool is_origin(std::string_view text) {
  if (text == "*") return true;
  constexpr std::string_view kMark = "://";
  const size_t mark = text.find(kMark);
  if (mark == std::string_view::npos) return false;
  const std::string_view scheme = text.substr(0, mark);
  if (!is_made_of(scheme, "+-.") || !(scheme.front() >= 'a' && scheme.front() <= 'z')) return false;
  std::string_view host = text.substr(mark + kMark.size());
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view digits = host.substr(colon + 1);
    const auto port = parse_number<uint16_t>(digits);
    if (!port || std::to_string(*port) != digits) return false;
    if ((scheme == "https" && *port == 443) || (scheme == "http" && *port == 80)) return false;
    host = host.substr(0, colon);
  }
  return is_host(host);
}

bool is_name_server(std::string_view text) {
  if (IpAddress::parse(text)) return true;
  const auto address = SocketAddress::parse(text);
  return address && address->port != 0;
}

bool overlap(const SocketAddress& a, const SocketAddress& b) {
  if (a.port != b.port || a.port == 0) return false;
  return a.ip == b.ip || covers(a.ip, b.ip) || covers(b.ip, a.ip);
}

}  // namespace mg::server
