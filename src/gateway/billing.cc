#include "gateway/billing.h"

#include <algorithm>

#include "base/assert.h"

namespace mg::gateway {
namespace {

Result<Money> line_charge(const api::PriceLine& line, int64_t units) {
  return charge_for(units, line.rate, line.multipliers_ppm.data(), line.multiplier_count);
}

// How many lines the tiers come to: their own rates, and those of meters that stand for others.
size_t line_count(const PriceTiers& tiers) {
  size_t count = 0;
  for (const PriceTier& tier : tiers)
    for (Meter meter : kMeters) count += tier.has_own(meter) || parent(meter) == meter ? 1 : 0;
  return count;
}

}  // namespace

Price::Price(const Model& model, const PriceTiers& tiers)
    : model_(&model), catalogue_tiers_(&tiers) {
  lines_.reserve(line_count(tiers));
  for (const PriceTier& tier : tiers) {
    TierLines of_tier;
    for (Meter meter : kMeters) {  // parents stand before their children
      const auto at = static_cast<size_t>(meter);
      if (!tier.has_own(meter) && parent(meter) != meter) {
        of_tier[at] = of_tier[static_cast<size_t>(parent(meter))];
        continue;
      }
      of_tier[at] = static_cast<uint16_t>(lines_.size());
      api::PriceLine line;
      line.model = model.id;
      line.meter = name(meter);
      line.above_input_tokens = tier.above_input_tokens;
      line.rate = tier.rate(meter);
      lines_.push_back(line);
    }
    tiers_.push_back(of_tier);
    thresholds_.push_back(tier.above_input_tokens);
  }
  MG_ASSERT(!tiers_.empty());
}

const Price::TierLines& Price::tier(int64_t input_tokens) const {
  size_t chosen = 0;
  for (size_t i = 1; i < tiers_.size(); ++i)
    if (input_tokens > thresholds_[i]) chosen = i;
  return tiers_[chosen];
}

const api::PriceLine& Price::line(Meter meter, int64_t input_tokens) const {
  return lines_[tier(input_tokens)[static_cast<size_t>(meter)]];
}

Result<Money> Price::charge(const Usage& usage) const {
  const TierLines& of_tier = tier(usage.input());
  Money sum;
  for (Meter meter : kMeters) {
    if (usage[meter] == 0) continue;
    MG_TRY(const Money part,
           line_charge(lines_[of_tier[static_cast<size_t>(meter)]], usage[meter]));
    MG_TRY(sum, sum.plus(part));
  }
  return sum;
}

Result<Money> Price::settle(const Usage& usage, std::vector<ledger::PriceLine>& lines) const {
  const TierLines& of_tier = tier(usage.input());
  Money sum;
  lines.reserve(static_cast<size_t>(
      std::count_if(kMeters.begin(), kMeters.end(), [&](Meter m) { return usage[m] != 0; })));
  for (Meter meter : kMeters) {
    if (usage[meter] == 0) continue;
    const api::PriceLine& frozen = lines_[of_tier[static_cast<size_t>(meter)]];
    ledger::PriceLine line;
    line.meter = name(meter);
    line.units = usage[meter];
    line.rate = frozen.rate;
    for (size_t i = 0; i < frozen.multiplier_count; ++i)
      line.multipliers_ppm.push_back(frozen.multipliers_ppm[i]);
    MG_TRY(line.charge, line_charge(frozen, usage[meter]));
    MG_TRY(sum, sum.plus(line.charge));
    lines.push_back(line);
  }
  return sum;
}

Result<Money> Price::ceiling(int64_t input_tokens_max, int64_t output_tokens_max) const {
  Money most;
  for (size_t i = 0; i < tiers_.size(); ++i) {
    if (i > 0 && input_tokens_max <= thresholds_[i]) continue;
    Money input, output;
    for (Meter meter : kMeters) {
      const api::PriceLine& line = lines_[tiers_[i][static_cast<size_t>(meter)]];
      MG_TRY(const Money part,
             line_charge(line, is_input(meter) ? input_tokens_max : output_tokens_max));
      Money& side = is_input(meter) ? input : output;
      side = std::max(side, part);
    }
    MG_TRY(const Money both, input.plus(output));
    most = std::max(most, both);
  }
  if (most.is_zero()) return most;  // free is free
  // Each meter's line is rounded up by itself; a split over all of them costs at most this more.
  return most.plus(Money::nanos(kMeterCount));
}

Result<Money> provider_cost(const PriceTiers& tiers, const Usage& usage, int64_t multiplier_ppm) {
  const PriceTier& tier = tier_for(tiers, usage.input());
  Money sum;
  for (Meter meter : kMeters) {
    if (usage[meter] == 0) continue;
    MG_TRY(const Money part, charge_for(usage[meter], tier.rate(meter), {multiplier_ppm}));
    MG_TRY(sum, sum.plus(part));
  }
  return sum;
}

}  // namespace mg::gateway
