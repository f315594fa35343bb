#include "gateway/holding.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/limits.h"

namespace mg::gateway {
namespace {

// Providers miss their own limit by a few tokens, and count what they add to a prompt.
constexpr int64_t kSlackTokens = 64;

// How long a budget's counter is kept after it was last asked for, by BudgetPeriod; 0: for good.
constexpr int64_t kDaysKept[] = {2, 9, 33, 0};

// Only text is estimated well enough to say what room it leaves in a window that is known.
int64_t room_for_output(const Model& model, const InputTokens& input) {
  return std::max<int64_t>(model.context_window - input.text_estimate, 1);
}

// What the model writes at the most for one choice, where that is known.
std::optional<int64_t> output_limit(const Model& model, const RequestBody& body,
                                    const InputTokens& input) {
  std::optional<int64_t> limit = body.output_limit();
  if (model.max_output > 0) limit = std::min(limit.value_or(model.max_output), model.max_output);
  if (limit && model.context_window > 0) limit = std::min(*limit, room_for_output(model, input));
  return limit;
}

}  // namespace

UsageBounds usage_bounds(const Model& model, const RequestBody& body, const InputTokens& input) {
  // Where nothing says how long an answer may be, a window's worth per choice is believed.
  const int64_t window = std::max(model.context_window, model.max_output);
  const int64_t most = window > 0 ? window : limits::output_tokens_max;
  const int64_t known = output_limit(model, body, input).value_or(most);
  const int64_t input_max = input.is_open ? std::max(input.bound, most) : input.bound;
  return {input_max + kSlackTokens, known * body.choices() + kSlackTokens,
          most * body.choices() + kSlackTokens};
}

int64_t output_tokens_held(const Model& model, const RequestBody& body, const InputTokens& input) {
  if (model.mode == Mode::embedding) return 0;
  int64_t unlimited = limits::output_default_max;
  if (model.context_window > 0) unlimited = std::min(unlimited, room_for_output(model, input));
  return output_limit(model, body, input).value_or(unlimited) * body.choices();
}

std::string budget_period(api::BudgetPeriod period, int64_t wall_ms) {
  using namespace std::chrono;
  const std::string day = format_time_ms(wall_ms).substr(0, 10);
  switch (period) {
    case api::BudgetPeriod::day:
      return day;
    case api::BudgetPeriod::month:
      return day.substr(0, 7);
    case api::BudgetPeriod::total:
      return "all";
    case api::BudgetPeriod::week:
      break;
  }
  // ISO 8601: a week belongs to the year its Thursday is in.
  const sys_days date{days{utc_day(wall_ms)}};
  const sys_days thursday = date + days{4 - static_cast<int>(weekday{date}.iso_encoding())};
  const year_month_day of_thursday{thursday};
  const int64_t week = (thursday - sys_days{of_thursday.year() / January / 1}).count() / 7 + 1;
  char out[16];
  std::snprintf(out, sizeof out, "%04d-W%02d", static_cast<int>(of_thursday.year()),
                static_cast<int>(week));
  return out;
}

ledger::HoldRequest hold_request(const HoldTerms& terms, Money amount) {
  ledger::HoldRequest request;
  request.request = terms.request;
  request.tenant = terms.tenant.tenant.id;
  request.key = terms.key.id;
  request.idempotency = terms.idempotency;
  request.wallets.push_back(
      {ledger::AccountName::wallet_of(terms.tenant.seller, terms.tenant.payer), amount});
  // A company of an agent: the agent pays the platform at wholesale in the same breath.
  if (!terms.tenant.seller.is_nil())
    request.wallets.push_back({ledger::AccountName::wallet_of(Id(), terms.tenant.seller), amount});
  for (const api::BudgetRequirement& budget : terms.budgets) {
    const int64_t days_kept = kDaysKept[static_cast<size_t>(budget.period)];
    request.budgets.push_back({{budget.name, budget_period(budget.period, terms.wall_ms)},
                               budget.limit,
                               days_kept ? terms.wall_ms + days_kept * kMsPerDay : 0});
  }
  return request;
}

Refusal refusal_for(const ledger::HoldRefusal& no) {
  switch (no.reason) {
    case ledger::HoldRefusal::Reason::wallet_short:
      // An agent's affairs are not its customers'.
      if (no.wallet_index > 0)
        return refusal(Code::no_channel_available, "the service is not available at the moment");
      return refusal(Code::insufficient_quota,
                     "the balance does not cover what this request may cost: " +
                         to_short_text(no.short_by) + " USD more are needed");
    case ledger::HoldRefusal::Reason::budget_short:
      return refusal(Code::budget_exceeded,
                     "the budget " + no.budget.name + " for " + no.budget.period +
                         " is used up: " + to_short_text(no.short_by) + " USD more are needed");
    case ledger::HoldRefusal::Reason::digest_used:
      return refusal(Code::idempotency_replayed, "this Idempotency-Key was used by request " +
                                                     no.request.text(kRequestPrefix) +
                                                     ", which is not charged again");
    case ledger::HoldRefusal::Reason::request_open:
      break;
  }
  return refusal(Code::internal_error, "the request could not be ordered");
}

Refusal ledger_refusal(const Error& error) {
  if (error.code == Errc::overloaded)
    return refusal(Code::overloaded, "too many requests wait to be ordered");
  return refusal(Code::ledger_unavailable, "no request can be paid for at the moment");
}

}  // namespace mg::gateway
