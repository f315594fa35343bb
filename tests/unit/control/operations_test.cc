// The commands behind the command line, on a real ledger and directory.
#include "control/operations.h"

#include <catch2/catch.hpp>

#include "gateway/caller.h"
#include "support/sim_gateway.h"
#include "tls/base64.h"

using namespace mg;
using namespace mg::control;

namespace {

// Counts what workers would have heard of.
struct CountingSite final : Site {
  event::Task<Result<>> publish_directory() override {
    ++published;
    co_return Result<>();
  }
  event::Task<Result<Json>> reload() override { co_return Json{{"generation", 2}}; }
  std::vector<ChannelView> channels() override {
    return {{"one", "openai", "https://x", 1, 5, ""}};
  }
  int published = 0;
};

struct Office {
  test::SimGateway gate;
  CountingSite site;
  Vault vault = *Vault::open(tls::base64_encode(std::string(32, 'k')));
  Operations operations{Resources{gate.loop, gate.rng, *gate.books, vault, site,
                                  gate.folder.path() + "/records", &*gate.writing}};

  Result<Json> run(const std::string& command, Json arguments = Json::object()) {
    return test::finish(gate.loop, operations.run(command, std::move(arguments)));
  }
  Json done(const std::string& command, Json arguments = Json::object()) {
    const Result<Json> result = run(command, std::move(arguments));
    if (!result) FAIL(command << ": " << result.error().what);
    return *result;
  }
  Error refused(const std::string& command, Json arguments = Json::object()) {
    const Result<Json> result = run(command, std::move(arguments));
    if (result) FAIL(command << " was carried out: " << result->dump());
    return result.error();
  }
};

}  // namespace

TEST_CASE("commands that only read leave record, wallet and directory as they are") {
  Office office;
  const std::string tenant = office.gate.tenant;
  const std::string key = office.done("key.list", {{"tenant", tenant}})[0]["id"];
  const std::vector<std::pair<std::string, Json>> reading = {
      {"tenant.list", Json::object()},
      {"tenant.show", {{"id", tenant}}},
      {"wallet.show", {{"tenant", tenant}}},
      {"wallet.history", {{"tenant", tenant}}},
      {"key.list", {{"tenant", tenant}}},
      {"secret.list", Json::object()},
      {"channel.list", Json::object()},
      {"usage", Json::object()},
      {"explain", {{"id", "req_00000000000000000000000000"}}},
      {"ledger.backup", {{"directory", office.gate.folder.path() + "/backup"}}},
  };
  const ledger::Seq before = office.gate.ledger->status().ordered;
  const auto snapshot = office.gate.editor->snapshot();
  for (const auto& [command, arguments] : reading) {
    INFO(command);
    CHECK(Operations::effect_of(command) == Effect::reads);
    (void)office.run(command, arguments);
  }
  CHECK(office.gate.ledger->status().ordered == before);
  CHECK(office.gate.editor->snapshot() == snapshot);
  CHECK(office.site.published == 0);
  size_t writing = 0;
  for (const std::string& name : Operations::names())
    writing += Operations::effect_of(name) == Effect::writes;
  CHECK(writing + reading.size() == Operations::names().size());
}

TEST_CASE("an unknown command, and an argument nobody asked for") {
  Office office;
  CHECK(office.refused("tenant.destroy").code == Errc::not_found);
  CHECK(Operations::effect_of("tenant.destroy") == Effect::reads);
  CHECK(office.refused("tenant.list", {{"all", true}}).what == "there is no --all");
}

