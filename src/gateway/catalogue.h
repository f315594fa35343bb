// Models and what they cost, read from data/models.json and data/aliases.json. Part of a
// generation: immutable once built, shared by all workers.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "gateway/meter.h"

namespace mg::gateway {

enum class Mode : uint8_t { chat, embedding, other };

// What every meter costs for requests whose input is longer than `above_input_tokens`.
// Complete: a meter that the file leaves out costs what its parent costs (meter.h), never nothing.
struct PriceTier {
  int64_t above_input_tokens = 0;
  std::array<Rate, kMeterCount> rates;
  // Meters with a price of their own; the others follow their parents, also when a policy changes
  // what those cost.
  std::array<bool, kMeterCount> own{};

  Rate rate(Meter meter) const { return rates[static_cast<size_t>(meter)]; }
  bool has_own(Meter meter) const { return own[static_cast<size_t>(meter)]; }
};

// Tiers by rising threshold; the first is for every request.
using PriceTiers = std::vector<PriceTier>;

struct Model {
  std::string id;
  std::vector<std::string> aliases;  // the catalogue's own, then the operator's
  std::string provider;              // whose model it is: the vendor's name in the catalogue
  std::string name;
  Mode mode = Mode::other;
  int64_t context_window = 0;                                    // 0: not known
  int64_t max_output = 0;                                        // 0: not known
  PriceTiers tiers;                                              // empty: no price, so not callable
  std::map<std::string, PriceTiers, std::less<>> service_modes;  // "fast" and the like
  std::string currency = "USD";                                  // what the price was listed in ...
  int64_t usd_per_unit_ppm = 1'000'000;  // ... and the rate it was converted at

  bool is_priced() const { return !tiers.empty(); }
  // The tiers of a service mode, or nullptr where the model has none of that name.
  const PriceTiers* mode_tiers(std::string_view service_mode) const;
};

// The tier that prices a request with that much input.
const PriceTier& tier_for(const PriceTiers& tiers, int64_t input_tokens);

class Catalogue {
 public:
  // Errors: invalid, with the model and the field at fault. All of them at once, one a line.
  static Result<std::shared_ptr<const Catalogue>> parse(std::string_view models_json,
                                                        std::string_view aliases_json);

  // By id, by an alias of the catalogue, or by an alias of the operator; nullptr for none.
  const Model* find(std::string_view name) const;
  const std::vector<Model>& models() const { return models_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::vector<Model> models_;
  std::unordered_map<std::string, size_t, Hash, std::equal_to<>> by_name_;
};

}  // namespace mg::gateway
