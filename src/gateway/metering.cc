#include "gateway/metering.h"

#include <algorithm>

namespace mg::gateway {

void Metering::take_report(const AnswerFacts& facts) {
  if (!facts.is_json) ++damaged_events_;
  if (!facts.has_usage) return;
  if (facts.usage && is_plausible(*facts.usage)) {
    reported_ = facts.usage;
    was_invalid_ = false;
  } else {
    was_invalid_ = true;
  }
}

bool Metering::is_plausible(const Usage& usage) const {
  return usage.input() <= bounds_.input_tokens && usage.output() <= bounds_.output_tokens;
}

Usage Metering::counted() const {
  Usage usage;
  usage[Meter::input] = input_tokens_;
  usage[Meter::output] = std::min(generated_.tokens(), bounds_.output_tokens);
  return usage;
}

FinalUsage Metering::final() const {
  if (reported_) return {*reported_, ledger::UsageSource::reported, was_invalid_, damaged_events_};
  return {counted(), ledger::UsageSource::counted, was_invalid_, damaged_events_};
}

}  // namespace mg::gateway
