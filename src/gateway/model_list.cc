#include "gateway/model_list.h"

#include <algorithm>

#include "base/json.h"

namespace mg::gateway {
namespace {

// By the key's own list, as the policy model_scope reads it: by the model's id, or by the name it
// is asked for by. Groups and other policies may refuse more.
bool may_use(const directory::ApiKey& key, const Model& model, std::string_view name) {
  return key.models.empty() ||
         std::any_of(key.models.begin(), key.models.end(), [&](const std::string& pattern) {
           return matches_pattern(pattern, model.id) || matches_pattern(pattern, name);
         });
}

void write_prices(JsonWriter& json, const PriceTier& tier) {
  for (Meter meter : kMeters)
    if (tier.has_own(meter)) json.field(name(meter), to_text_per_million(tier.rate(meter)));
}

void write_model(JsonWriter& json, const Model& model, std::string_view name) {
  json.begin_object();
  json.field("id", name);
  json.field("object", "model");
  json.field("created", 0);
  json.field("owned_by", model.provider);
  json.field("name", model.name);
  if (name != model.id) json.field("alias_of", model.id);
  if (model.context_window) json.field("context_window", model.context_window);
  if (model.max_output) json.field("max_output", model.max_output);
  json.key("price");  // USD per million tokens
  json.begin_object();
  write_prices(json, model.tiers.front());
  json.end_object();
  if (model.tiers.size() > 1) {
    json.key("tiers");
    json.begin_array();
    for (size_t i = 1; i < model.tiers.size(); ++i) {
      json.begin_object();
      json.field("above_input_tokens", model.tiers[i].above_input_tokens);
      write_prices(json, model.tiers[i]);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

}  // namespace

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // Linear but for one remembered '*': enough, because the last one can always take more.
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string model_list(const World& world, const directory::ApiKey& key) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("object", "list");
  json.key("data");
  json.begin_array();
  for (const Model* model : world.callable_models()) {
    if (may_use(key, *model, model->id)) write_model(json, *model, model->id);
    for (const std::string& alias : model->aliases)
      if (may_use(key, *model, alias)) write_model(json, *model, alias);
  }
  json.end_array();
  json.end_object();
  return out;
}

std::optional<std::string> model_entry(const World& world, const directory::ApiKey& key,
                                       std::string_view name) {
  const Model* model = world.catalogue().find(name);
  if (!model || !model->is_priced() || world.routes(*model).empty() || !may_use(key, *model, name))
    return std::nullopt;
  std::string out;
  JsonWriter json(out);
  write_model(json, *model, name);
  return out;
}

}  // namespace mg::gateway
