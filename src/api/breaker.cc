#include "api/breaker.h"

#include "base/limits.h"

namespace mg::api {
namespace {

constexpr std::string_view kSetting = "breaker";
constexpr const char* kChain = "policies/chain.lua";
constexpr int64_t kMsPerSecond = 1000;

BreakerRules read(const script::Value& value, std::vector<std::string>& problems) {
  BreakerRules rules;
  const script::Table* table = value.table();
  if (!table || !table->list.empty()) {
    problems.push_back("must be { failures =, open_s =, trials = }");
    return rules;
  }
  const auto take = [&](const script::Field& field, int64_t most, int64_t unit, int64_t& out) {
    const auto number = field.value.integer();
    if (number && *number >= 1 && *number <= most) {
      out = *number * unit;
    } else {
      problems.push_back(field.name + " must be a whole number from 1 to " + std::to_string(most));
    }
  };
  for (const script::Field& field : table->fields) {
    if (field.name == "failures") {
      take(field, limits::breaker_failures_max, 1, rules.failures_max);
    } else if (field.name == "open_s") {
      take(field, limits::breaker_open_s_max, kMsPerSecond, rules.open_ms);
    } else if (field.name == "trials") {
      take(field, limits::breaker_trials_max, 1, rules.trials_max);
    } else {
      problems.push_back("has an unknown key '" + field.name + "'");
    }
  }
  return rules;
}

}  // namespace

BreakerRules breaker_rules(const script::Bundle& bundle) {
  const script::Value* setting = bundle.setting(kSetting);
  std::vector<std::string> none;  // it was checked when the bundle was built
  return setting ? read(*setting, none) : BreakerRules();
}

void check_setting(const script::Field& setting, std::vector<script::Problem>& problems) {
  if (setting.name != kSetting) {
    problems.push_back({kChain, 0, "there is no phase or setting '" + setting.name + "'"});
    return;
  }
  std::vector<std::string> wrong;
  read(setting.value, wrong);
  for (const std::string& what : wrong)
    problems.push_back({kChain, 0, std::string(kSetting) + ": " + what});
}

}  // namespace mg::api
