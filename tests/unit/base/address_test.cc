#include "base/address.h"

#include <catch2/catch.hpp>
#include <cstdio>

#include "base/limits.h"
#include "support/corpus.h"

using namespace mg;

TEST_CASE("one spelling of an address is accepted") {
  CHECK(IpAddress::parse("127.0.0.1")->text() == "127.0.0.1");
  CHECK(IpAddress::parse("2001:db8::1")->text() == "2001:db8::1");
  CHECK(IpAddress::parse("::ffff:10.0.0.1") == IpAddress::parse("10.0.0.1"));
  for (const char* bad : {"", "127.1", "2130706433", "0x7f.0.0.1", "1.2.3.04", "1.2.3.4 ",
                          "fe80::1%eth0", "256.1.1.1", "localhost"})
    CHECK_FALSE(IpAddress::parse(bad));
}

TEST_CASE("networks contain what their prefix says, at every bit") {
  const auto odd = IpNetwork::parse("10.32.0.0/11");
  REQUIRE(odd);
  CHECK(odd->contains(*IpAddress::parse("10.32.0.0")));
  CHECK(odd->contains(*IpAddress::parse("10.63.255.255")));
  CHECK_FALSE(odd->contains(*IpAddress::parse("10.64.0.0")));
  CHECK_FALSE(odd->contains(*IpAddress::parse("10.31.255.255")));
  CHECK(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("8.8.8.8")));
  CHECK_FALSE(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  CHECK(IpNetwork::parse("8.8.8.8")->contains(*IpAddress::parse("8.8.8.8")));
  CHECK_FALSE(IpNetwork::parse("10.0.0.0/33"));
  CHECK_FALSE(IpNetwork::parse("10.0.0.0/"));
}

TEST_CASE("only the outside world is public") {
  for (const char* inside :
       {"127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "ff02::1",
        "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:127.0.0.1"}) {
    INFO(inside);
    CHECK_FALSE(IpAddress::parse(inside)->is_public());
  }
  for (const char* outside : {"8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"}) {
    INFO(outside);
    CHECK(IpAddress::parse(outside)->is_public());
  }
}

TEST_CASE("socket addresses") {
  CHECK(SocketAddress::parse("127.0.0.1:80")->text() == "127.0.0.1:80");
  CHECK(SocketAddress::parse("[::1]:80")->text() == "[::1]:80");
  for (const char* bad :
       {"127.0.0.1", "::1:80", "127.0.0.1:65536", "127.0.0.1:", "[127.0.0.1]:80", "127.0.0.1:-1"}) {
    INFO(bad);
    CHECK_FALSE(SocketAddress::parse(bad));
  }
}

TEST_CASE("a chain of proxies is followed no further than its bound") {
  const std::vector<IpNetwork> trusted = {*IpNetwork::parse("10.0.0.0/8")};
  const IpAddress peer = *IpAddress::parse("10.0.0.1");
  const auto chain = [](size_t proxies) {
    std::string out = "9.9.9.9";
    for (size_t i = 0; i < proxies; ++i) out += ",10.0.0.2";
    return out;
  };
  CHECK(client_address(peer, chain(limits::forwarded_hops_max - 1), trusted).text() == "9.9.9.9");
  CHECK(client_address(peer, chain(limits::forwarded_hops_max), trusted).text() == "10.0.0.2");
}

TEST_CASE("client addresses of the corpus") {
  CORPUS_OR_SKIP(root);
  const auto rows = test::read_table(root / "hostile/headers/client_ip.tsv");
  int checked = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    // Two rows name another header, which is none of ours: they have no X-Forwarded-For.
    const std::string forwarded = rows[i][1].find(": ") == std::string::npos ? rows[i][1] : "";
    std::vector<IpNetwork> trusted;
    if (!rows[i][2].empty()) trusted.push_back(*IpNetwork::parse(rows[i][2]));
    const std::string got =
        client_address(*IpAddress::parse(rows[i][0]), forwarded, trusted).text();
    INFO(rows[i][4] << ": " << forwarded.substr(0, 80));
    const std::string expected = rows[i][3].substr(0, rows[i][3].find(' '));
    CHECK(got == expected);
    ++checked;
  }
  std::printf("headers/client_ip: %d rows\n", checked);
  CHECK(checked >= 18);
}
