#include "gateway/model_list.h"

#include <algorithm>

#include "base/json.h"

namespace mg::gateway {
namespace {

// Policies are asked for each of some hundred models, while others wait for the thread. All is over
// sooner with the shipped ones.
constexpr int64_t kTurnNsMax = 2 * kNsPerMs;

// By the key's own list, as the policy model_scope reads it: by the model's id, or by the name it
// is asked for by.
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

ModelList::ModelList(const Services& services, Caller caller, IpAddress ip)
    : services_(services),
      serving_(services.serving),
      caller_(std::move(caller)),
      id_(Id::make(services.loop.clock(), services.rng).text(kRequestPrefix)),
      key_id_(caller_.key->id.text(kKeyPrefix)) {
  facts_.id = id_;
  facts_.time_ms = services.loop.clock().wall_ms();
  facts_.ip = ip;
  facts_.method = "GET";
  facts_.path = "/v1/models";
  facts_.protocol = "openai_chat";
  facts_.operation = "models";
  describe_caller(caller_, key_id_, facts_);
}

// A policy that says no for another reason than who asks for what (too fast, too poor) does not
// take a model off the list.
tl::expected<bool, Refusal> ModelList::has(const Model& model, std::string_view name) {
  if (!may_use(*caller_.key, model, name)) return false;
  api::Policies& policies = serving_->policies ? *serving_->policies : *services_.serving->policies;
  facts_.model = model.id;
  facts_.aliases = model.aliases;
  facts_.requested_model = name;
  const std::optional<api::Refusal> no = policies.would_refuse(facts_);
  if (no && no->code == "policy_error")
    return tl::unexpected(policy_refusal(no->status, no->code, no->message, no->retry_after_s));
  return !no || no->status != 403;
}

event::Task<tl::expected<std::string, Refusal>> ModelList::all() {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("object", "list");
  json.key("data");
  json.begin_array();
  Clock& clock = services_.loop.clock();
  int64_t turn_ends_ns = clock.monotonic_ns() + kTurnNsMax;
  for (const Model* model : serving_->world->callable_models()) {
    std::vector<std::string_view> names = {model->id};
    names.insert(names.end(), model->aliases.begin(), model->aliases.end());
    for (const std::string_view name : names) {
      if (clock.monotonic_ns() >= turn_ends_ns) {
        co_await event::next_turn(services_.loop);
        turn_ends_ns = clock.monotonic_ns() + kTurnNsMax;
      }
      const auto is_offered = has(*model, name);
      if (!is_offered) co_return tl::unexpected(is_offered.error());
      if (*is_offered) write_model(json, *model, name);
    }
  }
  json.end_array();
  json.end_object();
  co_return out;
}

tl::expected<std::string, Refusal> ModelList::one(std::string_view name) {
  const World& world = *serving_->world;
  const Model* model = world.catalogue().find(name);
  tl::expected<bool, Refusal> is_offered = false;
  if (model && model->is_priced() && !world.routes(*model).empty()) is_offered = has(*model, name);
  if (!is_offered) return tl::unexpected(is_offered.error());
  if (!*is_offered)
    return tl::unexpected(refusal(Code::model_not_found,
                                  "this model does not exist or is not offered here", "model"));
  std::string out;
  JsonWriter json(out);
  write_model(json, *model, name);
  return out;
}

}  // namespace mg::gateway
