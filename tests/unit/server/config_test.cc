#include "server/config.h"

#include <catch2/catch.hpp>

#include "base/text.h"
#include "support/temp_dir.h"
#include "tls/base64.h"

using namespace mg;
using namespace mg::server;

namespace {

const char* const kListen = "listen = { { address = '127.0.0.1:8080' } }, ";

std::optional<std::string> environment(std::string_view name) {
  if (name == "KEY") return "sk-from-outside";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

Result<Config> parse(const std::string& text) {
  return parse_config(text, "/srv/gate/moongate.lua", environment);
}
// With a listener, and these fields more.
Result<Config> parse_fields(const std::string& fields) {
  return parse("return { " + std::string(kListen) + fields + " }");
}

// The lines of the error; fails the test when there is none.
std::vector<std::string> problems(const std::string& text) {
  const auto config = parse(text);
  if (config) FAIL("it was accepted: " << text);
  CHECK(config.error().code == Errc::invalid);
  std::vector<std::string> out;
  for (std::string_view line : split(config.error().what, '\n')) out.emplace_back(line);
  return out;
}
std::string problem(const std::string& fields) {
  const auto all = problems("return { " + std::string(kListen) + fields + " }");
  INFO(fields);
  REQUIRE(all.size() == 1);
  return all.front();
}

const char* const kWhole = R"(return {
  listen = {
    { address = "127.0.0.1:8080" },
    { address = "0.0.0.0:8443", serves = { "api", "metrics" },
      tls = { cert = "tls/cert.pem", key = "/etc/key.pem", more = { { cert = "b.pem", key = "b.key" } } } },
    { address = "[::1]:9000", serves = { "console" } },
  },
  state = "var/state", scripts = "/opt/scripts", data = "../data",
  workers = 3, durability = "relaxed", master_key = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
  trusted_proxies = { "10.0.0.0/8", "192.0.2.7" }, upstream_ca = "ca.pem",
  cors = { origins = { "https://app.example" } },
  resolver = { servers = { "192.0.2.53" }, timeout_ms = 500 },
  limits = { body_bytes_max = 2048, idle_timeout_ms = 1, head_timeout_ms = 2, body_timeout_ms = 3,
             write_timeout_ms = 4, connections_max = 5, handshakes_max = 6, disk_low_bytes = 7 },
  drain_s = 9, log = { level = "debug" },
  channels = {
    { id = "main", provider = "openai", credential = env("KEY"), priority = 2, weight = 10,
      models = { ["gpt-4o"] = "gpt-4o-2024-11-20", ["gpt-4"] = false, ["*"] = true }, region = "us",
      concurrency_max = 200, cost = { multiplier_ppm = 950000 },
      timeouts = { connect_ms = 1, first_byte_ms = 2, idle_ms = 3, total_ms = 4 } },
    { id = "local", provider = "openai_compatible", base_url = "http://127.0.0.1:9000/v1",
      credential = "secret:local", allow_private = true, allow_plain = true, models = { m = true } },
  },
})";

}  // namespace

TEST_CASE("every key of the configuration is read") {
  const auto config = parse(kWhole);
  if (!config) FAIL(config.error().what);
  CHECK(config->file == "/srv/gate/moongate.lua");
  REQUIRE(config->listen.size() == 3);
  CHECK(config->listen[0].address.text() == "127.0.0.1:8080");
  CHECK(config->listen[0].certificates.empty());
  CHECK(config->listen[0].serves.api);
  CHECK(config->listen[0].serves.metrics);  // on loopback
  REQUIRE(config->listen[1].certificates.size() == 2);
  CHECK(config->listen[1].certificates[0].cert == "/srv/gate/tls/cert.pem");
  CHECK(config->listen[1].certificates[0].key == "/etc/key.pem");
  CHECK(config->listen[1].certificates[1].cert == "/srv/gate/b.pem");
  CHECK(config->listen[1].serves.metrics);
  CHECK_FALSE(config->listen[2].serves.api);
  CHECK(config->state == "/srv/gate/var/state");
  CHECK(config->scripts == "/opt/scripts");
  CHECK(config->data == "/srv/data");
  CHECK(config->control_socket() == "/srv/gate/var/state/control.sock");
  CHECK(config->workers == 3);
  CHECK(config->settings.durability == gateway::Durability::relaxed);
  CHECK(tls::base64_decode(config->master_key)->size() == 32);
  CHECK(config->settings.trusted_proxies.size() == 2);
  CHECK(config->upstream_ca == "/srv/gate/ca.pem");
  CHECK(config->settings.cors_origins == std::vector<std::string>{"https://app.example"});
  CHECK(config->resolver.servers == std::vector<std::string>{"192.0.2.53"});
  CHECK(config->resolver.timeout_ms == 500);
  CHECK(config->server_limits.body_bytes_max == 2048);
  CHECK(config->server_limits.idle_timeout_ms == 1);
  CHECK(config->server_limits.head_timeout_ms == 2);
  CHECK(config->server_limits.body_timeout_ms == 3);
  CHECK(config->server_limits.write_timeout_ms == 4);
  CHECK(config->capacity.connections_max == 5);
  CHECK(config->capacity.handshakes_max == 6);
  CHECK(config->disk_low_bytes == 7);
  CHECK(config->drain_s == 9);
  CHECK(config->log_level == "debug");
}

