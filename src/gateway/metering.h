// What an answer has used so far: what the provider says of it, and what we counted ourselves from
// the text that passed. Which of the two is believed is decided here, once, at the end.
#pragma once

#include <optional>

#include "gateway/answer_reader.h"
#include "gateway/echo.h"
#include "gateway/token_estimate.h"
#include "gateway/usage.h"
#include "ledger/types.h"

namespace mg::gateway {

// What a request can use at the most, from its own words and the model's: a provider that reports
// more is not believed.
struct UsageBounds {
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;      // by what the client allows
  int64_t output_tokens_max = 0;  // by what the model can write, whatever it was told
};

struct FinalUsage {
  Usage usage;
  ledger::UsageSource source = ledger::UsageSource::counted;
  bool was_implausible = false;  // the provider reported something that cannot be
  int64_t damaged_events = 0;    // of its stream, relayed as they were: no JSON
};

class Metering {
 public:
  // `input_tokens` is our own estimate of what the request sends.
  Metering(int64_t input_tokens, const UsageBounds& bounds, Tokenizer tokenizer)
      : input_tokens_(input_tokens), bounds_(bounds), generated_(tokenizer) {}

  TokenCounter& generated() { return generated_; }
  // What is counted is not the text but what it came in: no more than the client allowed is charged
  // for by it.
  void count_roughly() { is_rough_ = true; }
  // Of an answer that was asked to begin with its prompt; else null.
  Echo* echo() { return echo_.get(); }
  void set_echo(std::unique_ptr<Echo> echo) { echo_ = std::move(echo); }
  // The last report wins: providers that send several send sums.
  void take_report(const AnswerFacts& facts);

  // The provider has reported something plausible.
  bool has_report() const { return reported_.has_value(); }

  Usage counted() const;  // never more than the model can have written
  // The provider's figures where there are plausible ones, else our count. Our count as well where
  // text came behind the last report, and too much of it.
  FinalUsage final() const;
  bool has_output() const { return seen_tokens() > 0 || (reported_ && reported_->output()); }
  // Of all that was written so far: text, sound and pictures.
  int64_t seen_tokens() const { return generated_.tokens() + audio_tokens_ + image_tokens_; }

 private:
  bool is_plausible(const Usage& usage) const;
  int64_t counted_output() const;

  int64_t input_tokens_;
  UsageBounds bounds_;
  TokenCounter generated_;
  std::unique_ptr<Echo> echo_;
  std::optional<Usage> reported_;
  int64_t generated_at_report_ = 0;
  int64_t audio_tokens_ = 0;
  int64_t image_tokens_ = 0;
  bool was_invalid_ = false;
  bool is_rough_ = false;
  int64_t damaged_events_ = 0;
};

}  // namespace mg::gateway
