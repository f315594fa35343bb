#include "api/call.h"

#include "base/assert.h"

namespace mg::api {
namespace {

// Any odd constant: each phase of a request draws from a sequence of its own, so that replaying
// one phase alone draws the same.
constexpr uint64_t kPhaseStride = 0x9e3779b97f4a7c15;

}  // namespace

void Call::open(lua_State* L) {
  request_view.open(L, kRequestView);
  attempt_view.open(L, kAttemptView);
  failure_view.open(L, kFailureView);
  progress_view.open(L, kProgressView);
  record_view.open(L, kRecordView);
  candidate_views.open(L, kCandidateView);
  line_views.open(L, kLineView);
}

void Call::begin(Phase now, const RequestFacts& facts) {
  MG_ASSERT(!phase);
  phase = now;
  request = &facts;
  rng = SeededRng(facts.seed + kPhaseStride * (static_cast<uint64_t>(now) + 1));
  takes.clear();
  retry_after_s = 0;
  refusals.clear();
  budgets.clear();
  token_takes.clear();
  requests.reset();
  tokens.reset();
}

void Call::end() {
  for (View* view : {&request_view, &attempt_view, &failure_view, &progress_view, &record_view})
    view->close();
  candidate_views.close();
  line_views.close();
  phase.reset();
  module = {};
  request = nullptr;
}

void Call::give_back() {
  // Backwards, so that no bucket is clipped at its brim on the way.
  for (size_t i = takes.size(); i-- > 0;) seams_.buckets.give(takes[i].key, takes[i].cost);
  takes.clear();
}

}  // namespace mg::api
