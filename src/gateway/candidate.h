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

// Why a candidate is not asked, for `explain`.
enum class Passed : uint8_t {
  no,
  by_policy,     // route left it out
  unaffordable,  // the wallet could not hold what it may cost
};

struct Candidate {
  const Channel* channel = nullptr;
  std::string upstream_model;
  api::Timeouts timeouts;  // complete
  Money ceiling;           // the most it may come to
  Passed passed = Passed::no;
};

// What became of one attempt, for the record.
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
