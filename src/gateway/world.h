// Everything a request is decided by, frozen together: policies, catalogue, channels, tenants and
// keys. A reload of scripts or data makes one with the next generation number; a change of the
// directory or of channels one with the same. A running request keeps the one it began with.
// Immutable; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/address.h"
#include "directory/snapshot.h"
#include "gateway/catalogue.h"
#include "gateway/channel.h"
#include "script/bundle.h"

namespace mg::gateway {

// A channel that serves a model, and under which name.
struct Route {
  std::shared_ptr<const Channel> channel;
  std::string upstream_model;
};

class World {
 public:
  World(std::shared_ptr<const script::Bundle> bundle, std::shared_ptr<const Catalogue> catalogue,
        std::shared_ptr<const directory::Snapshot> directory,
        std::vector<std::shared_ptr<const Channel>> channels);

  uint64_t generation() const { return bundle_->generation(); }
  const std::shared_ptr<const script::Bundle>& bundle() const { return bundle_; }
  const Catalogue& catalogue() const { return *catalogue_; }
  const directory::Snapshot& directory() const { return *directory_; }
  // Enabled ones only, by rising priority.
  const std::vector<std::shared_ptr<const Channel>>& channels() const { return channels_; }
  const BreakerRules& breaker() const { return breaker_; }

  // The ways to a model, by rising priority; empty where none leads to it.
  std::span<const Route> routes(const Model& model) const;
  // No channel leads to it now, but a disabled one would.
  bool is_resting(const Model& model) const { return resting_.contains(&model); }
  // Callable: an enabled channel maps it and it has a price. In the catalogue's order.
  std::vector<const Model*> callable_models() const;

  // What stands in the configuration but cannot be called, in words, for `check`.
  std::vector<std::string> complaints() const;

 private:
  std::shared_ptr<const script::Bundle> bundle_;
  std::shared_ptr<const Catalogue> catalogue_;
  std::shared_ptr<const directory::Snapshot> directory_;
  std::vector<std::shared_ptr<const Channel>> channels_;
  BreakerRules breaker_;
  std::unordered_map<const Model*, std::vector<Route>> routes_;
  std::unordered_set<const Model*> resting_;
};

}  // namespace mg::gateway
