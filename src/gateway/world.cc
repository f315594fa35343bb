#include "gateway/world.h"

#include <algorithm>

namespace mg::gateway {
namespace {

constexpr std::string_view kEveryModel = "*";

// "*" stands for the models of the vendor the channel leads to; one that leads to any vendor has
// them all.
bool serves_by_wildcard(const Channel& channel, const Model& model) {
  const bool of_vendor =
      channel.provider.catalogue.empty() || channel.provider.catalogue == model.provider;
  return of_vendor && model.is_priced();
}

std::string upstream_name(const Channel& channel, const ModelMapping& mapping, const Model& model) {
  if (!mapping.upstream_model.empty()) return mapping.upstream_model;
  return channel.provider.model_prefix + model.id;
}

using Routes = std::unordered_map<const Model*, std::vector<Route>>;

// The models that the channel leads to: those it names, and by "*" those of its vendor.
void add_routes(const std::shared_ptr<const Channel>& channel, const Catalogue& catalogue,
                Routes& routes) {
  std::unordered_set<const Model*> named;
  for (const ModelMapping& mapping : channel->models) {
    const Model* model = catalogue.find(mapping.model);
    if (!model || mapping.model == kEveryModel) continue;
    named.insert(model);
    routes[model].push_back({channel, upstream_name(*channel, mapping, *model)});
  }
  for (const ModelMapping& mapping : channel->models) {
    if (mapping.model != kEveryModel) continue;
    for (const Model& model : catalogue.models())
      if (!named.contains(&model) && serves_by_wildcard(*channel, model))
        routes[&model].push_back({channel, upstream_name(*channel, {}, model)});
  }
}

}  // namespace

World::World(std::shared_ptr<const script::Bundle> bundle,
             std::shared_ptr<const Catalogue> catalogue,
             std::shared_ptr<const directory::Snapshot> directory,
             std::vector<std::shared_ptr<const Channel>> channels)
    : bundle_(std::move(bundle)),
      catalogue_(std::move(catalogue)),
      directory_(std::move(directory)),
      breaker_(api::breaker_rules(*bundle_)) {
  std::stable_sort(channels.begin(), channels.end(),
                   [](const auto& a, const auto& b) { return a->priority < b->priority; });
  Routes disabled;
  for (auto& channel : channels) {
    const bool is_enabled = directory_->is_enabled(channel->id);
    add_routes(channel, *catalogue_, is_enabled ? routes_ : disabled);
    if (is_enabled) channels_.push_back(std::move(channel));
  }
  for (const auto& [model, routes] : disabled)
    if (!routes_.contains(model)) resting_.insert(model);
}

std::span<const Route> World::routes(const Model& model) const {
  const auto found = routes_.find(&model);
  if (found == routes_.end()) return {};
  return found->second;
}

std::vector<const Model*> World::callable_models() const {
  std::vector<const Model*> callable;
  for (const Model& model : catalogue_->models())
    if (model.is_priced() && !routes(model).empty()) callable.push_back(&model);
  return callable;
}

std::vector<std::string> World::complaints() const {
  std::vector<std::string> out;
  for (const auto& channel : channels_) {
    for (const ModelMapping& mapping : channel->models) {
      if (mapping.model == kEveryModel) continue;
      const Model* model = catalogue_->find(mapping.model);
      if (!model) {
        out.push_back("channel " + channel->id + ": model " + mapping.model +
                      " is not in data/models.json, so it cannot be called");
      } else if (!model->is_priced()) {
        out.push_back("channel " + channel->id + ": model " + mapping.model +
                      " has no price in USD, so it cannot be called");
      }
    }
  }
  return out;
}

}  // namespace mg::gateway