TEST_CASE("every key of a channel is read") {
  const auto config = parse(kWhole);
  REQUIRE(config);
  REQUIRE(config->channels.size() == 2);
  const ChannelConfig& main = config->channels[0];
  CHECK(main.id == "main");
  CHECK(main.provider == "openai");
  CHECK(main.base_url.empty());
  CHECK(main.credential == "sk-from-outside");
  CHECK(main.priority == 2);
  CHECK(main.weight == 10);
  CHECK(main.region == "us");
  CHECK(main.concurrency_max == 200);
  CHECK(main.cost_ppm == 950'000);
  CHECK(main.timeouts.connect_ms == 1);
  CHECK(main.timeouts.first_byte_ms == 2);
  CHECK(main.timeouts.idle_ms == 3);
  CHECK(main.timeouts.total_ms == 4);
  CHECK(main.policy.private_addresses == http::PrivateAddresses::refuse);
  CHECK(main.policy.plain_http == http::PlainHttp::refuse);
  REQUIRE(main.models.size() == 2);  // false takes a model out
  const ChannelConfig& local = config->channels[1];
  CHECK(local.base_url == "http://127.0.0.1:9000/v1");
  CHECK(local.credential == "secret:local");
  CHECK(local.policy.private_addresses == http::PrivateAddresses::allow);
  CHECK(local.policy.plain_http == http::PlainHttp::allow);
  CHECK(local.cost_ppm == kPpmOne);
  CHECK(local.priority == 1);
  CHECK(local.timeouts.total_ms == 600'000);
}

TEST_CASE("what is not said has its default") {
  const auto config = parse_fields("");
  REQUIRE(config);
  CHECK(config->state == "/srv/gate/state");
  CHECK(config->scripts == "/srv/gate/scripts");
  CHECK(config->data == "/srv/gate/data");
  CHECK(config->workers == 0);
  CHECK(config->settings.durability == gateway::Durability::strict);
  CHECK(config->master_key.empty());
  CHECK(config->settings.trusted_proxies.empty());
  CHECK(config->upstream_ca.empty());
  CHECK(config->resolver.timeout_ms == 2000);
  CHECK(config->server_limits.body_bytes_max == limits::body_bytes_max);
  CHECK(config->drain_s == 30);
  CHECK(config->log_level == "info");
  CHECK(config->channels.empty());
  const auto open = parse("return { listen = { { address = '0.0.0.0:80' } } }");
  REQUIRE(open);
  CHECK(open->listen[0].serves.api);
  CHECK_FALSE(open->listen[0].serves.metrics);  // not on loopback
}

TEST_CASE("a wrong value is named by its key, and says what would be right") {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"state = 7", "state must be a string"},
      {"workers = -1", "workers must be a whole number from 0 to 256"},
      {"workers = 257", "workers must be"},
      {"workers = 1.5", "workers must be"},
      {"workers = '2'", "workers must be"},
      {"durability = 'lazy'", "durability must be \"strict\" or \"relaxed\""},
      {"master_key = 'c2hvcnQ='", "master_key must be 32 bytes in base 64"},
      {"trusted_proxies = { '10.0.0.0/40' }", "trusted_proxies holds \"10.0.0.0/40\""},
      {"trusted_proxies = '10.0.0.0/8'", "trusted_proxies must be a list of strings"},
      {"cors = { origins = 'x' }", "cors.origins must be a list of strings"},
      {"cors = true", "cors must be a table, not a boolean"},
      {"resolver = { timeout_ms = 9 }", "resolver.timeout_ms must be"},
      {"limits = { body_bytes_max = 1023 }", "limits.body_bytes_max must be"},
      {"limits = { connections_max = 0 }", "limits.connections_max must be"},
      {"drain_s = 86401", "drain_s must be"},
      {"log = { level = 'loud' }", "log.level must be debug, info, warning or error"},
      {"channels = {{ provider = 'openai', models = { m = true } }}", "channels[1].id is required"},
      {"channels = {{ id = 'a', models = { m = true } }}", "channels[1].provider is required"},
      {"channels = {{ id = 'a', provider = 'p' }}", "channels[1].models must name at least one"},
      {"channels = {{ id = 'a', provider = 'p', models = {} }}", "must name at least one model"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = 1, n = true } }}",
       "[\"m\"] must be true"},
      {"channels = {{ id = 'a', provider = 'p', models = { ['*'] = 'x', n = true } }}",
       "[\"*\"] must be true"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = true }, priority = 0 }}",
       "channels[1].priority must be"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = true }, weight = 1000001 }}",
       "channels[1].weight must be"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = true }, allow_private = 1 }}",
       "channels[1].allow_private must be true or false"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = true }, timeouts = { idle_ms = 0 } "
       "}}",
       "channels[1].timeouts.idle_ms must be"},
      {"channels = {{ id = 'a', provider = 'p', models = { m = true }, cost = { multiplier_ppm = "
       "-1 } }}",
       "channels[1].cost.multiplier_ppm must be"},
      {"channels = 7", "channels must be a list of tables"},
      {"channels = { 7 }", "channels[1] must be a table"},
      {"channels = { a = {} }", "channels must be a list of tables"},
  };
  for (const auto& [fields, expected] : table) {
    const std::string said = problem(fields);
    INFO(fields << ": " << said);
    CHECK(said.substr(0, 14) == "moongate.lua: ");
    CHECK(said.find(expected) != std::string::npos);
  }
}

