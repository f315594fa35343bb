#include "http/url.h"

#include <catch2/catch.hpp>

#include "base/limits.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::http;

namespace {

constexpr OriginPolicy kPublicOnly{};
constexpr OriginPolicy kPrivate{PrivateAddresses::allow, PlainHttp::refuse};
constexpr OriginPolicy kPlain{PrivateAddresses::refuse, PlainHttp::allow};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Origin origin(std::string_view url) { return parse_base_url(url).value().origin; }

Result<> judge(std::string_view url, std::vector<IpAddress> resolved, const OriginPolicy& policy) {
  MG_TRY(const BaseUrl base, parse_base_url(url));
  MG_CHECK(check_origin(base.origin, policy));
  return check_addresses(
      base.origin, base.origin.address ? std::vector{*base.origin.address} : resolved, policy);
}

}  // namespace

TEST_CASE("a base URL is read into its parts") {
  const BaseUrl url = parse_base_url("HTTPS://API.Example.com:8443/v1/openai/").value();
  CHECK(url.origin.scheme == Scheme::https);
  CHECK(url.origin.host == "api.example.com");
  CHECK(url.origin.port == 8443);
  CHECK(url.path_prefix == "/v1/openai");
  CHECK(url.origin.authority() == "api.example.com:8443");
  CHECK(url.origin.host_field() == "api.example.com:8443");
  CHECK(origin("https://a.example").host_field() == "a.example");
  CHECK(origin("https://a.example").authority() == "a.example:443");
  CHECK(origin("http://a.example").port == 80);
  CHECK(parse_base_url("https://a.example/").value().path_prefix.empty());
  const Origin six = origin("http://[2001:0DB8::1]:8080/x");
  CHECK(six.host == "2001:db8::1");
  CHECK(six.host_field() == "[2001:db8::1]:8080");
  CHECK(origin("http://[::ffff:8.8.8.8]").host_field() == "8.8.8.8");
}

TEST_CASE("what has two readings is no base URL") {
  for (std::string_view wrong : {"",
                                 "https",
                                 "https:",
                                 "https:/a",
                                 "https://",
                                 "https:///x",
                                 "//a.example/",
                                 "ftp://a/",
                                 "https://a.example?x",
                                 "https://a.example/#x",
                                 "https://u@a.example/",
                                 "https://u:p@a.example/",
                                 "https://a.example\\@b/",
                                 "https://a b/",
                                 "https://a.example:/",
                                 "https://a.example:0/",
                                 "https://a.example:65536/",
                                 "https://a.example:0443/",
                                 "https://a.example:443:80/",
                                 "https://.a/",
                                 "https://a./",
                                 "https://a..b/",
                                 "https://-a/",
                                 "https://xn--/",
                                 "https://a%41.example/",
                                 "https://127.1/",
                                 "https://0x7f.1/",
                                 "https://2130706433/",
                                 "https://0177.0.0.1/",
                                 "https://1.2.3.4.5/",
                                 "https://1.2.3/",
                                 "https://256.1.1.1/",
                                 "https://[::1/",
                                 "https://::1/",
                                 "https://[127.0.0.1]/",
                                 "https://[fe80::1%25eth0]/",
                                 "https://a.example/../b",
                                 "https://a.example/./b",
                                 "https://a.example/a//b",
                                 "https://a.example/%zz",
                                 "https://a.example/%00",
                                 "https://a.example/\xc3\xa9",
                                 "https://\xe4\xbe\x8b.example/",
                                 "https://a.example/\r\n"}) {
    CAPTURE(wrong);
    CHECK(!parse_base_url(wrong));
  }
  const std::string start = "https://a.example/";
  CHECK(parse_base_url(start + std::string(limits::base_url_bytes_max - start.size(), 'a')));
  CHECK(parse_base_url(start + std::string(limits::base_url_bytes_max + 1 - start.size(), 'a'))
            .error()
            .code == Errc::too_large);
}

