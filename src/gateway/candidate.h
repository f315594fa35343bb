// One way of serving a request that is still open: a channel, the name it has for the model, and
// what it would cost.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/decision.h"
#include "gateway/billing.h"
#include "gateway/channel.h"
#include "gateway/failure.h"

namespace mg::gateway {

// Whether a candidate may be asked, and why not: for the plan and for `explain`.
enum class Verdict : uint8_t {
  kept,
  left_out,      // by a policy, in route
  unaffordable,  // the wallet could not hold what it may cost
};

struct Candidate {
  const Channel* channel = nullptr;
  std::string upstream_model;
  api::Timeouts timeouts;  // complete
  Money ceiling;           // the most it may come to
  Verdict verdict = Verdict::kept;

  bool is_kept() const { return verdict == Verdict::kept; }
};

// What became of one attempt, for the record. Views are of its candidate and its World, which the
// record keeps; a vector of candidates that is moved does not move what is in it.
struct AttemptRecord {
  std::string_view channel;
  std::string_view upstream_model;
  int64_t started_ms = 0;  // since the request came in
  int64_t took_ms = 0;
  int status = 0;       // of the upstream's answer; 0: none came
  std::string failure;  // the kind; empty: it served
  std::string what;
  std::string_view recovery;  // what `recover` made of it
};

}  // namespace mg::gateway