TEST_CASE("models without names are none") {
  const auto all = problems("return { " + std::string(kListen) +
                            "channels = {{ id = 'a', provider = 'p', models = { 'm' } }} }");
  REQUIRE(all.size() == 2);
  CHECK(all[0] == "moongate.lua: channels[1].models must be a table with names");
  CHECK(all[1].find("must name at least one model") != std::string::npos);
}

TEST_CASE("unknown keys are named with where they stand") {
  CHECK(problem("port = 80") == "moongate.lua: port is not a known key");
  CHECK(problem("limits = { speed = 1 }") == "moongate.lua: limits.speed is not a known key");
  CHECK(problem("'loose'") == "moongate.lua: the table has entries without a name");
  CHECK(problem("channels = {{ id = 'a', provider = 'p', models = { m = true }, url = '' }}") ==
        "moongate.lua: channels[1].url is not a known key");
}

TEST_CASE("a listener needs an address, and serves what is known") {
  const auto of = [](const std::string& text) {
    return problems("return { listen = " + text + "}");
  };
  CHECK(of("{}") ==
        std::vector<std::string>{"moongate.lua: listen must name at least one address"});
  CHECK(of("{ {} }").front() == "moongate.lua: listen[1].address is required");
  for (const char* wrong : {"localhost:80", "127.0.0.1", "127.0.0.1:99999", ":80", "[::1"})
    CHECK(of("{ { address = '" + std::string(wrong) + "' } }")
              .front()
              .find("listen[1].address must be an address and a port") != std::string::npos);
  CHECK(of("{ { address = '127.0.0.1:1', serves = { 'files' } } }").front().find("not files") !=
        std::string::npos);
  CHECK(of("{ { address = '127.0.0.1:1', tls = { cert = 'c' } } }").front() ==
        "moongate.lua: listen[1].tls.key is required");
  CHECK(problems("return {}").front().find("listen must name") != std::string::npos);
}

