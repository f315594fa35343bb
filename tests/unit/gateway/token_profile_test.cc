#include "gateway/token_profile.h"

#include <catch2/catch.hpp>

using namespace mg::gateway;

TEST_CASE("a model's tokenizer is told by vendor and name") {
  const auto tokenizer = [](const char* vendor, const char* model) {
    return token_profile(vendor, model).tokenizer;
  };
  CHECK(tokenizer("openai", "gpt-4o-mini") == Tokenizer::o200k);
  CHECK(tokenizer("openai", "o4-mini") == Tokenizer::o200k);
  CHECK(tokenizer("openai", "gpt-4.1-nano") == Tokenizer::o200k);
  CHECK(tokenizer("openai", "gpt-4-turbo") == Tokenizer::cl100k);
  CHECK(tokenizer("openai", "gpt-3.5-turbo") == Tokenizer::cl100k);
  CHECK(tokenizer("openai", "text-embedding-3-small") == Tokenizer::cl100k);
  CHECK(tokenizer("google", "gemini-2.5-flash") == Tokenizer::gemma);
  CHECK(tokenizer("mistral", "mistral-small-latest") == Tokenizer::tekken);
  CHECK(tokenizer("openrouter", "anthropic/claude-sonnet-4.6") == Tokenizer::claude);
  CHECK(tokenizer("somebody", "qwen3-32b") == Tokenizer::qwen);
}

TEST_CASE("Claude's vocabulary changed with 4.7") {
  for (const char* old :
       {"claude-3-haiku-20240307", "claude-3-5-sonnet-20241022", "claude-sonnet-4-20250514",
        "claude-sonnet-4-5-20250929", "claude-opus-4-6", "claude-sonnet-4.6", "claude-2.1"})
    CHECK(token_profile("anthropic", old).tokenizer == Tokenizer::claude);
  for (const char* recent :
       {"claude-opus-4-7", "claude-opus-4.8", "claude-sonnet-5", "claude-haiku-10", "claude-fable"})
    CHECK(token_profile("anthropic", recent).tokenizer == Tokenizer::claude_47);
}

TEST_CASE("an unknown model gets the cautious profile") {
  const TokenProfile p = token_profile("somebody", "zork-1");
  CHECK(p.tokenizer_is == TokenizerIs::nearest);
  CHECK(p.images == ImageRule::other);
  CHECK(p.tools_max >= 640);
}
