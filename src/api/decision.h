// What policies decided, as typed values: checked, bounded, and free of anything a script owns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/facts.h"
#include "base/money.h"

namespace mg::api {

// A no with the status and code that the answer carries. A policy that failed refuses too:
// 500 policy_error.
struct Refusal {
  int status = 0;
  std::string_view code;  // one that gate.refuse takes, or policy_error; lives for ever
  std::string message;
  std::optional<int64_t> retry_after_s;
  std::string module;  // who said no
};

enum class BudgetPeriod : uint8_t { day, week, month, total };

// A budget that the ledger holds and checks together with the wallet.
struct BudgetRequirement {
  std::string name;
  Money limit;
  BudgetPeriod period = BudgetPeriod::day;
};

// For the x-ratelimit-* headers: the tightest bucket of its unit.
struct RateWindow {
  int64_t limit = 0;
  int64_t remaining = 0;
  int64_t reset_s = 0;  // until it is full again
};

// What an admitted request is bound to.
struct Admitted {
  std::vector<BudgetRequirement> budgets;
  // Keep these for RecordFacts: observe gives back what was not used.
  std::vector<TokenTake> token_takes;
  std::optional<RateWindow> requests;
  std::optional<RateWindow> tokens;
};

struct AdmitDecision : Admitted {
  std::optional<Refusal> refusal;
};

// 0 keeps the channel's own.
struct Timeouts {
  int64_t connect_ms = 0;
  int64_t first_byte_ms = 0;
  int64_t idle_ms = 0;
  int64_t total_ms = 0;
};

struct RoutedCandidate {
  size_t index = 0;            // into the candidates that were given
  std::string upstream_model;  // empty keeps the channel's own mapping
  Timeouts timeouts;
};

// `kept` means: use the candidates as they were given. Otherwise `order` is the whole plan; an
// empty one is 503 no_channel_available.
struct RouteDecision {
  bool kept = true;
  std::vector<RoutedCandidate> order;
};

enum class QuoteDecision : uint8_t { quoted, policy_error };

enum class Recovery : uint8_t { retry, next, stop };

struct RecoverDecision {
  Recovery action = Recovery::next;
  int64_t delay_ms = 0;
  bool by_policy = false;  // false: the built-in default
};

struct DisconnectDecision {
  // Set: go on reading, for usage, until this much was metered. Unset: cut at once.
  std::optional<Money> drain_cost_max;
};

struct ObserveDecision {
  std::vector<std::string> tags;
};

}  // namespace mg::api
