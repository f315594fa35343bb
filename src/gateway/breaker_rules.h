#pragma once
#include "gateway/health.h"
#include "script/bundle.h"
namespace mg::gateway {
BreakerRules breaker_rules(const script::Bundle& bundle);
}  // namespace mg::gateway