TEST_CASE("every row of the SSRF table gets its verdict") {
  CORPUS_OR_SKIP(corpus);
  const auto rows = mg::test::read_table(corpus / "hostile" / "ssrf" / "urls.tsv");
  // What the table says about names; all others resolve to a public address.
  const std::vector<IpAddress> somewhere = {ip("93.184.216.34")};
  int refused = 0, allowed = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string url = rows[i][0].substr(0, rows[i][0].find(" ("));
    std::vector<IpAddress> resolved = somewhere;
    if (rows[i][0].find("resolves to 127.0.0.1") != std::string::npos) resolved = {ip("127.0.0.1")};
    if (rows[i][0].find("one public and one private") != std::string::npos)
      resolved = {ip("93.184.216.34"), ip("10.0.0.1")};
    CAPTURE(rows[i][0]);
    CHECK(judge(url, resolved, kPublicOnly).has_value() == (rows[i][1] == "A"));
    // Plain http alone must not be what saved us from an inner address.
    if (rows[i][1] == "R" && rows[i][0].find("plain http") == std::string::npos)
      CHECK(!judge(url, resolved, kPlain));
    ++(rows[i][1] == "A" ? allowed : refused);
  }
  CHECK(refused + allowed == int(rows.size()) - 1);
  std::printf("ssrf: refused=%d allowed=%d\n", refused, allowed);
}

TEST_CASE("private addresses need leave, and some get none") {
  for (std::string_view url : {"http://127.0.0.1:9000/v1", "https://10.1.2.3", "http://[::1]:8080",
                               "http://[fd12::1]", "http://192.168.0.9", "http://100.64.0.1"}) {
    CAPTURE(url);
    CHECK(judge(url, {}, kPrivate).has_value());
    CHECK(judge(url, {}, kPublicOnly).error().code == Errc::refused);
  }
  for (std::string_view url :
       {"http://169.254.169.254", "http://0.0.0.0", "http://224.0.0.1", "http://100.100.100.200",
        "http://[fd00:ec2::254]", "http://[fe80::1]", "http://255.255.255.255", "http://[::]"}) {
    CAPTURE(url);
    CHECK(!judge(url, {}, kPrivate));
    CHECK(!judge(url, {}, {PrivateAddresses::allow, PlainHttp::allow}));
  }
  CHECK(judge("http://ollama:11434", {ip("172.17.0.2")}, kPrivate).has_value());
  CHECK(!judge("http://ollama:11434", {ip("172.17.0.2")}, kPublicOnly));
  for (std::string_view local :
       {"https://localhost", "https://LOCALHOST", "https://x.localhost", "https://printer.local",
        "https://db.internal", "https://nas", "https://home.arpa", "https://x.home.arpa"})
    CHECK(!judge(local, {ip("8.8.8.8")}, kPublicOnly));
  CHECK(judge("https://notlocal.example", {ip("8.8.8.8")}, kPublicOnly).has_value());
  CHECK(judge("https://mylocalhost.com", {ip("8.8.8.8")}, kPublicOnly).has_value());
}

TEST_CASE("plain http goes out only with leave, whatever the name resolves to") {
  CHECK(!judge("http://api.example.com", {ip("8.8.8.8")}, kPublicOnly));
  CHECK(judge("http://api.example.com", {ip("8.8.8.8")}, kPlain).has_value());
  // Leave for private addresses is none for the public internet.
  CHECK(!judge("http://api.example.com", {ip("8.8.8.8")}, kPrivate));
  CHECK(!judge("http://api.example.com", {ip("10.0.0.1"), ip("8.8.8.8")}, kPrivate));
  CHECK(judge("http://api.example.com", {ip("10.0.0.1")}, kPrivate).has_value());
}

TEST_CASE("one address that is not allowed refuses them all, and so does none") {
  const Origin api = origin("https://api.example.com");
  CHECK(check_addresses(api, std::vector{ip("8.8.8.8"), ip("2606:4700::1")}, kPublicOnly));
  CHECK(!check_addresses(api, std::vector{ip("8.8.8.8"), ip("127.0.0.1")}, kPublicOnly));
  CHECK(!check_addresses(api, std::vector{ip("127.0.0.1"), ip("8.8.8.8")}, kPublicOnly));
  CHECK(!check_addresses(api, {}, kPublicOnly));
}

TEST_CASE("ports of other protocols are refused even with every leave") {
  const OriginPolicy everything{PrivateAddresses::allow, PlainHttp::allow};
  for (int port : {22, 25, 6379, 11211, 5432, 3306, 27017, 1, 10080})
    CHECK(!check_origin(origin("http://127.0.0.1:" + std::to_string(port)), everything));
  for (int port : {80, 443, 8080, 8443, 9000, 11434, 2, 65535})
    CHECK(check_origin(origin("http://127.0.0.1:" + std::to_string(port)), everything));
}
