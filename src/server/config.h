// The configuration file moongate.lua, read, checked and made of types. It runs in the sandbox with
// env() and required() added; everything wrong with it is reported at once, each by its key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "event/resolver.h"
#include "gateway/endpoint.h"
#include "gateway/services.h"
#include "http/server.h"
#include "script/evaluate.h"
#include "script/value.h"
#include "tls/credentials.h"

namespace mg::server {

struct ListenConfig {
  SocketAddress address;
  std::vector<tls::CertificateFiles> certificates;  // empty: plain text
  gateway::Serves serves;
};

// A channel as the file has it; vendors, addresses and secrets are looked up when a generation is
// built (channels.h).
struct ChannelConfig {
  std::string id;
  std::string provider;
  std::string base_url;    // empty: the vendor's own
  std::string credential;  // the credential, "secret:NAME", or empty
  std::vector<gateway::ModelMapping> models;
  int priority = 1;
  int weight = 1;
  std::string region;
  int64_t concurrency_max = 0;
  int64_t cost_ppm = kPpmOne;
  api::Timeouts timeouts{3000, 30'000, 60'000, 600'000};
  http::OriginPolicy policy;
};

struct Config {
  std::string file;
  std::vector<ListenConfig> listen;
  std::string state;  // absolute, like the two below
  std::string scripts;
  std::string data;
  int workers = 0;  // 0: one per core
  std::string master_key;
  std::string upstream_ca;  // empty: the system's
  gateway::Settings settings;
  event::ResolverOptions resolver;
  http::ServerLimits server_limits;
  http::ServerCapacity capacity;
  uint64_t disk_low_bytes = limits::disk_low_bytes;
  int64_t drain_s = 30;
  std::string log_level = "info";
  std::vector<ChannelConfig> channels;
  script::Value given;  // the table itself, with what the environment gave

  std::string control_socket() const { return state + "/control.sock"; }
  std::string store() const { return state + "/store"; }
  std::string records() const { return state + "/records"; }
};

// Errors: not_found for a missing file; invalid with all that is wrong, a line each.
Result<Config> load_config(const std::string& file, const script::EnvironmentLookup& environment);
// The same from text; relative paths start at `folder`.
Result<Config> parse_config(const std::string& text, const std::string& file,
                            const script::EnvironmentLookup& environment);

// The names of the outermost settings that two files give differently; sorted.
std::vector<std::string> settings_that_differ(const Config& a, const Config& b);

// The process's own environment variables.
std::optional<std::string> process_environment(std::string_view name);

}  // namespace mg::server
