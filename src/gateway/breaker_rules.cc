#include "gateway/breaker_rules.h"

namespace mg::gateway {
BreakerRules breaker_rules(const script::Bundle&) { return {}; }
}  // namespace mg::gateway
