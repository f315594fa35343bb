// What is known of how a vendor counts: which tokenizer, what its chat format costs beside the
// texts, and how it counts images. From the vendors' documentation and from recorded answers.
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/token_estimate.h"

namespace mg::gateway {

// How an image becomes tokens.
enum class ImageRule : uint8_t {
  tiles,        // OpenAI: 512 pixel tiles
  small_tiles,  // gpt-4o-mini: the same tiles, at a price of their own
  patches,      // OpenAI's small models from gpt-4.1 on: 32 pixel patches
  claude,       // by area
  claude_47,    // by area, of larger images
  gemini,       // 768 pixel tiles
  qwen,         // 28 pixel patches
  other,
};
inline constexpr int kImageRules = 8;

// Whether the tokenizer is the model's own or only the nearest that is public.
enum class TokenizerIs : uint8_t { own, nearest };

struct TokenProfile {
  Tokenizer tokenizer;
  TokenizerIs tokenizer_is;
  ImageRule images;
  // The most that was seen, in tokens of input: for a request, each message, the presence of tools,
  // each tool, each tool call in the conversation, a schema that the answer must follow.
  int16_t request_max;
  int16_t message_max;
  int16_t tools_max;
  int16_t tool_max;
  int16_t tool_call_max;
  int16_t format_max;
  // The usual, in tokens: of input for a request and each message; of output for a complete answer
  // and for a tool call in it, beside name and arguments, alone or one of several.
  int16_t request;
  int16_t message;
  int16_t answer;
  int16_t answer_call;
  int16_t answer_parallel_call;
};

// Tokens of output that a whole answer has beside its texts, its calls' names and arguments.
constexpr int64_t answer_overhead(const TokenProfile& profile, int64_t calls) {
  return profile.answer + calls * (calls > 1 ? profile.answer_parallel_call : profile.answer_call);
}

// The profile of a vendor's model; vendors are named as in the catalogue ("openai", "anthropic",
// "qwen" ...), models as the vendor names them. An unknown vendor is told by the model's name if
// that can be; else the profile is a cautious one.
TokenProfile token_profile(std::string_view vendor, std::string_view model);

}  // namespace mg::gateway
