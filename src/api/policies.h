// What the gateway asks of policies: one method per phase, facts in, a typed decision out. How the
// answers of several modules are combined, and what follows when one fails, is decided in here, so
// that a caller never sees Lua.
//   A module that fails (an error, a wrong type, a spent budget) makes admit and quote refuse
// with 500 policy_error; route, recover and disconnect fall back to the built-in default; observe
// goes on with the next module. Each failure is counted, and reported at most once a second per
// module.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "api/decision.h"
#include "api/facts.h"
#include "api/phase.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "limit/buckets.h"
#include "script/bundle.h"

namespace mg::script {
class WatchSlot;
}

namespace mg::api {

// Who hears what scripts say and how they fail; the default writes the log. Called on the
// worker's thread, already rate-limited.
class Reports {
 public:
  virtual ~Reports() = default;
  virtual void failed(std::string_view module, Phase phase, std::string_view what);
  virtual void said(std::string_view module, LogLevel level, std::string_view text);
};

// Everything a worker's policies reach; all must outlive them.
struct Seams {
  Clock& clock;
  limit::Buckets& buckets;
  Reports& reports;
  // The worker thread's, so that the profile's processor time binds. Null: scripts are stopped by
  // counting their instructions instead (simulation, tools); no thread and no signal is involved.
  script::WatchSlot* slot = nullptr;
};

struct Counts {
  uint64_t calls = 0;   // phases that called at least one module
  uint64_t errors = 0;  // of scripts: raised, or answered nonsense
  uint64_t out_of_time = 0;
  uint64_t out_of_memory = 0;
};

// The policies of one bundle in one worker: a Lua state and everything around it. On the worker's
// thread only, and never re-entered.
class Policies {
 public:
  // Opens a state from the bundle's bytecode (about 0.3 ms). Errors: invalid, too_large.
  static Result<std::unique_ptr<Policies>> open(std::shared_ptr<const script::Bundle> bundle,
                                                const Seams& seams);
  ~Policies();
  Policies(const Policies&) = delete;

  const script::Bundle& bundle() const;
  // False: the chain has no module for the phase, and asking it costs nothing.
  bool has(Phase phase) const;

  // First refusal ends it. What a refused request took from limits is given back.
  AdmitDecision admit(const RequestFacts& request);
  // What admit would say, for lists of models: limits count as not reached, nothing is taken from
  // them or logged, and budgets are not gathered.
  std::optional<Refusal> would_refuse(const RequestFacts& request);
  // Each module sees the list as the one before left it.
  RouteDecision route(const RequestFacts& request, std::span<const CandidateFacts> candidates);
  // Replaces rates and appends multipliers in `lines`; untouched where it returns policy_error.
  QuoteDecision quote(const RequestFacts& request, std::span<PriceLine> lines);
  // First answer wins; the default is the next candidate, or to stop when there is none.
  RecoverDecision recover(const RequestFacts& request, const AttemptFacts& attempt,
                          const FailureFacts& failure);
  // First answer wins; the default is to cut.
  DisconnectDecision disconnect(const RequestFacts& request, const ProgressFacts& progress);
  // All modules run.
  ObserveDecision observe(const RequestFacts& request, const RecordFacts& record);

  const Counts& counts(Phase phase) const;
  // Bytes the state holds now, and how often it was thrown away for its strikes.
  size_t memory_bytes() const;
  uint64_t states_discarded() const;

 private:
  struct Parts;
  explicit Policies(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Compiles and checks a source tree for this program: the phases above, `gate.*`, the shape of
// provider tables, every module's selftest on a clock of its own. Main thread or tools.
script::BuildResult build_policies(const script::SourceTree& tree, uint64_t generation,
                                   script::WatchSlot* slot = nullptr);

}  // namespace mg::api
