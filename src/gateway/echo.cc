#include "gateway/echo.h"

#include <simdjson.h>

#include <algorithm>

#include "gateway/long_numbers.h"

namespace mg::gateway {

namespace dom = simdjson::dom;

std::unique_ptr<Echo> Echo::of(std::string_view request, int64_t answers) {
  auto echo = std::make_unique<Echo>();
  dom::parser parser;
  dom::element prompt;
  if (parser.parse(without_long_numbers(request))["prompt"].get(prompt) != simdjson::SUCCESS)
    return echo;
  std::string_view text;
  dom::array list;
  if (prompt.get(text) == simdjson::SUCCESS) {
    echo->prompts_.emplace_back(text);
  } else if (prompt.get(list) == simdjson::SUCCESS) {
    for (const dom::element item : list)
      echo->prompts_.emplace_back(item.get(text) == simdjson::SUCCESS ? text : std::string_view());
  }
  const size_t prompts = std::max<size_t>(1, echo->prompts_.size());
  echo->choices_per_prompt_ = std::max<size_t>(1, static_cast<size_t>(answers) / prompts);
  echo->choices_.resize(echo->prompts_.size() * echo->choices_per_prompt_);
  return echo;
}

std::string_view Echo::beyond(uint64_t choice, std::string_view text) {
  if (choice >= choices_.size()) return text;
  Progress& progress = choices_[choice];
  if (progress.is_over) return text;
  const std::string_view prompt = prompts_[choice / choices_per_prompt_];
  const std::string_view rest = prompt.substr(progress.matched);
  const auto apart = std::mismatch(text.begin(), text.end(), rest.begin(), rest.end()).first;
  const auto same = static_cast<size_t>(apart - text.begin());
  progress.matched += same;
  progress.is_over = same < text.size();
  return text.substr(same);
}

}  // namespace mg::gateway
