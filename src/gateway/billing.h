// From usage to money: the only place where prices meet counts. Policies replace rates and append
// multipliers before the hold; from then on a price is frozen, and only this file applies it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/facts.h"
#include "base/money.h"
#include "gateway/catalogue.h"
#include "gateway/usage.h"
#include "ledger/types.h"

namespace mg::gateway {

// What one model costs one request, before and after `quote`.
class Price {
 public:
  // The catalogue's tiers for the model, or those of a service mode of it. Both must outlive it.
  Price(const Model& model, const PriceTiers& tiers);

  const Model& model() const { return *model_; }
  // The catalogue's, as they were given.
  const PriceTiers& tiers() const { return *catalogue_tiers_; }
  // One line per meter with a price of its own, and tier: what policies may change.
  std::span<api::PriceLine> lines() { return lines_; }
  // A meter's frozen line for that much input; a meter without its own has its parent's.
  const api::PriceLine& line(Meter meter, int64_t input_tokens) const;

  // Rounded up per line. Errors: too_large.
  Result<Money> charge(const Usage& usage) const;
  // The same, as the lines of a settlement: one per meter that was used.
  Result<Money> settle(const Usage& usage, std::vector<ledger::PriceLine>& lines) const;
  // The most that so much input and output can come to, whatever meters it falls on.
  Result<Money> ceiling(int64_t input_tokens_max, int64_t output_tokens_max) const;

 private:
  using TierLines = std::array<uint16_t, kMeterCount>;  // index into lines_, per meter

  const TierLines& tier(int64_t input_tokens) const;

  const Model* model_;
  const PriceTiers* catalogue_tiers_;
  std::vector<api::PriceLine> lines_;
  std::vector<TierLines> tiers_;
  std::vector<int64_t> thresholds_;  // above_input_tokens of each tier
};

// What the provider is owed: the catalogue's price, without any policy's, at the channel's own
// multiplier. Errors: too_large.
Result<Money> provider_cost(const PriceTiers& tiers, const Usage& usage, int64_t multiplier_ppm);

}  // namespace mg::gateway
