// The directory on a real store: what was put is there at once, and again after a start.
#include "directory/editor.h"

#include <catch2/catch.hpp>

#include "base/rng.h"
#include "directory/snapshot.h"
#include "support/sim_loop.h"
#include "support/temp_dir.h"
#include "support/virtual_clock.h"

using namespace mg;
using namespace mg::directory;

namespace {

class Desk {
 public:
  Desk() { open(); }
  ~Desk() { close(); }

  void open() {
    ledger::LedgerOptions options;
    options.directory = dir / "store";
    options.map_bytes = size_t{1} << 28;
    ledger = *ledger::Ledger::open(std::move(options), clock);
    driver = std::make_unique<ledger::InlineLedger>(*ledger, loop);
    client = std::make_unique<ledger::Client>(*ledger, loop);
    editor = *Editor::open(*ledger, *client);
  }
  void close() {
    editor.reset();
    client.reset();
    loop.settle();
    driver.reset();
    ledger.reset();
  }
  void reopen() {
    close();
    open();
  }

  template <class... Put>
  void put(Put... what) {
    const auto one = [&](auto record) {
      const Result<> done = test::finish(loop, editor->put(std::move(record)));
      REQUIRE(done);
    };
    (one(std::move(what)), ...);
  }
  std::shared_ptr<const Snapshot> now() const { return editor->snapshot(); }

  Tenant tenant(TenantKind kind, const Id& parent, const std::string& name = "T") {
    return {Id::make(clock, rng), kind, parent, name, false, clock.wall_ms()};
  }
  ApiKey key(const Tenant& tenant, uint8_t first_byte) {
    ApiKey key;
    key.id = Id::make(clock, rng);
    key.tenant = tenant.id;
    key.digest.fill(first_byte);
    return key;
  }

  test::TempDir dir;
  test::VirtualClock clock;
  test::SimLoop loop{clock};
  SeededRng rng{1};
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<ledger::InlineLedger> driver;
  std::unique_ptr<ledger::Client> client;
  std::unique_ptr<Editor> editor;
};

}  // namespace

TEST_CASE("an empty store has the platform, and nothing else") {
  Desk desk;
  const auto now = desk.now();
  REQUIRE(now->tenants().size() == 1);
  const auto platform = now->tenant(Id());
  REQUIRE(platform);
  CHECK(platform->tenant.kind == TenantKind::platform);
  CHECK(platform->path == std::vector<std::string>{"platform"});
  CHECK(platform->payer.is_nil());
  CHECK_FALSE(platform->wallet);
  CHECK(now->keys().empty());
  CHECK(now->is_enabled("any"));
}

TEST_CASE("what was put is in the next snapshot, not in those before, and there after a start") {
  Desk desk;
  const Tenant company = desk.tenant(TenantKind::company, Id(), "Acme");
  const auto before = desk.now();
  desk.put(company, desk.key(company, 7), SealedSecret{"main", "00", "1", 1});
  CHECK_FALSE(before->tenant(company.id));
  CHECK(before->keys().empty());
  REQUIRE(test::finish(desk.loop, desk.editor->switch_channel("one", false)));
  for (int round = 0; round < 2; ++round) {
    const auto now = desk.now();
    REQUIRE(now->tenant(company.id));
    CHECK(now->tenant(company.id)->tenant.name == "Acme");
    REQUIRE(now->keys().size() == 1);
    CHECK(now->key(now->keys().front()->id) == now->keys().front());
    CHECK(now->secrets().at("main").master_key_id == "1");
    CHECK_FALSE(now->is_enabled("one"));
    CHECK(now->is_enabled("two"));
    desk.reopen();
  }
}

