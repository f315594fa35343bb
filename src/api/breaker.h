// The circuit breaker's numbers, as scripts/policies/chain.lua has them beside the phases:
//   breaker = { failures = 5, open_s = 30, trials = 1 }
// What is left out is as above.
#pragma once

#include <cstdint>
#include <vector>

#include "script/bundle.h"

namespace mg::api {

struct BreakerRules {
  int64_t failures_max = 5;  // in a row, before it opens
  int64_t open_ms = 30'000;  // then this long nothing is sent
  int64_t trials_max = 1;    // then so many requests at a time may try
};

// Of a bundle that was built with this program's recipe.
BreakerRules breaker_rules(const script::Bundle& bundle);

// Says what is wrong with a setting of the chain, also that there is none of this name.
void check_setting(const script::Field& setting, std::vector<script::Problem>& problems);

}  // namespace mg::api
