#include "gateway/token_profile.h"

#include <array>

namespace mg::gateway {
namespace {

struct Vendor {
  std::string_view name;
  std::string_view model_prefix;  // of its models, where the vendor is not told
  TokenProfile profile;
};

constexpr auto kOwn = TokenizerIs::own;
constexpr auto kNearest = TokenizerIs::nearest;

// Hidden prompts are the reason for the large numbers: Claude writes several hundred tokens about
// tools, Grok and Cohere add a system prompt of their own to every request.
// clang-format off
constexpr std::array kVendors = {
    //                                                                      request msg tools tool call format   usual: request msg answer call parallel
    Vendor{"openai", "gpt", {Tokenizer::o200k, kOwn, ImageRule::tiles,             24,  8,  256, 16,  24,   64,   3, 4,  0,  7, 14}},
    Vendor{"anthropic", "claude", {Tokenizer::claude, kOwn, ImageRule::claude,     16,  8,  640, 32,  64,  192,   4, 3,  3, 30, 34}},
    Vendor{"google", "gemini", {Tokenizer::gemma, kOwn, ImageRule::gemini,         16,  8,   96, 16,  32,   32,   0, 1,  0,  7,  7}},
    Vendor{"qwen", "qwen", {Tokenizer::qwen, kOwn, ImageRule::qwen,                32, 12,  256, 16,  32,   64,   3, 4,  1, 10, 10}},
    Vendor{"deepseek", "deepseek", {Tokenizer::deepseek, kOwn, ImageRule::other,   16,  8,  384, 32,  48,   64,   2, 2,  0, 20, 20}},
    Vendor{"mistral", "mistral", {Tokenizer::tekken, kOwn, ImageRule::other,       16,  8,   96, 16,  32,   64,   1, 3,  1,  4,  4}},
    Vendor{"meta", "llama", {Tokenizer::llama, kOwn, ImageRule::other,             64,  8,  320, 32,  32,   64,   1, 5,  1, 10, 10}},
    Vendor{"zhipu", "glm", {Tokenizer::qwen, kNearest, ImageRule::other,           24,  8,  320, 32,  48,   64,   3, 3,  1, 10, 10}},
    Vendor{"moonshot", "kimi", {Tokenizer::qwen, kNearest, ImageRule::other,       24,  8,  320, 32,  48,   64,   4, 4,  1, 10, 10}},
    Vendor{"bytedance", "doubao", {Tokenizer::deepseek, kNearest, ImageRule::other, 48, 8,  384, 32,  48,   64,   4, 4,  1, 10, 10}},
    Vendor{"minimax", "minimax", {Tokenizer::o200k, kNearest, ImageRule::other,    64,  8,  384, 32,  48,   64,  20, 4,  1, 10, 10}},
    Vendor{"xai", "grok", {Tokenizer::o200k, kNearest, ImageRule::other,         1024,  8,  384, 32,  48,   64,   3, 4,  1, 10, 10}},
    Vendor{"cohere", "command", {Tokenizer::qwen, kNearest, ImageRule::other,     768,  8, 1280, 32,  48,   64,   1, 1,  0,  0,  0}},
};
constexpr TokenProfile kCautious =                {Tokenizer::o200k, kNearest, ImageRule::other, 64, 12, 640, 32, 64, 192, 3, 4, 1, 10, 10};
// clang-format on

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "claude-opus-4-7" is 4.7, "claude-sonnet-4-5-20250929" 4.5, "claude-sonnet-5" 5.0; a name without
// a number is taken for a new one.
bool is_claude_47(std::string_view model) {
  size_t at = 0;
  while (at < model.size() && !is_digit(model[at])) ++at;
  if (at == model.size()) return true;
  const int major = model[at] - '0';
  if (at + 1 < model.size() && is_digit(model[at + 1])) return major != 2;  // 10 and later
  int minor = 0;
  const bool has_minor = at + 2 < model.size() && is_digit(model[at + 2]) &&
                         (at + 3 == model.size() || !is_digit(model[at + 3]));
  if (has_minor) minor = model[at + 2] - '0';
  return major > 4 || (major == 4 && minor >= 7);
}

void adjust_openai(TokenProfile& profile, std::string_view model) {
  const bool small = has(model, "mini") || has(model, "nano");
  if (has(model, "gpt-4o-mini")) {
    profile.images = ImageRule::small_tiles;
  } else if (small) {
    profile.images = ImageRule::patches;
  }
  const bool old = has(model, "gpt-3.5") || model == "gpt-4" || has(model, "gpt-4-") ||
                   has(model, "embedding") || has(model, "babbage") || has(model, "davinci");
  if (old) profile.tokenizer = Tokenizer::cl100k;
  // Models that reason write their answers in a format whose frame is counted.
  if (has(model, "gpt-5") || has(model, "gpt-oss")) profile.answer = 7;
  if (has(model, "gpt-oss")) profile.request_max = 128;
}

}  // namespace

TokenProfile token_profile(std::string_view vendor, std::string_view model) {
  const Vendor* found = nullptr;
  for (const Vendor& v : kVendors)
    if (v.name == vendor) found = &v;
  if (!found) {
    for (const Vendor& v : kVendors)
      if (!found && has(model, v.model_prefix)) found = &v;
  }
  if (!found) return kCautious;
  TokenProfile profile = found->profile;
  if (found->name == "openai") adjust_openai(profile, model);
  if (found->name == "anthropic" && is_claude_47(model)) {
    profile.tokenizer = Tokenizer::claude_47;
    profile.images = ImageRule::claude_47;
  }
  return profile;
}

}  // namespace mg::gateway
