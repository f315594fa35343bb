// The present call of a phase: what functions of gate.* and views work on, what they gather for
// the decision. One per state, reused; inside src/api only.
#pragma once

#include <lua.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/decision.h"
#include "api/facts.h"
#include "api/phase.h"
#include "api/policies.h"
#include "api/view.h"
#include "base/rng.h"
#include "script/budget.h"

namespace mg::api {

// A candidate and what policies have chosen for it so far.
struct CandidateWork {
  const CandidateFacts* facts = nullptr;
  const RequestFacts* request = nullptr;
  RoutedCandidate chosen;
};

class Call {
 public:
  explicit Call(const Seams& seams) : seams_(seams) {}
  Call(const Call&) = delete;

  // Makes the views; inside a protected call, once for the state this belongs to.
  void open(lua_State* L);

  void begin(Phase phase, const RequestFacts& request);
  void end();
  // Undoes what the scripts took from limits in this call.
  void give_back();

  // What a call takes from a limit, for give_back.
  struct Take {
    std::string key;
    double cost;
  };

  const Seams& seams() const { return seams_; }

  // Empty while no phase runs: modules are being loaded.
  std::optional<Phase> phase;
  std::string_view module;
  const RequestFacts* request = nullptr;
  bool is_trial = false;  // nothing is to come of it: see Policies::would_refuse
  SeededRng rng{0};

  std::vector<Take> takes;
  double retry_after_s = 0;  // the longest of the takes that failed
  std::vector<Refusal> refusals;
  std::vector<BudgetRequirement> budgets;
  std::vector<TokenTake> token_takes;
  std::optional<RateWindow> requests;
  std::optional<RateWindow> tokens;

  View request_view;
  View attempt_view;
  View failure_view;
  View progress_view;
  View record_view;
  ItemViews candidate_views;
  ItemViews line_views;

  // Lines of gate.log in the second that began at log_second_ns.
  size_t logged = 0;
  int64_t log_second_ns = 0;

 private:
  Seams seams_;
};

inline Call& call_of(lua_State* L) { return *static_cast<Call*>(script::budget_of(L).host); }

}  // namespace mg::api