TEST_CASE("a tenant knows its path, who pays, in whose book, and who above it is suspended") {
  Desk desk;
  Tenant agent = desk.tenant(TenantKind::agent, Id());
  const Tenant company = desk.tenant(TenantKind::company, agent.id);
  const Tenant employee = desk.tenant(TenantKind::employee, company.id);
  desk.put(agent, company, employee);
  const auto entry = desk.now()->tenant(employee.id);
  CHECK(entry->path == std::vector<std::string>{"platform", tenant_text(agent.id),
                                                tenant_text(company.id), tenant_text(employee.id)});
  CHECK(entry->payer == company.id);
  CHECK(entry->seller == agent.id);
  CHECK(entry->wallet);
  CHECK(entry->wallet == desk.now()->tenant(company.id)->wallet);
  CHECK(desk.now()->tenant(agent.id)->payer.is_nil());
  CHECK_FALSE(entry->suspended);

  agent.suspended = true;
  desk.put(agent);
  CHECK(desk.now()->tenant(employee.id)->suspended);
  CHECK_FALSE(desk.now()->tenant(employee.id)->tenant.suspended);
  CHECK_FALSE(desk.now()->tenant(Id())->suspended);
  agent.suspended = false;
  desk.put(agent);
  CHECK_FALSE(desk.now()->tenant(employee.id)->suspended);
}

TEST_CASE("a key opens by its digest, until it is revoked or rotated beyond its grace") {
  Desk desk;
  const Tenant company = desk.tenant(TenantKind::company, Id());
  desk.put(company);
  ApiKey key = desk.key(company, 7);
  SecretDigest old_secret = key.digest, other{};
  other.fill(9);
  desk.put(key);
  CHECK(desk.now()->find_key(old_secret, 0)->id == key.id);
  CHECK_FALSE(desk.now()->find_key(other, 0));

  key.expires_ms = 100;  // the answer says so: it is still found
  desk.put(key);
  CHECK(desk.now()->find_key(old_secret, 1'000'000));

  key.previous_digest = key.digest;
  key.previous_until_ms = 5000;
  key.digest = other;
  desk.put(key);
  CHECK(desk.now()->find_key(other, 4999)->id == key.id);
  CHECK(desk.now()->find_key(old_secret, 4999)->id == key.id);
  CHECK_FALSE(desk.now()->find_key(old_secret, 5000));
  CHECK(desk.now()->keys().size() == 1);

  key.previous_digest.reset();
  SecretDigest third{};
  third.fill(11);
  key.digest = third;
  desk.put(key);
  CHECK_FALSE(desk.now()->find_key(other, 0));
  CHECK_FALSE(desk.now()->find_key(old_secret, 0));

  key.revoked = true;
  desk.put(key);
  CHECK_FALSE(desk.now()->find_key(third, 0));
  CHECK(desk.now()->key(key.id)->revoked);
  desk.reopen();
  CHECK_FALSE(desk.now()->find_key(third, 0));
}

TEST_CASE("thousands of keys are each found, whatever their first byte") {
  Desk desk;
  const Tenant company = desk.tenant(TenantKind::company, Id());
  desk.put(company);
  std::vector<ApiKey> keys;
  for (int i = 0; i < 600; ++i) {
    ApiKey key = desk.key(company, static_cast<uint8_t>(i));
    key.digest[1] = static_cast<uint8_t>(i >> 8);
    keys.push_back(key);
    desk.put(key);
  }
  desk.reopen();
  CHECK(desk.now()->keys().size() == keys.size());
  for (const ApiKey& key : keys) {
    REQUIRE(desk.now()->find_key(key.digest, 0));
    CHECK(desk.now()->find_key(key.digest, 0)->id == key.id);
    CHECK(desk.now()->key(key.id)->digest == key.digest);
  }
}

TEST_CASE("a damaged record keeps the directory from being read, and is named") {
  const auto read = [](const std::string& table, const std::string& value) {
    return Snapshot::read(
        [&](std::string_view wanted, const ledger::RecordVisit& visit) -> Result<> {
          if (wanted == table) visit("x", value);
          return {};
        },
        {});
  };
  for (const std::string_view table : {kTenantsTable, kKeysTable, kSecretsTable, kChannelsTable}) {
    const auto snapshot = read(std::string(table), R"({"id":0,"name":0,"enabled":0})");
    INFO(table);
    REQUIRE_FALSE(snapshot);
    CHECK(snapshot.error().code == Errc::invalid);
  }
  CHECK(read("elsewhere", "{"));
}
