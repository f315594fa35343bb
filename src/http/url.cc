#include "http/url.h"

#include <algorithm>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "http/head_rules.h"

namespace mg::http {
namespace {

constexpr size_t kHostBytesMax = 253;
constexpr size_t kLabelBytesMax = 63;

// Where something other than HTTP answers: the ports browsers refuse (WHATWG Fetch, "bad port"),
// and those of common databases and queues. In rising order.
constexpr uint16_t kPortsOfOthers[] = {
    1,    7,    9,    11,   13,   15,   17,    19,    20,    21,   22,   23,   25,   37,
    42,   43,   53,   69,   77,   79,   87,    95,    101,   102,  103,  104,  109,  110,
    111,  113,  115,  117,  119,  123,  135,   137,   139,   143,  161,  179,  389,  427,
    445,  465,  512,  513,  514,  515,  526,   530,   531,   532,  540,  548,  554,  556,
    563,  587,  601,  636,  989,  990,  993,   995,   1433,  1521, 1719, 1720, 1723, 2049,
    2181, 3306, 3389, 3659, 4045, 5060, 5061,  5432,  5672,  6000, 6379, 6566, 6665, 6666,
    6667, 6668, 6669, 6697, 9042, 9092, 10080, 11211, 27017,
};
static_assert(std::is_sorted(std::begin(kPortsOfOthers), std::end(kPortsOfOthers)));

// Names of this machine and of networks that nobody outside can reach (RFC 6761, RFC 6762, ICANN).
constexpr std::string_view kLocalSuffixes[] = {"localhost", "local", "internal", "home.arpa",
                                               "localdomain"};

constexpr const char* kPrivateNetworks[] = {"10.0.0.0/8",  "172.16.0.0/12", "192.168.0.0/16",
                                            "127.0.0.0/8", "100.64.0.0/10", "::1/128",
                                            "fc00::/7"};
// Inside those networks, but where clouds serve credentials.
constexpr const char* kMetadataAddresses[] = {"100.100.100.200/32", "fd00:ec2::254/128",
                                              "fd20:ce::254/128"};

template <size_t N>
std::vector<IpNetwork> networks(const char* const (&texts)[N]) {
  std::vector<IpNetwork> all;
  for (const char* text : texts) all.push_back(*IpNetwork::parse(text));
  return all;
}

bool is_private(const IpAddress& address) {
  static const std::vector<IpNetwork> inside = networks(kPrivateNetworks);
  static const std::vector<IpNetwork> except = networks(kMetadataAddresses);
  return any_contains(inside, address) && !any_contains(except, address);
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > kLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

// "1", "0x7f": what a resolver might take for part of an address.
bool is_number(std::string_view label) {
  if (label.starts_with("0x")) return true;
  return label.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_host_name(std::string_view host) {
  if (host.size() > kHostBytesMax) return false;
  const std::vector<std::string_view> labels = split(host, '.');
  return std::all_of(labels.begin(), labels.end(), is_label) && !is_number(labels.back());
}

bool is_local_name(std::string_view host) {
  if (host.find('.') == std::string_view::npos) return true;  // resolved by the local network
  for (std::string_view suffix : kLocalSuffixes) {
    if (!host.ends_with(suffix)) continue;
    const std::string_view before = host.substr(0, host.size() - suffix.size());
    if (before.empty() || before.back() == '.') return true;
  }
  return false;
}

Result<> read_host(std::string_view text, Origin& origin) {
  if (text.starts_with('[')) {
    if (text.size() < 4 || text.back() != ']') return fail(Errc::invalid, "malformed address");
    text = text.substr(1, text.size() - 2);
    origin.address = IpAddress::parse(text);
    if (!origin.address || text.find(':') == std::string_view::npos)
      return fail(Errc::invalid, "not an IPv6 address in the brackets");
    origin.host = origin.address->text();
    return {};
  }
  origin.host = to_lower(text);
  if (origin.host.empty()) return fail(Errc::invalid, "no host");
  origin.address = IpAddress::parse(origin.host);
  if (!origin.address && !is_host_name(origin.host))
    return fail(Errc::invalid, "not a host name in ASCII, nor an address in its usual spelling");
  return {};
}

Result<> read_port(std::string_view text, Origin& origin) {
  const auto port = parse_number<uint16_t>(text);
  if (!port || *port == 0 || text.front() == '0') return fail(Errc::invalid, "malformed port");
  origin.port = *port;
  return {};
}

Result<> read_authority(std::string_view text, Origin& origin) {
  if (text.find('@') != std::string_view::npos) return fail(Errc::invalid, "a user in the URL");
  const size_t bracket = text.rfind(']');
  const size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  MG_CHECK(read_host(text.substr(0, colon), origin));
  if (colon != std::string_view::npos) MG_CHECK(read_port(text.substr(colon + 1), origin));
  return {};
}

Result<std::string> read_path(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  if (text.empty()) return std::string();
  if (!is_target(Method::get, text)) return fail(Errc::invalid, "malformed path");
  for (std::string_view segment : split(text.substr(1), '/'))
    if (segment.empty() || segment == "." || segment == "..")
      return fail(Errc::invalid, "empty or dot segments in the path");
  return std::string(text);
}

uint16_t usual_port(Scheme scheme) { return scheme == Scheme::https ? 443 : 80; }

}  // namespace

std::string Origin::authority() const { return host_part() + ":" + std::to_string(port); }

std::string Origin::host_field() const {
  return port == usual_port(scheme) ? host_part() : authority();
}

std::string Origin::host_part() const {
  return address && !address->is_v4() ? "[" + host + "]" : host;
}

Result<BaseUrl> parse_base_url(std::string_view text) {
  if (text.size() > limits::base_url_bytes_max) return fail(Errc::too_large, "URL too long");
  for (char c : text)
    if (c <= 0x20 || c >= 0x7f || c == '\\')
      return fail(Errc::invalid, "blank, control character, backslash or non-ASCII in the URL");
  if (text.find_first_of("?#") != std::string_view::npos)
    return fail(Errc::invalid, "a query or fragment in the URL");
  const size_t colon = text.find("://");
  const std::string scheme = to_lower(text.substr(0, colon));
  if (colon == std::string_view::npos || (scheme != "http" && scheme != "https"))
    return fail(Errc::invalid, "the URL must begin with http:// or https://");
  BaseUrl url;
  url.origin.scheme = scheme == "https" ? Scheme::https : Scheme::http;
  url.origin.port = usual_port(url.origin.scheme);
  text.remove_prefix(colon + 3);
  const size_t slash = std::min(text.find('/'), text.size());
  MG_CHECK(read_authority(text.substr(0, slash), url.origin));
  MG_TRY(url.path_prefix, read_path(text.substr(slash)));
  return url;
}

Result<> check_origin(const Origin& origin, const OriginPolicy& policy) {
  if (std::binary_search(std::begin(kPortsOfOthers), std::end(kPortsOfOthers), origin.port))
    return fail(Errc::refused, "port " + std::to_string(origin.port) + " is not one of HTTP");
  if (origin.address) return check_addresses(origin, {&*origin.address, 1}, policy);
  const bool allows_private = policy.private_addresses == PrivateAddresses::allow;
  if (!allows_private && is_local_name(origin.host))
    return fail(Errc::refused, "a name of the local network needs allow_private");
  if (origin.scheme == Scheme::http && !allows_private && policy.plain_http == PlainHttp::refuse)
    return fail(Errc::refused, "plain http needs allow_plain");
  return {};
}

Result<> check_addresses(const Origin& origin, std::span<const IpAddress> addresses,
                         const OriginPolicy& policy) {
  if (addresses.empty()) return fail(Errc::refused, "no address");
  for (const IpAddress& address : addresses) {
    if (address.is_public()) {
      if (origin.scheme == Scheme::http && policy.plain_http == PlainHttp::refuse)
        return fail(Errc::refused, "plain http to " + address.text() + " needs allow_plain");
    } else if (!is_private(address)) {
      return fail(Errc::refused, "address " + address.text() + " is never an upstream");
    } else if (policy.private_addresses == PrivateAddresses::refuse) {
      return fail(Errc::refused, "private address " + address.text() + " needs allow_private");
    }
  }
  return {};
}

}  // namespace mg::http
