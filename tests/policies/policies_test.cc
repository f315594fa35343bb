// The shipped policies, each and each of their settings, as the gateway asks them.
#include <algorithm>

#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

int status_of(const AdmitDecision& decision) {
  return decision.refusal ? decision.refusal->status : 200;
}

std::string code_of(const AdmitDecision& decision) {
  return decision.refusal ? std::string(decision.refusal->code) : "ok";
}

// A chain of one module.
std::string chain(const std::string& phase, const std::string& module, const std::string& conf) {
  return "return { " + phase + " = { { '" + module + "', conf = " + conf + " } } }";
}

}  // namespace

TEST_CASE("as shipped, the chain limits nothing") {
  World world;
  const auto policies = world.open(World::shipped());
  for (int i = 0; i < 500; ++i) {
    const AdmitDecision decision = policies->admit(world.request);
    CHECK_FALSE(decision.refusal);
    CHECK(decision.budgets.empty());
    CHECK(decision.token_takes.empty());
    CHECK_FALSE(decision.requests);
    CHECK_FALSE(decision.tokens);
  }
  world.candidates.resize(1);
  CHECK(policies->route(world.request, world.candidates).kept);
  const std::vector<PriceLine> before = world.lines;
  CHECK(policies->quote(world.request, world.lines) == QuoteDecision::quoted);
  for (size_t i = 0; i < before.size(); ++i) {
    CHECK(world.lines[i].rate == before[i].rate);
    CHECK(world.lines[i].multiplier_count == 0);
  }
  CHECK(policies->observe(world.request, world.record).tags.empty());
  CHECK(world.ears.failures.empty());
  CHECK(world.buckets.keys() == 0);
}

TEST_CASE("a loaded state is small") {
  World world;
  const auto policies = world.open(World::shipped());
  WARN("the shipped chain, loaded: " << policies->memory_bytes() << " bytes");
  CHECK(policies->memory_bytes() < 128 * limits::KiB);
}

TEST_CASE("a key is used only from where it may be") {
  World world;
  const std::vector<std::string> allow{"10.0.0.0/8", "2001:db8::/32", "192.0.2.7"};
  const auto policies = world.open(World::shipped());
  world.request.key.allow_ip = allow;
  for (const auto& [ip, code] :
       {std::pair{"10.9.9.9", "ok"}, std::pair{"192.0.2.7", "ok"}, std::pair{"2001:db8:1::1", "ok"},
        std::pair{"192.0.2.8", "ip_not_allowed"}, std::pair{"2001:db9::1", "ip_not_allowed"}}) {
    INFO(ip);
    world.request.ip = *IpAddress::parse(ip);
    CHECK(code_of(policies->admit(world.request)) == code);
  }
  const std::vector<std::string> broken{"10.0.0.0/99"};
  world.request.key.allow_ip = broken;
  CHECK(code_of(policies->admit(world.request)) == "policy_error");
}

TEST_CASE("networks can be allowed and denied for everybody") {
  World world;
  world.request.ip = *IpAddress::parse("10.1.2.3");
  const auto code = [&](const std::string& conf) {
    const auto policies = world.with_chain(chain("admit", "ip_allowlist", conf));
    return code_of(policies->admit(world.request));
  };
  CHECK(code("{ allow = { '10.0.0.0/8' } }") == "ok");
  CHECK(code("{ allow = { '11.0.0.0/8' } }") == "ip_not_allowed");
  CHECK(code("{ deny = { '10.1.0.0/16' } }") == "ip_not_allowed");
  CHECK(code("{ allow = { '10.0.0.0/8' }, deny = { '10.1.2.3' } }") == "ip_not_allowed");
  CHECK(code("{ deny = { '10.2.0.0/16' } }") == "ok");
}

TEST_CASE("a key calls only its models") {
  World world;
  const std::vector<std::string> models{"gpt-4o*", "o3"};
  const auto policies = world.open(World::shipped());
  world.request.key.models = models;
  for (const auto& [model, code] :
       {std::pair{"gpt-4o", "ok"}, std::pair{"gpt-4o-mini", "ok"}, std::pair{"o3", "ok"},
        std::pair{"o3-mini", "model_not_allowed"},
        std::pair{"claude-opus-4", "model_not_allowed"}}) {
    INFO(model);
    world.request.model = model;
    world.request.requested_model = model;
    CHECK(code_of(policies->admit(world.request)) == code);
  }
}