TEST_CASE("an id of a channel is plain and bounded") {
  const auto with = [](const std::string& id) {
    return "channels = {{ id = '" + id + "', provider = 'p', models = { m = true } }}";
  };
  CHECK(parse_fields(with(std::string(64, 'a'))));
  CHECK(parse_fields(with("Open-AI_1.eu:b")));
  for (const std::string& wrong : {std::string(65, 'a'), std::string("a b"), std::string("a\\n"),
                                   std::string("a\"b"), std::string("a/b")})
    CHECK(problem(with(wrong)).find("channels[1].id must have") != std::string::npos);
}

TEST_CASE("no credential's bytes are repeated in what is said of it") {
  const std::string said = problem(
      "channels = {{ id = 'a', provider = 'p', models = { m = true }, credential = 'sk-1\\n' }}");
  CHECK(said.find("channels[1].credential must have") != std::string::npos);
  CHECK(said.find("sk-1") == std::string::npos);
}

TEST_CASE("an address is listened on once") {
  const auto two = [](const std::string& a, const std::string& b) {
    return parse("return { listen = { { address = '" + a + "' }, { address = '" + b + "' } } }");
  };
  CHECK(two("127.0.0.1:0", "127.0.0.1:0"));
  CHECK(two("127.0.0.1:1", "127.0.0.1:2"));
  CHECK(two("0.0.0.0:1", "[::1]:1"));
  CHECK_FALSE(two("127.0.0.1:1", "127.0.0.1:1"));
  CHECK_FALSE(two("0.0.0.0:1", "127.0.0.1:1"));
  CHECK_FALSE(two("[::]:1", "0.0.0.0:1"));
}

TEST_CASE("everything that is wrong is told at once") {
  const auto all = problems(R"(return {
    listen = { { address = "nowhere" }, { address = "127.0.0.1:1", colour = "red" } },
    workers = "many", drain_s = -1, speed = 3,
    channels = { { id = "a", provider = "p", models = { m = true } },
                 { id = "a", provider = "p", models = {}, weight = -1 } },
  })");
  CHECK(all.size() == 8);
  for (const char* part :
       {"listen[1].address", "listen[2].colour", "workers", "drain_s", "speed",
        "channels[2].id \"a\" is used twice", "channels[2].models", "channels[2].weight"}) {
    INFO(part);
    CHECK(std::any_of(all.begin(), all.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    }));
  }
}

TEST_CASE("the environment is there by name, and what is required is missed by name") {
  const std::string channel = "channels = {{ id = 'a', provider = 'p', models = { m = true }, ";
  CHECK(parse_fields(channel + "credential = env('KEY') }}")->channels[0].credential ==
        "sk-from-outside");
  CHECK(parse_fields(channel + "credential = env('NONE') }}")->channels[0].credential.empty());
  const auto missing = problems("return { a = required(env('ONE')), b = required(env('TWO')) }");
  CHECK(missing.size() == 2);
  CHECK(missing[0].find("ONE") != std::string::npos);
  CHECK(missing[1].find("TWO") != std::string::npos);
}

TEST_CASE("a file that is no table is told with its line, and runs without the world") {
  CHECK(problems("return {\n  listen = = 3 }").front().find("moongate.lua:2") != std::string::npos);
  CHECK(problems("error('by hand')").front().find("by hand") != std::string::npos);
  CHECK_FALSE(parse("return 7"));
  CHECK_FALSE(parse(""));
  for (const char* forbidden : {"os.execute('x')", "io.open('x')", "require('x')", "dofile('x')"})
    CHECK_FALSE(parse(std::string(forbidden) + " return { " + kListen + "}"));
  CHECK_FALSE(parse("while true do end"));
}

TEST_CASE("a file is read from its folder; one that is not there is not found") {
  const test::TempDir dir;
  CHECK(load_config(dir / "none.lua", environment).error().code == Errc::not_found);
  std::FILE* file = std::fopen((dir / "moongate.lua").c_str(), "wb");
  REQUIRE(file);
  std::fputs("return { listen = { { address = '127.0.0.1:0' } }, state = 'here' }", file);
  std::fclose(file);
  const auto config = load_config(dir / "moongate.lua", environment);
  REQUIRE(config);
  CHECK(config->state == std::filesystem::canonical(dir.path()).string() + "/here");
}
