#include "directory/records.h"

#include <catch2/catch.hpp>

#include "base/rng.h"
#include "support/virtual_clock.h"

using namespace mg;
using namespace mg::directory;

namespace {

ApiKey full_key(Clock& clock, Rng& rng) {
  ApiKey key;
  key.id = Id::make(clock, rng);
  key.tenant = Id::make(clock, rng);
  for (size_t i = 0; i < key.digest.size(); ++i) key.digest[i] = static_cast<uint8_t>(i * 7);
  key.name = "ci \"robot\" \n 北京";
  key.group = "vip";
  key.models = {"gpt-4o", "claude-*"};
  key.allow_ip = {"10.0.0.0/8", "2001:db8::1"};
  key.tags = {"a", ""};
  key.rpm = 60;
  key.tpm = 100'000;
  key.daily_limit = Money::nanos(5'000'000'001);
  key.created_ms = 1'790'000'000'123;
  key.expires_ms = 1'800'000'000'000;
  key.revoked = true;
  key.previous_digest = SecretDigest{1, 2, 3};
  key.previous_until_ms = 1'790'000'100'000;
  return key;
}

}  // namespace

TEST_CASE("a key is read as it was written, whatever of it is set") {
  test::VirtualClock clock;
  SeededRng rng(1);
  ApiKey bare;
  bare.id = Id::make(clock, rng);
  bare.tenant = Id::make(clock, rng);
  for (const ApiKey& key : {full_key(clock, rng), bare}) {
    const auto read = decode_key(encode(key));
    REQUIRE(read);
    CHECK(read->id == key.id);
    CHECK(read->tenant == key.tenant);
    CHECK(read->digest == key.digest);
    CHECK(read->name == key.name);
    CHECK(read->group == key.group);
    CHECK(read->models == key.models);
    CHECK(read->allow_ip == key.allow_ip);
    CHECK(read->tags == key.tags);
    CHECK(read->rpm == key.rpm);
    CHECK(read->tpm == key.tpm);
    CHECK(read->daily_limit == key.daily_limit);
    CHECK(read->created_ms == key.created_ms);
    CHECK(read->expires_ms == key.expires_ms);
    CHECK(read->revoked == key.revoked);
    CHECK(read->previous_digest == key.previous_digest);
    CHECK(read->previous_until_ms == key.previous_until_ms);
    CHECK(encode(*read) == encode(key));
  }
}

TEST_CASE("tenants, secrets and switches are read as they were written") {
  test::VirtualClock clock;
  SeededRng rng(1);
  Tenant tenant{Id::make(clock, rng), TenantKind::employee, Id::make(clock, rng), "Zoë", true, 17};
  const auto read = decode_tenant(encode(tenant));
  REQUIRE(read);
  CHECK(read->id == tenant.id);
  CHECK(read->kind == tenant.kind);
  CHECK(read->parent == tenant.parent);
  CHECK(read->name == tenant.name);
  CHECK(read->suspended);
  CHECK(read->created_ms == 17);
  const auto secret = decode_secret(encode(SealedSecret{"main", "00ff", "12", 5}));
  REQUIRE(secret);
  CHECK(secret->name == "main");
  CHECK(secret->sealed_hex == "00ff");
  CHECK(secret->master_key_id == "12");
  CHECK(decode_channel_switch(encode_channel_switch(true)).value());
  CHECK_FALSE(decode_channel_switch(encode_channel_switch(false)).value());
}

TEST_CASE("a record that this program did not write is refused, and never half believed") {
  test::VirtualClock clock;
  SeededRng rng(1);
  const std::string key = encode(full_key(clock, rng));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string out = key;
    const size_t at = out.find(from);
    REQUIRE(at != std::string::npos);
    return out.replace(at, from.size(), to);
  };
  const std::vector<std::string> damaged = {
      "",
      "[]",
      "7",
      "{}",
      key.substr(0, key.size() - 1),
      changed("\"id\":\"key_", "\"id\":\"ten_"),
      changed("\"models\":[\"gpt-4o\"", "\"models\":[4"),
      changed("\"rpm\":60", "\"rpm\":\"60\""),
      changed("\"revoked\":true", "\"revoked\":1"),
      changed("_nanos\":5000000001", "_nanos\":-2"),
  };
  for (const std::string& value : damaged) {
    INFO(value);
    const auto read = decode_key(value);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::invalid);
  }
  CHECK_FALSE(decode_tenant(R"({"id":"platform","kind":"emperor","parent":"platform"})"));
  CHECK_FALSE(decode_secret("{\"name\":4}"));
  CHECK_FALSE(decode_channel_switch("{\"enabled\":\"yes\"}"));
}

TEST_CASE("who may stand below whom") {
  using K = TenantKind;
  const std::vector<std::pair<K, K>> allowed = {{K::platform, K::agent},
                                                {K::platform, K::company},
                                                {K::agent, K::company},
                                                {K::company, K::employee}};
  for (const K parent : {K::platform, K::agent, K::company, K::employee}) {
    for (const K child : {K::platform, K::agent, K::company, K::employee}) {
      const bool expected =
          std::find(allowed.begin(), allowed.end(), std::pair(parent, child)) != allowed.end();
      INFO(name(parent) << " over " << name(child));
      CHECK(may_be_parent(parent, child) == expected);
    }
  }
}

TEST_CASE("the platform's id is its name; every other tenant has a text of its own") {
  test::VirtualClock clock;
  SeededRng rng(1);
  CHECK(tenant_text(Id()) == "platform");
  CHECK(parse_tenant("platform") == Id());
  const Id id = Id::make(clock, rng);
  CHECK(parse_tenant(tenant_text(id)) == id);
  for (const char* wrong : {"", "Platform", "ten_", "ten_1", "key_00000000000000000000000000"})
    CHECK_FALSE(parse_tenant(wrong));
  for (const TenantKind kind :
       {TenantKind::platform, TenantKind::agent, TenantKind::company, TenantKind::employee})
    CHECK(parse_tenant_kind(name(kind)) == kind);
  CHECK_FALSE(parse_tenant_kind("Company"));
}
