#include "server/config.h"

#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/label.h"
#include "base/log.h"
#include "base/regular_file.h"
#include "server/config_reader.h"
#include "server/config_values.h"
#include "tls/base64.h"

namespace mg::server {
namespace {

constexpr int64_t kMsMax = 24 * 3'600'000;
constexpr int64_t kWorkersMax = 256;
// Names of channels stand in header fields, metrics, logs and the ledger.
constexpr size_t kChannelIdBytesMax = 64;
constexpr size_t kRegionBytesMax = 64;
constexpr size_t kCredentialBytesMax = 16 * limits::KiB;
// A provider is the owner of an account of the ledger.
constexpr size_t kProviderBytesMax = limits::account_owner_bytes_max;

std::string at_most(size_t bytes) {
  return "must have from 1 to " + std::to_string(bytes) + " bytes and no control characters";
}

// What the reader of one file needs besides the tables.
struct Reading {
  Config& config;
  std::filesystem::path folder;
  std::vector<std::string>& problems;

  std::string path(const std::string& text) const {
    // Links are left as they are: whoever swaps one means the program to follow.
    std::filesystem::path path = (folder / text).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "scripts/"
    return path.string();
  }
};

void read_listener(Reading& reading, ConfigReader& in) {
  ListenConfig listen;
  const std::string address = in.required_text("address");
  if (const auto parsed = SocketAddress::parse(address)) {
    listen.address = *parsed;
  } else if (!address.empty()) {
    in.problem("address", "must be an address and a port, like 127.0.0.1:8080");
  }
  // The system would not mind: workers share their ports. Which listener got a connection would be
  // chance.
  for (const ListenConfig& other : reading.config.listen)
    if (overlap(other.address, listen.address))
      in.problem("address", "overlaps with the listener " + other.address.text());
  const auto read_pair = [&](ConfigReader& pair) {
    listen.certificates.push_back(
        {reading.path(pair.required_text("cert")), reading.path(pair.required_text("key"))});
  };
  in.table("tls", [&](ConfigReader& tls) {
    read_pair(tls);
    tls.tables("more", read_pair);  // further certificates, chosen by the name a client asks for
  });
  listen.serves.metrics = listen.address.ip.is_loopback();
  if (in.has("serves")) {
    listen.serves = {false, false};
    for (const std::string& name : in.texts("serves")) {
      if (name == "api") {
        listen.serves.api = true;
      } else if (name == "metrics") {
        listen.serves.metrics = true;
      } else if (name != "console") {
        in.problem("serves", "may hold api, metrics and console, not " + name);
      }
    }
  }
  reading.config.listen.push_back(std::move(listen));
}

void read_timeouts(ConfigReader& in, api::Timeouts& timeouts) {
  timeouts.connect_ms = in.integer("connect_ms", timeouts.connect_ms, 1, kMsMax);
  timeouts.first_byte_ms = in.integer("first_byte_ms", timeouts.first_byte_ms, 1, kMsMax);
  timeouts.idle_ms = in.integer("idle_ms", timeouts.idle_ms, 1, kMsMax);
  timeouts.total_ms = in.integer("total_ms", timeouts.total_ms, 1, kMsMax);
}

void read_models(ConfigReader& in, ChannelConfig& channel) {
  const auto is_name = [](const std::string& text) {
    return is_label(text, limits::model_name_bytes_max);
  };
  in.map("models", [&](const std::string& name, const script::Value& value) {
    if (!is_name(name) || (value.text() && !is_name(*value.text())))
      return in.problem("models",
                        "has a name that is none: each " + at_most(limits::model_name_bytes_max));
    if (value.text() && name != "*") {
      channel.models.push_back({name, *value.text()});
    } else if (value.boolean() && *value.boolean()) {
      channel.models.push_back({name, {}});
    } else if (!value.boolean()) {
      in.problem("models", "[\"" + name + "\"] must be true, or the channel's name for the model");
    }
  });
  if (channel.models.empty()) in.problem("models", "must name at least one model, or [\"*\"]");
}

// Names that are given must be fit for where they will stand. Values are not repeated: one of them
// is a secret, and the others would garble the terminal.
void check_texts(const ChannelConfig& channel, ConfigReader& in) {
  if (!channel.id.empty() && !is_plain_label(channel.id, kChannelIdBytesMax))
    in.problem("id", "must have from 1 to " + std::to_string(kChannelIdBytesMax) +
                         " characters: letters, digits and . _ : - only");
  if (!channel.provider.empty() && !is_label(channel.provider, kProviderBytesMax))
    in.problem("provider", at_most(kProviderBytesMax));
  if (!channel.credential.empty() && !is_label(channel.credential, kCredentialBytesMax))
    in.problem("credential", at_most(kCredentialBytesMax));
  if (!channel.region.empty() && !is_label(channel.region, kRegionBytesMax))
    in.problem("region", at_most(kRegionBytesMax));
}

void read_channel(Reading& reading, ConfigReader& in) {
  ChannelConfig channel;
  channel.id = in.required_text("id");
  channel.provider = in.required_text("provider");
  channel.base_url = in.text("base_url");
  channel.credential = in.text("credential");
  channel.priority = static_cast<int>(in.integer("priority", 1, 1, 1000));
  channel.weight = static_cast<int>(in.integer("weight", 1, 0, 1'000'000));
  channel.region = in.text("region");
  channel.concurrency_max = in.integer("concurrency_max", 0, 0, 1'000'000);
  in.table("cost", [&](ConfigReader& cost) {
    channel.cost_ppm = cost.integer("multiplier_ppm", kPpmOne, 0, limits::multiplier_ppm_max);
  });
  in.table("timeouts", [&](ConfigReader& timeouts) { read_timeouts(timeouts, channel.timeouts); });
  if (in.truth("allow_private", false))
    channel.policy.private_addresses = http::PrivateAddresses::allow;
  if (in.truth("allow_plain", false)) channel.policy.plain_http = http::PlainHttp::allow;
  check_texts(channel, in);
  read_models(in, channel);
  for (const ChannelConfig& other : reading.config.channels)
    if (other.id == channel.id && is_plain_label(channel.id, kChannelIdBytesMax))
      in.problem("id", "\"" + channel.id + "\" is used twice");
  reading.config.channels.push_back(std::move(channel));
}

void read_limits(Reading& reading, ConfigReader& in) {
  http::ServerLimits& server = reading.config.server_limits;
  http::ServerCapacity& capacity = reading.config.capacity;
  constexpr int64_t kBodyMost = 1024 * int64_t{limits::MiB};
  server.body_bytes_max =
      static_cast<uint64_t>(in.integer("body_bytes_max", limits::body_bytes_max, 1024, kBodyMost));
  server.idle_timeout_ms = in.integer("idle_timeout_ms", server.idle_timeout_ms, 1, kMsMax);
  server.head_timeout_ms = in.integer("head_timeout_ms", server.head_timeout_ms, 1, kMsMax);
  server.body_timeout_ms = in.integer("body_timeout_ms", server.body_timeout_ms, 1, kMsMax);
  server.write_timeout_ms = in.integer("write_timeout_ms", server.write_timeout_ms, 1, kMsMax);
  capacity.connections_max =
      static_cast<size_t>(in.integer("connections_max", limits::connections_max, 1, 1'000'000));
  capacity.handshakes_max =
      static_cast<size_t>(in.integer("handshakes_max", limits::handshakes_max, 1, 100'000));
  reading.config.disk_low_bytes = static_cast<uint64_t>(
      in.integer("disk_low_bytes", limits::disk_low_bytes, 0, int64_t{1} << 50));
}

void read_security(Reading& reading, ConfigReader& in) {
  Config& config = reading.config;
  config.master_key = in.text("master_key");
  const auto key = tls::base64_decode(config.master_key);
  if (!config.master_key.empty() && (!key || key->size() != 32))
    in.problem("master_key", "must be 32 bytes in base 64");
  for (const std::string& text : in.texts("trusted_proxies")) {
    if (const auto network = IpNetwork::parse(text)) {
      config.settings.trusted_proxies.push_back(*network);
    } else {
      in.problem("trusted_proxies", "holds \"" + text + "\", which is no address or network");
    }
  }
  const std::string upstream_ca = in.text("upstream_ca");
  if (!upstream_ca.empty()) config.upstream_ca = reading.path(upstream_ca);
  in.table("cors", [&](ConfigReader& cors) {
    config.settings.cors_origins = cors.texts("origins");
    for (const std::string& origin : config.settings.cors_origins)
      if (!is_origin(origin))
        cors.problem("origins", "holds \"" + origin +
                                    "\", which no browser sends: an origin is like "
                                    "https://app.example or http://localhost:3000, or \"*\"");
  });
}

void read_root(Reading& reading, ConfigReader& in) {
  Config& config = reading.config;
  in.tables("listen", [&](ConfigReader& listener) { read_listener(reading, listener); });
  if (config.listen.empty()) in.problem("listen", "must name at least one address");
  config.state = reading.path(in.text("state", "state"));
  config.scripts = reading.path(in.text("scripts", "scripts"));
  config.data = reading.path(in.text("data", "data"));
  config.workers = static_cast<int>(in.integer("workers", 0, 0, kWorkersMax));
  const std::string durability = in.text("durability", "strict");
  if (durability == "relaxed") {
    config.settings.durability = gateway::Durability::relaxed;
  } else if (durability != "strict") {
    in.problem("durability", "must be \"strict\" or \"relaxed\"");
  }
  read_security(reading, in);
  in.table("resolver", [&](ConfigReader& resolver) {
    config.resolver.servers = resolver.texts("servers");
    for (const std::string& server : config.resolver.servers)
      if (!is_name_server(server))
        resolver.problem("servers", "holds \"" + server + "\", which is no address");
    config.resolver.timeout_ms = resolver.integer("timeout_ms", 2000, 10, 60'000);
  });
  in.table("limits", [&](ConfigReader& limits) { read_limits(reading, limits); });
  config.drain_s = in.integer("drain_s", 30, 0, 86'400);
  in.table("log", [&](ConfigReader& log) {
    config.log_level = log.text("level", "info");
    if (!is_log_level(config.log_level))
      log.problem("level", "must be debug, info, warning or error");
  });
  in.tables("channels", [&](ConfigReader& channel) { read_channel(reading, channel); });
}

}  // namespace

Result<Config> parse_config(const std::string& text, const std::string& file,
                            const script::EnvironmentLookup& environment) {
  const script::Evaluation evaluation =
      script::evaluate_configuration({std::filesystem::path(file).filename(), text}, environment);
  std::vector<std::string> problems;
  Config config;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(file, error);
  if (error) return fail(Errc::io, "find the folder of " + file + ": " + error.message());
  config.file = absolute.string();
  if (evaluation.problems.empty()) {
    Reading reading{config, absolute.parent_path(), problems};
    ConfigReader root(evaluation.value, {}, problems);
    read_root(reading, root);
  }
  const std::string name = std::filesystem::path(file).filename();
  for (std::string& problem : problems) problem = name + ": " + problem;
  for (script::Problem problem : evaluation.problems) {
    // Keys of the outermost table stand alone, as they do in our own words.
    constexpr std::string_view kOutermost = "the table.";
    if (problem.what.starts_with(kOutermost)) problem.what.erase(0, kOutermost.size());
    problems.push_back(problem.text());
  }
  config.given = evaluation.value;
  if (problems.empty()) return config;
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "\n") + problem;
  return fail(Errc::invalid, all);
}

Result<Config> load_config(const std::string& file, const script::EnvironmentLookup& environment) {
  std::error_code ignored;  // what cannot be looked at cannot be read either
  if (std::filesystem::is_directory(file, ignored))
    return fail(Errc::invalid, file + " is a folder: name the file in it with --config");
  MG_TRY(const std::string text, read_regular_file(file, limits::script_source_bytes_max));
  return parse_config(text, file, environment);
}

std::vector<std::string> settings_that_differ(const Config& a, const Config& b) {
  std::set<std::string> names;
  for (const Config* config : {&a, &b})
    if (const script::Table* table = config->given.table())
      for (const script::Field& field : table->fields)
        if (!(a.given[field.name] == b.given[field.name])) names.insert(field.name);
  return {names.begin(), names.end()};
}

std::optional<std::string> process_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (!value) return std::nullopt;
  return std::string(value);
}

}  // namespace mg::server