TEST_CASE("models can be kept from groups and from everybody") {
  World world;
  const auto code = [&](const std::string& conf) {
    const auto policies = world.with_chain(chain("admit", "model_scope", conf));
    return code_of(policies->admit(world.request));
  };
  CHECK(code("{ deny = { 'gpt-*' } }") == "model_not_allowed");
  CHECK(code("{ deny = { 'o*' } }") == "ok");
  CHECK(code("{ groups = { trial = { '*-mini' } } }") == "ok");
  world.request.key.group = "trial";
  CHECK(code("{ groups = { trial = { '*-mini' } } }") == "model_not_allowed");
  CHECK(code("{ groups = { trial = { '*' } } }") == "ok");
}

TEST_CASE("requests per minute of a key") {
  World world;
  const auto policies = world.open(World::shipped());
  world.request.key.rpm = 3;
  for (int left = 2; left >= 0; --left) {
    const AdmitDecision decision = policies->admit(world.request);
    CHECK(status_of(decision) == 200);
    CHECK(decision.requests->limit == 3);
    CHECK(decision.requests->remaining == left);
  }
  AdmitDecision refused = policies->admit(world.request);
  CHECK(code_of(refused) == "rate_limit_exceeded");
  CHECK(refused.refusal->retry_after_s == 20);
  CHECK(refused.refusal->module == "rate_limit");
  world.request.key.id = "another";
  CHECK(status_of(policies->admit(world.request)) == 200);
  world.request.key.id = "key_01";
  world.clock.advance_s(20);
  CHECK(status_of(policies->admit(world.request)) == 200);
  CHECK(status_of(policies->admit(world.request)) == 429);
}

TEST_CASE("tokens per minute of a key: what was not used comes back") {
  World world;
  const auto policies = world.open(World::shipped());
  world.request.key.tpm = 1000;
  const AdmitDecision decision = policies->admit(world.request);
  CHECK(status_of(decision) == 200);
  REQUIRE(decision.token_takes.size() == 1);
  CHECK(decision.token_takes[0].tokens == 620);
  CHECK(decision.tokens->remaining == 380);
  CHECK(status_of(policies->admit(world.request)) == 429);
  // 460 were used: 160 come back.
  world.record.token_takes = decision.token_takes;
  policies->observe(world.request, world.record);
  CHECK(world.buckets.peek("tpm:key:key_01")->remaining == 540);
  // More than was taken is taken after the fact.
  world.record.tokens = 720;
  policies->observe(world.request, world.record);
  CHECK(world.buckets.peek("tpm:key:key_01")->remaining == 440);
  // Without a maximum the conf's guess is taken; more than the bucket holds takes all of it.
  world.clock.advance_s(60);
  world.request.max_output_tokens = 0;
  const AdmitDecision large = policies->admit(world.request);
  CHECK(status_of(large) == 200);
  CHECK(large.token_takes[0].tokens == 1000);
  CHECK(world.ears.failures.empty());
}

TEST_CASE("limits of tenants and models") {
  World world;
  const auto admit = [&](const std::string& conf, int times) {
    World fresh;
    const auto policies = fresh.with_chain(chain("admit", "rate_limit", conf));
    std::string out;
    for (int i = 0; i < times; ++i) {
      fresh.request.key.id = i % 2 ? "one" : "two";
      out += status_of(policies->admit(fresh.request)) == 200 ? "y" : "n";
    }
    CHECK(fresh.ears.failures.empty());
    return out;
  };
  CHECK(admit("{ tenant_rpm = 2 }", 4) == "yynn");
  CHECK(admit("{ tenant_tpm = 1500 }", 4) == "yynn");
  CHECK(admit("{ tenant_tpm = 1500, output_tokens = 9 }", 4) == "yynn");
  CHECK(admit("{ model_rpm = { ['gpt-4o'] = 1 } }", 4) == "yynn");
  CHECK(admit("{ model_rpm = { ['other'] = 1 } }", 4) == "yyyy");
}

