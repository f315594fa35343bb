// Where a channel's requests go: its base URL, read strictly, and the question of whether this
// gateway may send anything there at all.
//
// Someone who could point an upstream at the gateway's own network could read what only it can
// reach (server-side request forgery). So a base URL has one spelling, an address is public unless
// the configuration says otherwise, and what is judged is the very address that is connected to:
//   check_origin() when a channel is loaded, check_addresses() each time a name was resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"

namespace mg::http {

enum class Scheme : uint8_t { http, https };

struct Origin {
  Scheme scheme = Scheme::https;
  std::string host;                  // lower case; an address without brackets
  uint16_t port = 443;               // the scheme's own where the URL named none
  std::optional<IpAddress> address;  // when the host is an address and no name

  // "example.com:443", "[::1]:8080": for logs and as a key.
  std::string authority() const;
  // The same without the scheme's own port, as a Host field has it.
  std::string host_field() const;
  bool operator==(const Origin&) const = default;

 private:
  std::string host_part() const;
};

struct BaseUrl {
  Origin origin;
  std::string path_prefix;  // "" or "/v1": no slash at its end
};

// http or https; a host name in ASCII (IDNs as "xn--...") or an address in its usual spelling;
// perhaps a port and a path. No user, query, fragment, backslash, blank, escape in the host, dot
// segments. Errors: invalid, with the reason; the text itself is not repeated, it might hold a key.
Result<BaseUrl> parse_base_url(std::string_view text);

enum class PrivateAddresses : uint8_t { refuse, allow };  // `allow_private` of a channel
enum class PlainHttp : uint8_t { refuse, allow };         // `allow_plain`

struct OriginPolicy {
  PrivateAddresses private_addresses = PrivateAddresses::refuse;
  PlainHttp plain_http = PlainHttp::refuse;
};

// What can be said before the name is resolved. With `refuse`, names that mean this machine or its
// network are refused; a port on which something other than HTTP usually listens always is.
// Errors: refused.
Result<> check_origin(const Origin& origin, const OriginPolicy& policy);

// Judges everything the name resolved to: one address that is not allowed refuses them all.
// Addresses that are neither public nor private (link-local, multicast, unspecified, reserved) and
// those where clouds serve credentials are never allowed. Plain http goes to private addresses, or
// anywhere with `allow`. Errors: refused.
Result<> check_addresses(const Origin& origin, std::span<const IpAddress> addresses,
                         const OriginPolicy& policy);

}  // namespace mg::http
