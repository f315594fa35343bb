#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"

namespace mg {
namespace {

// Special-purpose blocks that must not be taken for the public internet, from the IANA registries
// for IPv4 and IPv6 (RFC 6890 and its updates), multicast and the deprecated site-local block.
constexpr const char* kNotPublic[] = {
    "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
    "::/96",         "64:ff9b::/96",    "64:ff9b:1::/48", "100::/64",       "2001::/23",
    "2001:db8::/32", "2002::/16",       "3fff::/20",      "5f00::/16",      "fc00::/7",
    "fe80::/10",     "fec0::/10",       "ff00::/8",
};

const std::vector<IpNetwork>& not_public() {
  static const std::vector<IpNetwork> networks = [] {
    std::vector<IpNetwork> all;
    for (const char* text : kNotPublic) all.push_back(*IpNetwork::parse(text));
    return all;
  }();
  return networks;
}

// An entry of X-Forwarded-For: an address, perhaps with a port ("1.2.3.4:5", "[::1]:5").
std::optional<IpAddress> parse_hop(std::string_view hop) {
  if (auto ip = IpAddress::parse(hop)) return ip;
  if (auto with_port = SocketAddress::parse(hop)) return with_port->ip;
  if (hop.size() > 2 && hop.front() == '[' && hop.back() == ']')
    return IpAddress::parse(hop.substr(1, hop.size() - 2));
  return std::nullopt;
}

}  // namespace

IpAddress IpAddress::v4(std::array<uint8_t, 4> bytes) {
  IpAddress ip;
  std::copy(bytes.begin(), bytes.end(), ip.bytes_.begin());
  return ip;
}

IpAddress IpAddress::v6(const std::array<uint8_t, 16>& bytes) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  IpAddress ip;
  ip.bytes_ = bytes;
  ip.is_v4_ = false;
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != text.npos)
    return std::nullopt;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  std::array<uint8_t, 4> four;
  if (inet_pton(AF_INET, terminated, four.data()) == 1) return v4(four);
  std::array<uint8_t, 16> sixteen;
  if (inet_pton(AF_INET6, terminated, sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN];
  if (is_v4_) {  // inet_ntop goes by printf, which costs more than finding the client's key
    char* at = out;
    for (size_t i = 0; i < 4; ++i) {
      if (i > 0) *at++ = '.';
      at = std::to_chars(at, out + sizeof out, bytes_[i]).ptr;
    }
    return {out, at};
  }
  inet_ntop(AF_INET6, bytes_.data(), out, sizeof out);
  return out;
}

bool IpAddress::is_loopback() const {
  if (is_v4_) return bytes_[0] == 127;
  static const IpAddress kLoopback = *parse("::1");
  return *this == kLoopback;
}

bool IpAddress::is_public() const { return !any_contains(not_public(), *this); }

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const size_t slash = std::min(text.find('/'), text.size());
  const auto base = IpAddress::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  IpNetwork network;
  network.base_ = *base;
  network.prefix_bits_ = static_cast<unsigned>(base->size() * 8);
  if (slash == text.size()) return network;
  const auto bits = parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > network.prefix_bits_) return std::nullopt;
  network.prefix_bits_ = *bits;
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  if (address.is_v4() != base_.is_v4()) return false;
  const unsigned whole = prefix_bits_ / 8;
  if (std::memcmp(address.data(), base_.data(), whole) != 0) return false;
  const unsigned rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xff00u >> rest & 0xffu;
  return ((address.data()[whole] ^ base_.data()[whole]) & mask) == 0;
}

bool any_contains(const std::vector<IpNetwork>& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  const auto port = parse_number<uint16_t>(text.substr(colon + 1));
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (!ip || !port || has_colon != bracketed) return std::nullopt;
  return SocketAddress{*ip, *port};
}

std::string SocketAddress::text() const {
  return (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port);
}

IpAddress client_address(const IpAddress& peer, std::string_view forwarded_for,
                         const std::vector<IpNetwork>& trusted_proxies) {
  if (!any_contains(trusted_proxies, peer)) return peer;
  IpAddress nearest = peer;
  for (size_t hops = 0; !forwarded_for.empty() && hops < limits::forwarded_hops_max; ++hops) {
    const size_t comma = forwarded_for.rfind(',');
    const size_t from = comma == std::string_view::npos ? 0 : comma + 1;
    const auto hop = parse_hop(trimmed(forwarded_for.substr(from)));
    if (!hop) return peer;
    nearest = *hop;
    if (!any_contains(trusted_proxies, nearest)) break;
    forwarded_for = forwarded_for.substr(0, comma == std::string_view::npos ? 0 : comma);
  }
  return nearest;
}

}  // namespace mg
