// What a request has to promise before it is served: how much, out of which wallets, under which
// budgets; and what it means when the ledger says no.
#pragma once

#include <string>
#include <vector>

#include "api/decision.h"
#include "directory/snapshot.h"
#include "gateway/candidate.h"
#include "gateway/metering.h"
#include "gateway/refusal.h"
#include "gateway/request_body.h"
#include "ledger/types.h"

namespace mg::gateway {

// How many tokens a request sends: about, and at the most.
struct InputTokens {
  int64_t estimate = 0;
  int64_t text_estimate = 0;  // of that its texts; images and files can be guessed at best
  int64_t bound = 0;
  bool is_open = false;  // more may be true: it brings in what nobody can size (input_bound.h)
};

// What the request can use at the most, from its own words and the model's.
UsageBounds usage_bounds(const Model& model, const RequestBody& body, const InputTokens& input);
// The same for its hold: where nothing limits the output, no more than a usual answer is held, and
// a longer one extends it.
int64_t output_tokens_held(const Model& model, const RequestBody& body, const InputTokens& input);

struct HoldTerms {
  Id request;
  const directory::TenantEntry& tenant;
  const directory::ApiKey& key;
  std::span<const api::BudgetRequirement> budgets;
  std::optional<ledger::Digest> idempotency;
  int64_t wall_ms;
};
ledger::HoldRequest hold_request(const HoldTerms& terms, Money amount);

// "2026-11-21", "2026-W47", "2026-11", "all"; days are UTC.
std::string budget_period(api::BudgetPeriod period, int64_t wall_ms);

// The answer to a client whose hold was refused.
Refusal refusal_for(const ledger::HoldRefusal& refusal);
// ... or not even judged.
Refusal ledger_refusal(const Error& error);

}  // namespace mg::gateway