TEST_CASE("tenants stand below whom they may, and a wrong parent is never taken for the platform") {
  Office office;
  const Json agent = office.done("tenant.create", {{"name", "R"}, {"kind", "agent"}});
  const Json company = office.done("tenant.create", {{"name", "C"}, {"parent", agent["id"]}});
  CHECK(company["kind"] == "company");
  CHECK(company["parent"] == agent["id"]);
  const Json employee = office.done(
      "tenant.create", {{"name", "E"}, {"kind", "employee"}, {"parent", company["id"]}});
  const Json shown = office.done("tenant.show", {{"id", employee["id"]}});
  CHECK(shown["path"].size() == 4);
  CHECK(shown["pays"] == company["id"]);
  const size_t count = office.done("tenant.list").size();
  for (const Json& wrong :
       std::vector<Json>{{{"name", "X"}, {"parent", "ten_typo"}},
                         {{"name", "X"}, {"parent", ""}},
                         {{"name", "X"}, {"kind", "employee"}},
                         {{"name", "X"}, {"kind", "agent"}, {"parent", agent["id"]}},
                         {{"name", "X"}, {"kind", "platform"}},
                         {{"name", "X"}, {"kind", "king"}},
                         {{"name", ""}},
                         {{"name", std::string(201, 'x')}},
                         {{"kind", "company"}}}) {
    INFO(wrong.dump());
    CHECK(office.refused("tenant.create", wrong).code == Errc::invalid);
  }
  CHECK(
      office.refused("tenant.create", {{"name", "X"}, {"parent", "ten_00000000000000000000000001"}})
          .code == Errc::not_found);
  CHECK(office.done("tenant.list").size() == count);
  CHECK(office.done("tenant.create", {{"name", std::string(200, 'x')}})["parent"] == "platform");
}

TEST_CASE("suspending reaches everyone below, and every worker hears of it") {
  Office office;
  const Json company = office.done("tenant.create", {{"name", "C"}});
  const Json employee = office.done(
      "tenant.create", {{"name", "E"}, {"kind", "employee"}, {"parent", company["id"]}});
  const int heard = office.site.published;
  CHECK(office.done("tenant.suspend", {{"id", company["id"]}})["suspended"] == true);
  CHECK(office.site.published == heard + 1);
  CHECK(office.done("tenant.show", {{"id", employee["id"]}})["suspended_above"] == true);
  office.done("tenant.resume", {{"id", company["id"]}});
  CHECK_FALSE(office.done("tenant.show", {{"id", employee["id"]}}).contains("suspended_above"));
  CHECK(office.refused("tenant.suspend", {{"id", "platform"}}).code == Errc::refused);
}

TEST_CASE("money is paid in once for each id, to those who have a wallet") {
  Office office;
  const std::string tenant = office.gate.tenant;
  const Json credit = {{"tenant", tenant}, {"amount", "10.00"}, {"id", "inv-1"}, {"memo", "hello"}};
  const Json first = office.done("wallet.credit", credit);
  CHECK(first["balance"] == "10.000000000");
  CHECK(first["repeated"] == false);
  const Json again = office.done("wallet.credit", credit);
  CHECK(again["balance"] == "10.000000000");
  CHECK(again["repeated"] == true);
  CHECK(again["seq"] == first["seq"]);
  CHECK(office.refused("wallet.credit", {{"tenant", tenant}, {"amount", "11"}, {"id", "inv-1"}})
            .code == Errc::conflict);
  CHECK(office.refused("wallet.credit", {{"tenant", "platform"}, {"amount", "1"}}).code ==
        Errc::invalid);
  const Json employee =
      office.done("tenant.create", {{"name", "E"}, {"kind", "employee"}, {"parent", tenant}});
  const Error no = office.refused("wallet.credit", {{"tenant", employee["id"]}, {"amount", "1"}});
  CHECK(no.what.find(tenant) != std::string::npos);
  const Json shown = office.done("wallet.show", {{"tenant", tenant}});
  CHECK(shown.dump() == Json{{"tenant", tenant},
                             {"currency", "USD"},
                             {"balance", "10.000000000"},
                             {"held", "0.000000000"},
                             {"available", "10.000000000"}}
                            .dump());
  const Json history = office.done("wallet.history", {{"tenant", tenant}});
  REQUIRE(history["items"].size() == 1);
  CHECK(history["items"][0]["change"] == "10.000000000");
  CHECK(history["items"][0]["memo"] == "hello");
}

