#include "gateway/echo.h"

#include <algorithm>

namespace mg::gateway {

Echo::Echo(std::shared_ptr<const Prompts> prompts, int64_t answers)
    : prompts_(std::move(prompts)),
      choices_per_prompt_(static_cast<size_t>(answers) / std::max<size_t>(1, prompts_->size())),
      choices_(prompts_->size() * choices_per_prompt_) {}

std::string_view Echo::beyond(uint64_t choice, std::string_view text) {
  if (choice >= choices_.size()) return text;
  Progress& progress = choices_[choice];
  if (progress.is_over) return text;
  const std::string_view prompt = (*prompts_)[choice / choices_per_prompt_];
  const std::string_view rest = prompt.substr(progress.matched);
  const auto apart = std::mismatch(text.begin(), text.end(), rest.begin(), rest.end()).first;
  const auto same = static_cast<size_t>(apart - text.begin());
  progress.matched += same;
  progress.is_over = same < text.size();
  return text.substr(same);
}

}  // namespace mg::gateway
