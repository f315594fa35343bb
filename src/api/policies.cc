#include "api/policies.h"

#include "api/answers.h"
#include "api/recipe.h"
#include "script/hooks.h"

namespace mg::api {

namespace {

const Refusal kPolicyError{500, "policy_error", "a policy of this gateway failed", {}, {}};

}  // namespace

void Reports::failed(std::string_view module, Phase phase, std::string_view what) {
  log_warning("policy_failed", {{"module", module}, {"phase", name(phase)}, {"what", what}});
}

void Reports::said(std::string_view module, LogLevel level, std::string_view text) {
  log(level, "policy_says", {{"module", module}, {"text", text}});
}

struct Policies::Parts {
  explicit Parts(std::shared_ptr<const script::Bundle> b, const Seams& s)
      : bundle(std::move(b)), seams(s), reported_ns(bundle->modules().size()) {}

  Result<> open();
  // The call to ask with, in a state that is not worn out.
  Call& ready();
  // Calls the phase's modules; false when one failed.
  enum class OnFailure : uint8_t { stop, ask_on };
  bool ask(Phase phase, const RequestFacts& request, PhaseCall& hooks_call, OnFailure on_failure);
  void count(Phase phase, const script::Module& module, const script::Outcome& outcome);

  const std::shared_ptr<const script::Bundle> bundle;
  const Seams seams;
  // In this order: the state refers to the call.
  std::unique_ptr<Call> call;
  std::unique_ptr<script::Hooks> hooks;
  std::array<Counts, kPhaseCount> counts{};
  std::vector<int64_t> reported_ns;  // of each module, when a failure was last reported
  uint64_t states_discarded = 0;
  // Reused from call to call.
  std::vector<CandidateWork> candidates;
  std::vector<PriceLine> lines;
};

Result<> Policies::Parts::open() {
  auto new_call = std::make_unique<Call>(seams);
  GateLibrary library(*new_call);
  MG_TRY(auto new_hooks,
         script::Hooks::open(bundle, recipe_with(library), script::kPolicyProfile, seams.slot));
  hooks = std::move(new_hooks);
  call = std::move(new_call);
  return {};
}

Call& Policies::Parts::ready() {
  if (__builtin_expect(hooks->state().worn_out(), 0)) {
    ++states_discarded;
    // The bundle opened before; should it not open now, the worn state serves on.
    if (const auto opened = open(); !opened)
      log_error("policy_state_not_replaced", {{"what", opened.error().what}});
  }
  return *call;
}

bool Policies::Parts::ask(Phase phase, const RequestFacts& request, PhaseCall& hooks_call,
                          OnFailure on_failure) {
  const auto number = static_cast<size_t>(phase);
  ++counts[number].calls;
  call->begin(phase, request);
  bool good = true;
  {
    script::Run run(hooks->state());
    // After the last module's failure nothing is called: a budget that ends just then is no failure
    // of a module that does not exist.
    for (size_t step = 0; step < hooks->count(number); ++step) {
      const script::Outcome outcome = hooks->call(run, number, step, hooks_call);
      if (outcome.done()) break;
      good = false;
      count(phase, hooks->module(number, step), outcome);
      if (on_failure == OnFailure::stop || outcome.ending == script::Ending::out_of_time) break;
    }
  }
  call->end();
  return good;
}

void Policies::Parts::count(Phase phase, const script::Module& module,
                            const script::Outcome& outcome) {
  Counts& of_phase = counts[static_cast<size_t>(phase)];
  switch (outcome.ending) {
    case script::Ending::out_of_time:
      ++of_phase.out_of_time;
      break;
    case script::Ending::out_of_memory:
      ++of_phase.out_of_memory;
      break;
    default:
      ++of_phase.errors;
  }
  int64_t& reported = reported_ns[static_cast<size_t>(&module - bundle->modules().data())];
  const int64_t now_ns = seams.clock.monotonic_ns();
  if (reported != 0 && now_ns - reported < kNsPerS) return;
  reported = now_ns;
  seams.reports.failed(module.name, phase, outcome.what);
}

Result<std::unique_ptr<Policies>> Policies::open(std::shared_ptr<const script::Bundle> bundle,
                                                 const Seams& seams) {
  auto parts = std::make_unique<Parts>(std::move(bundle), seams);
  MG_CHECK(parts->open());
  return std::unique_ptr<Policies>(new Policies(std::move(parts)));
}

Policies::Policies(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Policies::~Policies() = default;

const script::Bundle& Policies::bundle() const { return *parts_->bundle; }
bool Policies::has(Phase phase) const { return parts_->hooks->has(static_cast<size_t>(phase)); }

std::optional<Refusal> Policies::would_refuse(const RequestFacts& request) {
  AdmitDecision decision;
  if (!has(Phase::admit)) return std::nullopt;
  parts_->ready().is_trial = true;
  AdmitCall admit_call(*parts_->call, decision);
  const bool good = parts_->ask(Phase::admit, request, admit_call, Parts::OnFailure::stop);
  parts_->call->is_trial = false;
  return good ? decision.refusal : kPolicyError;
}

AdmitDecision Policies::admit(const RequestFacts& request) {
  AdmitDecision decision;
  if (!has(Phase::admit)) return decision;
  AdmitCall admit_call(parts_->ready(), decision);
  const bool good = parts_->ask(Phase::admit, request, admit_call, Parts::OnFailure::stop);
  Call& call = *parts_->call;
  decision.requests = call.requests;
  decision.tokens = call.tokens;
  if (!good) decision.refusal = kPolicyError;
  if (decision.refusal) {
    call.give_back();
  } else {
    decision.budgets = std::move(call.budgets);
    decision.token_takes = std::move(call.token_takes);
  }
  return decision;
}

RouteDecision Policies::route(const RequestFacts& request,
                              std::span<const CandidateFacts> candidates) {
  RouteDecision decision;
  if (!has(Phase::route)) return decision;
  std::vector<CandidateWork>& work = parts_->candidates;
  work.clear();
  for (size_t i = 0; i < candidates.size(); ++i)
    work.push_back({&candidates[i], &request, {.index = i, .upstream_model = {}, .timeouts = {}}});
  RouteCall route_call(parts_->ready(), work);
  const bool good = parts_->ask(Phase::route, request, route_call, Parts::OnFailure::stop);
  if (!good || !route_call.changed()) return decision;
  decision.kept = false;
  for (CandidateWork& one : work) decision.order.push_back(std::move(one.chosen));
  return decision;
}

QuoteDecision Policies::quote(const RequestFacts& request, std::span<PriceLine> lines) {
  if (!has(Phase::quote)) return QuoteDecision::quoted;
  std::vector<PriceLine>& work = parts_->lines;
  work.assign(lines.begin(), lines.end());
  QuoteCall quote_call(parts_->ready(), work);
  if (!parts_->ask(Phase::quote, request, quote_call, Parts::OnFailure::stop))
    return QuoteDecision::policy_error;
  std::copy(work.begin(), work.end(), lines.begin());
  return QuoteDecision::quoted;
}

RecoverDecision Policies::recover(const RequestFacts& request, const AttemptFacts& attempt,
                                  const FailureFacts& failure) {
  const RecoverDecision standard{attempt.candidates_left > 0 ? Recovery::next : Recovery::stop, 0,
                                 false};
  if (!has(Phase::recover)) return standard;
  RecoverDecision decision = standard;
  RecoverCall recover_call(parts_->ready(), attempt, failure, decision);
  const bool good = parts_->ask(Phase::recover, request, recover_call, Parts::OnFailure::stop);
  return good ? decision : standard;
}

DisconnectDecision Policies::disconnect(const RequestFacts& request,
                                        const ProgressFacts& progress) {
  if (!has(Phase::disconnect)) return {};
  DisconnectDecision decision;
  DisconnectCall disconnect_call(parts_->ready(), progress, decision);
  const bool good =
      parts_->ask(Phase::disconnect, request, disconnect_call, Parts::OnFailure::stop);
  return good ? decision : DisconnectDecision{};
}

ObserveDecision Policies::observe(const RequestFacts& request, const RecordFacts& record) {
  ObserveDecision decision;
  if (!has(Phase::observe)) return decision;
  ObserveCall observe_call(parts_->ready(), record, decision);
  parts_->ask(Phase::observe, request, observe_call, Parts::OnFailure::ask_on);
  return decision;
}

const Counts& Policies::counts(Phase phase) const {
  return parts_->counts[static_cast<size_t>(phase)];
}
size_t Policies::memory_bytes() const { return parts_->hooks->state().memory_bytes(); }
uint64_t Policies::states_discarded() const { return parts_->states_discarded; }

}  // namespace mg::api
