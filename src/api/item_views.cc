#include <algorithm>

#include "api/call.h"
#include "api/view.h"
#include "base/limits.h"

namespace mg::api {
namespace {

const CandidateWork& work(const void* facts) { return *static_cast<const CandidateWork*>(facts); }

// ViewField for a member of the candidate's facts.
template <auto Member>
constexpr ViewField candidate_field(const char* name) {
  return {name, [](lua_State* L, const void* facts) { push_fact(L, work(facts).facts->*Member); }};
}
template <auto Member>
constexpr ViewField candidate_field_unless_zero(const char* name) {
  return {name,
          [](lua_State* L, const void* facts) { push_unless_zero(L, work(facts).facts->*Member); }};
}

std::string_view breaker_name(Breaker breaker) {
  constexpr std::string_view kNames[] = {"closed", "half_open", "open"};
  return kNames[static_cast<size_t>(breaker)];
}

void push_price(lua_State* L, const void* facts) {
  const auto price = work(facts).facts->price;
  lua_createtable(L, 0, static_cast<int>(price.size()));
  for (const PricePoint& point : price) {
    push_fact(L, point.meter);
    push_fact(L, point.rate);
    lua_rawset(L, -3);
  }
}

Rate rate_of(const CandidateFacts& facts, std::string_view meter) {
  for (const PricePoint& point : facts.price)
    if (point.meter == meter) return point.rate;
  return {};
}

// What the request may cost us here, in whole nano-USD: for ordering candidates, never charged.
// An amount that no Lua number holds exactly counts as the largest that one does.
int64_t cost_estimate(const CandidateWork& candidate) {
  constexpr int64_t kMost = int64_t{1} << 53;
  const RequestFacts& request = *candidate.request;
  const int64_t output =
      request.max_output_tokens > 0 ? request.max_output_tokens : limits::output_default_max;
  const int64_t ppm = candidate.facts->cost_ppm;
  const auto input_cost =
      charge_for(request.input_tokens_estimate, rate_of(*candidate.facts, "input"), {ppm});
  const auto output_cost = charge_for(output, rate_of(*candidate.facts, "output"), {ppm});
  if (!input_cost || !output_cost) return kMost;
  const auto sum = input_cost->plus(*output_cost);
  return sum ? std::min(sum->nanos(), kMost) : kMost;
}

constexpr ViewField kCandidateFields[] = {
    candidate_field<&CandidateFacts::channel>("channel"),
    candidate_field<&CandidateFacts::provider>("provider"),
    candidate_field<&CandidateFacts::protocol>("protocol"),
    candidate_field<&CandidateFacts::region>("region"),
    candidate_field<&CandidateFacts::priority>("priority"),
    candidate_field<&CandidateFacts::weight>("weight"),
    {"upstream_model",
     [](lua_State* L, const void* facts) {
       const std::string& chosen = work(facts).chosen.upstream_model;
       push_fact(L, chosen.empty() ? work(facts).facts->upstream_model : std::string_view(chosen));
     }},
    {"timeouts", [](lua_State* L, const void*) { lua_pushnil(L); }},
    {"breaker", [](lua_State* L,
                   const void* facts) { push_fact(L, breaker_name(work(facts).facts->breaker)); }},
    candidate_field_unless_zero<&CandidateFacts::latency_ms>("latency_ms"),
    candidate_field_unless_zero<&CandidateFacts::first_token_ms>("first_token_ms"),
    candidate_field<&CandidateFacts::error_rate>("error_rate"),
    candidate_field<&CandidateFacts::in_flight>("in_flight"),
    candidate_field_unless_zero<&CandidateFacts::concurrency_max>("concurrency_max"),
    {"price", push_price},
    {"cost_estimate",
     [](lua_State* L, const void* facts) { push_fact(L, cost_estimate(work(facts))); }},
};

void push_multipliers(lua_State* L, const void* facts) {
  const auto& line = *static_cast<const PriceLine*>(facts);
  lua_createtable(L, static_cast<int>(line.multiplier_count) + 1, 0);
  for (size_t i = 0; i < line.multiplier_count; ++i) {
    push_fact(L, line.multipliers_ppm[i]);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
}

constexpr ViewField kLineFields[] = {
    field<&PriceLine::model>("model"),
    field<&PriceLine::meter>("meter"),
    field<&PriceLine::above_input_tokens>("above_input_tokens"),
    field<&PriceLine::rate>("rate"),
    {"multipliers_ppm", push_multipliers, nullptr, nullptr, true},
};

}  // namespace

constexpr ViewType kCandidateView{"gate.Candidate", "a candidate", kCandidateFields};
constexpr ViewType kLineView{"gate.Line", "a line", kLineFields};

}  // namespace mg::api
