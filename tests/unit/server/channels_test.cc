// From configured channels to those of a generation: credentials, addresses, and why one is left
// out.
#include "server/channels.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "server/check.h"
#include "server/generation.h"
#include "support/temp_dir.h"
#include "tls/base64.h"

using namespace mg;
using namespace mg::server;

namespace {

const std::filesystem::path kRoot = MOONGATE_SOURCE_DIR;

struct Builder {
  Builder() {
    const auto tree = script::read_source_tree(kRoot / "scripts", kRoot / "data");
    REQUIRE(tree);
    generation = build_generation(*tree, 1);
    REQUIRE(generation.problems.empty());
  }
  BuiltChannels build(const std::vector<ChannelConfig>& configured) {
    return build_channels({configured, *generation.bundle, directory, vault, nullptr, health});
  }
  // Why the channel is left out.
  std::string complaint(const ChannelConfig& channel) {
    const BuiltChannels built = build({channel});
    CHECK(built.channels.empty());
    REQUIRE(built.complaints.size() == 1);
    return built.complaints.front();
  }

  Generation generation;
  directory::Snapshot directory;
  control::Vault vault = *control::Vault::open(tls::base64_encode(std::string(32, 'k')));
  gateway::HealthBoard health;
};

ChannelConfig channel(const std::string& provider, const std::string& url = "") {
  ChannelConfig out;
  out.id = "one";
  out.provider = provider;
  out.base_url = url;
  out.credential = "sk-secret";
  out.models = {{"*", {}}};
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a channel has its vendor's address and the head field its credential travels in") {
  Builder builder;
  ChannelConfig config = channel("openai");
  config.priority = 3;
  config.weight = 7;
  config.region = "eu";
  config.concurrency_max = 9;
  config.cost_ppm = 950'000;
  const BuiltChannels built = builder.build({config});
  CHECK(built.complaints.empty());
  REQUIRE(built.channels.size() == 1);
  const gateway::Channel& made = *built.channels.front();
  CHECK(made.id == "one");
  CHECK(made.provider.name == "openai");
  const std::string head = made.head(gateway::Operation::chat, false).with_length(17);
  CHECK(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
  CHECK(head.find("\r\nauthorization: Bearer sk-secret\r\n") != std::string::npos);
  CHECK(head.find("\r\naccept: application/json\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\nContent-Length: 17\r\n\r\n"));
  const std::string stream = made.head(gateway::Operation::completion, true).with_length(0);
  CHECK(stream.starts_with("POST /v1/completions HTTP/1.1\r\n"));
  CHECK(stream.find("\r\naccept: text/event-stream\r\n") != std::string::npos);
  CHECK(made.priority == 3);
  CHECK(made.weight == 7);
  CHECK(made.region == "eu");
  CHECK(made.concurrency_max == 9);
  CHECK(made.cost_ppm == 950'000);
  CHECK(made.health);
  CHECK(builder.build({config}).channels.front()->health == made.health);
}

TEST_CASE("a private address and plain http need leave") {
  Builder builder;
  ChannelConfig config = channel("openai_compatible", "http://127.0.0.1:9000/v1");
  CHECK(contains(builder.complaint(config), "channel one is left out: "));
  config.policy.private_addresses = http::PrivateAddresses::allow;
  CHECK(builder.build({config}).channels.size() == 1);
  ChannelConfig open = channel("openai_compatible", "http://models.example/v1");
  builder.complaint(open);
  open.policy.plain_http = http::PlainHttp::allow;
  CHECK(builder.build({open}).channels.size() == 1);
}

TEST_CASE("a channel that cannot be is left out, in words without its credential") {
  Builder builder;
  CHECK(contains(builder.complaint(channel("no-such-vendor")), "there is no provider"));
  CHECK(contains(builder.complaint(channel("openai_compatible")), "needs a base_url"));
  CHECK_FALSE(builder.complaint(channel("openai", "ftp://x/")).empty());
  ChannelConfig none = channel("openai");
  none.credential.clear();
  CHECK(contains(builder.complaint(none), "OPENAI_API_KEY"));
  ChannelConfig broken = channel("openai");
  broken.credential = "sk-secret\r\nx-admin: 1";
  const std::string said = builder.complaint(broken);
  CHECK(contains(said, "no header field may"));
  CHECK_FALSE(contains(said, "sk-secret"));
  CHECK(contains(builder.complaint([] {
    ChannelConfig stored = channel("openai");
    stored.credential = "secret:main";
    return stored;
  }()),
                 "there is no secret main"));
}

TEST_CASE("one bad channel leaves the others standing") {
  Builder builder;
  ChannelConfig good = channel("openai");
  good.id = "good";
  const BuiltChannels built = builder.build({channel("no-such-vendor"), good});
  CHECK(built.complaints.size() == 1);
  REQUIRE(built.channels.size() == 1);
  CHECK(built.channels.front()->id == "good");
}

TEST_CASE("check finds what would keep a server from starting, and what would be of no use") {
  Config config;
  config.state = kRoot / "state";
  config.scripts = kRoot / "scripts";
  config.data = kRoot / "data";
  config.channels = {channel("openai")};
  const CheckReport fine = check(config);
  for (const std::string& problem : fine.problems) INFO(problem);
  CHECK(fine.problems.empty());
  CHECK(fine.channels == 1);
  CHECK(fine.callable_models > 10);

  config.channels = {channel("no-such-vendor")};
  const CheckReport useless = check(config);
  CHECK(useless.problems.empty());
  CHECK(useless.channels == 0);
  CHECK(useless.callable_models == 0);
  REQUIRE_FALSE(useless.warnings.empty());
  CHECK(contains(useless.warnings.front(), "no-such-vendor"));

  ChannelConfig unpriced = channel("openai");
  unpriced.models = {{"no-such-model", {}}};
  config.channels = {unpriced};
  const CheckReport nameless = check(config);
  REQUIRE(nameless.warnings.size() == 1);
  CHECK(contains(nameless.warnings.front(), "no-such-model"));
  CHECK(nameless.callable_models == 0);

  config.upstream_ca = "/no/such/file.pem";
  CHECK(check(config).problems.size() == 1);
  config.scripts = "/no/such/folder";
  CHECK(check(config).problems.size() == 2);
}
