// Legacy completions with "echo" begin with their prompt, which its client pays for as input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mg::gateway {

// The texts that an answer is asked to begin with; of a prompt of token numbers an empty one.
using Prompts = std::vector<std::string>;

// What of an answer repeats its request. By comparing, because there are providers that do not heed
// the wish: what only might have been an echo is output. So is what repeats token numbers.
class Echo {
 public:
  // `answers` is how many the client is shown, the same number for each prompt.
  Echo(std::shared_ptr<const Prompts> prompts, int64_t answers);

  // The part of a choice's next text that repeats no prompt. Texts of a choice in their order.
  std::string_view beyond(uint64_t choice, std::string_view text);

 private:
  struct Progress {
    size_t matched = 0;
    bool is_over = false;
  };
  const std::shared_ptr<const Prompts> prompts_;
  const size_t choices_per_prompt_;
  std::vector<Progress> choices_;
};

}  // namespace mg::gateway
