#include "gateway/metering.h"

#include <algorithm>

namespace mg::gateway {
namespace {

// How far our count of a text may be from its provider's.
constexpr int64_t kSeenFactor = 2;
constexpr int64_t kSeenSlackTokens = 64;
constexpr int64_t kCountErrorShare = 10;  // a tenth, by what the estimator was fitted to

}  // namespace

void Metering::take_report(const AnswerFacts& facts) {
  if (!facts.is_json) ++damaged_events_;
  audio_tokens_ += facts.audio_tokens;
  image_tokens_ += facts.image_tokens;
  if (!facts.has_usage || facts.usage == Usage()) return;  // nothing at all is no report
  if (facts.usage && is_plausible(*facts.usage)) {
    reported_ = facts.usage;
    generated_at_report_ = generated_.tokens();
    was_invalid_ = false;
  } else {
    was_invalid_ = true;
  }
}

bool Metering::is_plausible(const Usage& usage) const {
  if (usage.input() > bounds_.input_tokens) return false;
  if (usage.output() <= bounds_.output_tokens) return true;
  // Vendors differ in which of a client's limits they heed, and for what. More than it allows is
  // believed as far as we saw it being written ourselves.
  const int64_t seen = usage.output() - usage[Meter::reasoning];
  return usage.output() <= bounds_.output_tokens_max &&
         seen <= kSeenFactor * generated_.tokens() + kSeenSlackTokens;
}

Usage Metering::counted() const {
  Usage usage;
  usage[Meter::input] = input_tokens_;
  usage[Meter::output] = counted_output();
  int64_t left = std::max<int64_t>(0, bounds_.output_tokens_max - usage[Meter::output]);
  usage[Meter::output_audio] = std::min(audio_tokens_, left);
  left -= usage[Meter::output_audio];
  usage[Meter::output_image] = std::min(image_tokens_, left);
  return usage;
}

int64_t Metering::counted_output() const {
  return std::min(generated_.tokens(),
                  is_rough_ ? bounds_.output_tokens : bounds_.output_tokens_max);
}

FinalUsage Metering::final() const {
  if (!reported_) return {counted(), ledger::UsageSource::counted, was_invalid_, damaged_events_};
  FinalUsage out{*reported_, ledger::UsageSource::reported, was_invalid_, damaged_events_};
  // A report that text came behind may have spoken of the time before; one that stands at the
  // beginning and tells the whole is borne out by our count.
  const int64_t counted = counted_output();
  const bool is_stale = generated_.tokens() > generated_at_report_;
  if (is_stale && counted - counted / kCountErrorShare > reported_->output()) {
    out.usage[Meter::output] += counted - reported_->output();
    out.source = ledger::UsageSource::counted;
  }
  return out;
}

}  // namespace mg::gateway
