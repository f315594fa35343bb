// From the configuration's channels to those of a generation: each gets its vendor's table, its
// address, its credential and its health.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/vault.h"
#include "directory/snapshot.h"
#include "gateway/channel.h"
#include "server/config.h"

namespace mg::server {

struct ChannelSources {
  const std::vector<ChannelConfig>& configured;
  const script::Bundle& bundle;
  const directory::Snapshot& directory;
  control::Vault& vault;
  std::shared_ptr<const tls::TrustStore> trust;
  gateway::HealthBoard& health;
};

struct BuiltChannels {
  std::vector<std::shared_ptr<const gateway::Channel>> channels;
  // Channels that were left out, and why, in words without secrets.
  std::vector<std::string> complaints;
};

BuiltChannels build_channels(const ChannelSources& sources);

}  // namespace mg::server