TEST_CASE("a key's secret is shown once, has its full length, and is kept nowhere") {
  Office office;
  const std::string tenant = office.gate.tenant;
  office.gate.clock.advance_ms(1);  // keys are listed by age
  const Json made = office.done("key.create", {{"tenant", tenant},
                                               {"name", "ci"},
                                               {"models", {"gpt-4o"}},
                                               {"allow_ip", {"10.0.0.0/8"}},
                                               {"rpm", 3},
                                               {"daily_limit", "5.00"},
                                               {"expires", "24h"}});
  const std::string secret = made["key"];
  CHECK(secret.substr(0, 3) == "mg-");
  CHECK(secret.size() == 3 + 43);  // 32 bytes in base 64
  const Json listed = office.done("key.list", {{"tenant", tenant}});
  REQUIRE(listed.size() == 2);
  CHECK(listed.dump().find(secret) == std::string::npos);
  CHECK(listed[1]["id"] == made["id"]);
  CHECK(listed[1]["daily_limit"] == "5.000000000");
  CHECK(office.refused("key.create", {{"tenant", tenant}, {"allow_ip", {"10.0.0.0/33"}}}).code ==
        Errc::invalid);
  CHECK(office.refused("key.create", {{"tenant", "platform"}}).code == Errc::invalid);
  CHECK(office.refused("key.revoke", {{"id", secret}}).what.find("not its secret") !=
        std::string::npos);
}

TEST_CASE("a rotated key opens with both secrets for as long as its grace, a revoked one never") {
  Office office;
  const auto opens = [&](const std::string& secret) {
    return office.gate.editor->snapshot()->find_key(gateway::secret_digest(secret),
                                                    office.gate.clock.wall_ms()) != nullptr;
  };
  const Json made = office.done("key.create", {{"tenant", office.gate.tenant}});
  const Json rotated = office.done("key.rotate", {{"id", made["id"]}, {"grace", "1h"}});
  CHECK(rotated["id"] == made["id"]);
  CHECK(rotated.contains("previous_secret_until"));
  CHECK(opens(made["key"]));
  CHECK(opens(rotated["key"]));
  office.gate.clock.advance_ms(3'600'000);
  CHECK_FALSE(opens(made["key"]));
  CHECK(opens(rotated["key"]));
  const Json at_once = office.done("key.rotate", {{"id", made["id"]}});
  CHECK_FALSE(opens(rotated["key"]));
  office.done("key.revoke", {{"id", made["id"]}});
  CHECK_FALSE(opens(at_once["key"]));
  CHECK(office.refused("key.rotate", {{"id", made["id"]}}).code == Errc::refused);
}

TEST_CASE("secrets are set, listed without their value, and survive a change of master key") {
  Office office;
  office.done("secret.set", {{"name", "main"}, {"value", "sk-123"}});
  CHECK(office.done("secret.list").dump().find("sk-123") == std::string::npos);
  const auto value = [&] {
    return office.vault.unseal(office.gate.editor->snapshot()->secrets().at("main"));
  };
  CHECK(value().value() == "sk-123");
  const std::string old_key = office.done("secret.list")[0]["master_key"];
  const std::string next = tls::base64_encode(std::string(32, 'n'));
  CHECK(office.done("secret.rotate-master", {{"value", next}})["secrets"] == 1);
  CHECK(office.done("secret.list")[0]["master_key"] != old_key);
  CHECK(value().value() == "sk-123");
  CHECK(Vault::open(next)->unseal(office.gate.editor->snapshot()->secrets().at("main")).value() ==
        "sk-123");
  for (const Json& wrong : std::vector<Json>{{{"name", "a b"}, {"value", "x"}},
                                             {{"name", ""}, {"value", "x"}},
                                             {{"name", "a"}, {"value", "x\ny"}},
                                             {{"name", std::string(101, 'a')}, {"value", "x"}},
                                             {{"name", "a"}, {"value", std::string(16'385, 'x')}}})
    CHECK(office.refused("secret.set", wrong).code == Errc::invalid);
  office.done("secret.set", {{"name", std::string(100, 'a')}, {"value", std::string(16'384, 'x')}});
}

TEST_CASE("channels are switched by name, and only those that exist") {
  Office office;
  CHECK(office.done("channel.list")[0]["enabled"] == true);
  office.done("channel.disable", {{"id", "one"}});
  CHECK(office.done("channel.list")[0]["enabled"] == false);
  CHECK_FALSE(office.gate.editor->snapshot()->is_enabled("one"));
  office.done("channel.enable", {{"id", "one"}});
  CHECK(office.gate.editor->snapshot()->is_enabled("one"));
  CHECK(office.refused("channel.disable", {{"id", "two"}}).code == Errc::not_found);
  CHECK(office.done("reload")["generation"] == 2);
}
