// Internet addresses as values: parsing that accepts one spelling, and the question of whether an
// address belongs to the outside world.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mg {

// IPv4 or IPv6. A v4 address mapped into v6 (::ffff:a.b.c.d) is held as the v4 address it is, so
// that a list of v4 networks means what it says.
class IpAddress {
 public:
  // Dotted decimal without leading zeros, or RFC 4291 text without a zone.
  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress v4(std::array<uint8_t, 4> bytes);
  static IpAddress v6(const std::array<uint8_t, 16>& bytes);

  bool is_v4() const { return is_v4_; }
  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return is_v4_ ? 4 : 16; }
  std::string text() const;

  bool is_loopback() const;
  // Reachable on the public internet: not private, loopback, link-local, multicast, shared,
  // reserved or an IPv6 form that carries such a v4 address (IANA special-purpose registries).
  bool is_public() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<uint8_t, 16> bytes_{};
  bool is_v4_ = true;
};

// "10.0.0.0/8", "2001:db8::/32", or a single address.
class IpNetwork {
 public:
  static std::optional<IpNetwork> parse(std::string_view text);
  bool contains(const IpAddress& address) const;

 private:
  IpAddress base_;
  unsigned prefix_bits_ = 0;
};

bool any_contains(const std::vector<IpNetwork>& networks, const IpAddress& address);

struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;

  // "127.0.0.1:8080", "[::1]:8080".
  static std::optional<SocketAddress> parse(std::string_view text);
  std::string text() const;
  auto operator<=>(const SocketAddress&) const = default;
};

// Who asks: the peer itself, or, where the peer is a trusted proxy, the right-most address of
// X-Forwarded-For that is not one. Anything there that is not an address: the peer.
// `forwarded_for` holds the header's value, all lines joined by commas.
IpAddress client_address(const IpAddress& peer, std::string_view forwarded_for,
                         const std::vector<IpNetwork>& trusted_proxies);

}  // namespace mg
