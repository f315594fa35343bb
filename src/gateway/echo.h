// Legacy completions with "echo" begin with their prompt, which its client pays for as input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mg::gateway {

// What of an answer repeats its request. By comparing, because there are providers that do not heed
// the wish: what only might have been an echo is output.
class Echo {
 public:
  // Of the request with this JSON, of whose answers so many are shown. Takes milliseconds for a
  // megabyte. Prompts of token numbers have no text here, and what repeats them counts as output.
  static std::unique_ptr<Echo> of(std::string_view request, int64_t answers);

  // The part of a choice's next text that repeats no prompt. Texts of a choice in their order.
  std::string_view beyond(uint64_t choice, std::string_view text);

 private:
  struct Progress {
    size_t matched = 0;
    bool is_over = false;
  };
  std::vector<std::string> prompts_;
  std::vector<Progress> choices_;
  size_t choices_per_prompt_ = 1;
};

}  // namespace mg::gateway