TEST_CASE("a request that a later limit refuses does not use up an earlier one") {
  World world;
  const auto policies = world.open(World::shipped());
  world.request.key.rpm = 10;
  world.request.key.tpm = 1000;
  CHECK(status_of(policies->admit(world.request)) == 200);
  for (int i = 0; i < 20; ++i) CHECK(status_of(policies->admit(world.request)) == 429);
  CHECK(world.buckets.peek("rpm:key:key_01")->remaining == 9);
}

TEST_CASE("budgets of keys, tenants and groups") {
  World world;
  const auto shipped = world.open(World::shipped());
  world.request.key.daily_limit = Money::nanos(5'000'000'000);
  AdmitDecision decision = shipped->admit(world.request);
  REQUIRE(decision.budgets.size() == 1);
  CHECK(decision.budgets[0].name == "key:key_01");
  CHECK(decision.budgets[0].limit == Money::nanos(5'000'000'000));
  CHECK(decision.budgets[0].period == BudgetPeriod::day);

  const auto policies = world.with_chain(
      chain("admit", "budget",
            "{ tenant_day = '10', tenant_month = '100.5', group_day = { trial = '0.1' } }"));
  world.request.key.group = "trial";
  decision = policies->admit(world.request);
  REQUIRE(decision.budgets.size() == 4);
  CHECK(decision.budgets[1].name == "group:trial:key_01");
  CHECK(decision.budgets[1].limit == Money::nanos(100'000'000));
  CHECK(decision.budgets[2].name == "tenant:ten_company");
  CHECK(decision.budgets[2].period == BudgetPeriod::day);
  CHECK(decision.budgets[3].limit == Money::nanos(100'500'000'000));
  CHECK(decision.budgets[3].period == BudgetPeriod::month);
}

TEST_CASE("pricing: groups and tenants have multipliers") {
  World world;
  const auto policies = world.with_chain(chain(
      "quote", "pricing", "{ groups = { vip = 900000 }, tenants = { ten_company = 1250000 } }"));
  const auto multipliers = [&] {
    std::vector<PriceLine> lines = world.lines;
    REQUIRE(policies->quote(world.request, lines) == QuoteDecision::quoted);
    std::string out;
    for (size_t i = 0; i < lines[2].multiplier_count; ++i)
      out += std::to_string(lines[2].multipliers_ppm[i]) + " ";
    CHECK(lines[0].multiplier_count == lines[2].multiplier_count);
    return out;
  };
  CHECK(multipliers() == "1250000 ");
  world.request.key.group = "vip";
  CHECK(multipliers() == "900000 1250000 ");
  world.request.tenant.id = "another";
  CHECK(multipliers() == "900000 ");
  world.request.key.group = "unknown";
  CHECK(multipliers() == "");
  for (const char* bad : {"{ groups = { vip = -1 } }", "{ groups = { vip = 1.5 } }",
                          "{ groups = { vip = '900000' } }", "{ groups = { vip = 1000000001 } }"}) {
    INFO(bad);
    const auto built =
        build_policies(World::shipped({{"policies/chain.lua", chain("quote", "pricing", bad)}}), 1);
    CHECK(built.bundle == nullptr);
  }
}

TEST_CASE("fallback: one retry for what is no stream, then the next channel") {
  World world;
  const auto policies = world.open(World::shipped());
  const auto after = [&](FailureKind kind) {
    world.failure.kind = kind;
    const RecoverDecision decision = policies->recover(world.request, world.attempt, world.failure);
    CHECK(decision.by_policy);
    return decision;
  };
  for (const FailureKind kind : {FailureKind::connect, FailureKind::timeout, FailureKind::reset,
                                 FailureKind::server_error, FailureKind::garbage}) {
    world.request.stream = false;
    world.attempt.retries = 0;
    CHECK(after(kind).action == Recovery::retry);
    CHECK(after(kind).delay_ms == 200);
    world.attempt.retries = 1;
    CHECK(after(kind).action == Recovery::next);
    world.attempt.retries = 0;
    world.request.stream = true;
    CHECK(after(kind).action == Recovery::next);
    world.attempt.candidates_left = 0;
    CHECK(after(kind).action == Recovery::stop);
    world.attempt.candidates_left = 2;
  }
  world.request.stream = false;
  for (const FailureKind kind :
       {FailureKind::rate_limited, FailureKind::denied, FailureKind::not_found, FailureKind::busy})
    CHECK(after(kind).action == Recovery::next);
  world.failure.retry_after_ms = 1700;
  CHECK(after(FailureKind::server_error).action == Recovery::retry);
  CHECK(after(FailureKind::server_error).delay_ms == 1700);
  world.failure.retry_after_ms = 2001;
  CHECK(after(FailureKind::server_error).action == Recovery::next);
  // Nowhere else to go: a short wait is worth it, a long one is not.
  world.attempt.candidates_left = 0;
  world.failure.retry_after_ms = 900;
  CHECK(after(FailureKind::rate_limited).delay_ms == 900);
  world.failure.retry_after_ms = 90'000;
  CHECK(after(FailureKind::rate_limited).action == Recovery::stop);
  world.attempt.candidates_left = 2;
  world.request.constraints.allow_fallbacks = false;
  world.request.stream = true;
  CHECK(after(FailureKind::connect).action == Recovery::stop);
  CHECK(world.ears.failures.empty());
}

TEST_CASE("fallback: its settings") {
  World world;
  const auto after = [&](const std::string& conf) {
    const auto policies = world.with_chain(chain("recover", "fallback", conf));
    return policies->recover(world.request, world.attempt, world.failure);
  };
  CHECK(after("{ retries = 0 }").action == Recovery::next);
  CHECK(after("{ delay_ms = 50 }").action == Recovery::retry);
  CHECK(after("{ delay_ms = 50 }").delay_ms == 50);
  world.failure.retry_after_ms = 500;
  CHECK(after("{ wait_ms_max = 500 }").action == Recovery::retry);
  CHECK(after("{ wait_ms_max = 499 }").action == Recovery::next);
}

TEST_CASE("observe: tags") {
  World world;
  const auto tags = [&](const std::string& conf) {
    const auto policies = world.with_chain(chain("observe", "observe", conf));
    std::string out;
    for (const std::string& tag : policies->observe(world.request, world.record).tags)
      out += tag + " ";
    CHECK(world.ears.failures.empty());
    return out;
  };
  CHECK(tags("{}") == "");
  world.record.attempts = 2;
  world.record.client_left = true;
  world.request.key.group = "vip";
  CHECK(tags("{}") == "retried client_left ");
  CHECK(tags("{ slow_ms = 799, tag_groups = true }") == "retried client_left slow group:vip ");
  CHECK(tags("{ slow_ms = 800 }") == "retried client_left ");
}

TEST_CASE("every setting of every shipped policy is checked when the chain is built") {
  const auto problem = [](const std::string& phase, const std::string& module,
                          const std::string& conf) {
    return build_policies(World::shipped({{"policies/chain.lua", chain(phase, module, conf)}}), 1)
        .text();
  };
  CHECK(problem("admit", "rate_limit", "{ tenant_rpm = 0 }") ==
        "policies/chain.lua: admit: rate_limit: conf.tenant_rpm must be at least 1");
  CHECK(problem("admit", "ip_allowlist", "{ allow = { 'x' } }") != "");
  CHECK(problem("admit", "budget", "{ tenant_day = 5 }") != "");
  CHECK(problem("route", "routing", "{ prefer = 'cheapest' }") ==
        "policies/chain.lua: route: routing: conf.prefer must be one of: none, price, latency");
  CHECK(problem("route", "routing", "{ wieghts = true }") != "");
  // No policy can have more: what it takes for a retry would be a step to another channel.
  const auto retries = [&](int count) {
    return problem("recover", "fallback", "{ retries = " + std::to_string(count) + " }");
  };
  CHECK(retries(limits::retries_max) == "");
  CHECK(retries(limits::retries_max + 1) != "");
  CHECK(problem("observe", "observe", "{ slow_ms = 'x' }") != "");
  CHECK(problem("admit", "routing", "{}") ==
        "policies/chain.lua: admit: the module 'routing' has no function admit");
}

TEST_CASE("shipped scripts are short") {
  for (const script::File& file : World::shipped().scripts) {
    const auto lines = std::count(file.bytes.begin(), file.bytes.end(), '\n');
    INFO(file.path);
    CHECK(lines <= (file.path.starts_with("providers/") ? 60 : 150));
  }
}
