#include "gateway/input_bound.h"

#include <catch2/catch.hpp>
#include <ctime>

#include "base/rng.h"
#include "counted_texts.h"
#include "recorded.h"
#include "support/corpus.h"

using namespace mg;
using gateway::ImageDetail;
using gateway::ImageRule;
using gateway::ImageShape;
using gateway::InputShape;
using gateway::TokenCounter;
using gateway::Tokenizer;
using gateway::TokenProfile;

namespace {

// Nothing but the text: no vendor's format around it.
TokenProfile bare(Tokenizer tokenizer) {
  return TokenProfile{
      tokenizer, gateway::TokenizerIs::own, ImageRule::other, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
}

int64_t text_bound(std::string_view text, Tokenizer tokenizer) {
  InputShape shape;
  shape.add_text(text);
  return gateway::input_tokens_bound(shape, bare(tokenizer));
}

}  // namespace

TEST_CASE("the bound is above the provider's count of every recorded request") {
  CORPUS_OR_SKIP(root);
  std::printf("\nBound of input, and about how many\n%7s %7s %6s %7s  %s\n", "actual", "bound",
              "ratio", "about", "request");
  int requests = 0;
  for (const test::Recording& r : test::recordings(root)) {
    if (r.request.is_null() || r.answer.input == 0) continue;
    const TokenProfile profile = gateway::token_profile(r.vendor, r.model);
    const InputShape shape = test::gathered(r.request).shape;
    const int64_t bound = gateway::input_tokens_bound(shape, profile);
    const int64_t about = gateway::input_tokens_estimate(shape, profile);
    std::printf("%7lld %7lld %6.2f %7lld  %s (%s)\n", static_cast<long long>(r.answer.input),
                static_cast<long long>(bound),
                static_cast<double>(bound) / static_cast<double>(r.answer.input),
                static_cast<long long>(about), r.name.c_str(), r.model.c_str());
    INFO(r.name);
    CHECK(bound >= r.answer.input);
    CHECK(about > 0);
    CHECK(about <= bound);
    // Where text is most of a request, the bound is near it.
    if (r.answer.input > 1500) CHECK(bound < r.answer.input * 3 / 2);
    ++requests;
  }
  CHECK(requests > 80);
}

TEST_CASE("recorded prompts of text alone are counted nearly as the provider counts them") {
  CORPUS_OR_SKIP(root);
  std::printf("\nPrompts of text alone\n%7s %8s  %s\n", "actual", "estimate", "request");
  int prompts = 0;
  for (const test::Recording& r : test::recordings(root)) {
    if (r.request.is_null() || r.answer.input == 0 || r.vendor == "cohere") continue;
    const test::Gathered g = test::gathered(r.request);
    if (!g.only_text) continue;
    // One word a thousand times over is an estimate of that word: 2.4 tokens for 2.
    if (r.name == "anthropic/messages/cache-write-1h") continue;
    const TokenProfile profile = gateway::token_profile(r.vendor, r.model);
    int64_t estimate = gateway::input_overhead_estimate(g.shape, profile);
    for (const std::string& text : g.texts) {
      TokenCounter counter(profile.tokenizer);
      counter.add(text);
      estimate += counter.tokens();
    }
    std::printf("%7lld %8lld  %s (%s)\n", static_cast<long long>(r.answer.input),
                static_cast<long long>(estimate), r.name.c_str(), r.model.c_str());
    INFO(r.name);
    const double actual = static_cast<double>(r.answer.input);
    CHECK(static_cast<double>(estimate) == Approx(actual).margin(14 + actual / 10));
    ++prompts;
  }
  CHECK(prompts > 20);
}

TEST_CASE("the bound stays near ordinary text") {
  CORPUS_OR_SKIP(root);
  std::string prose;
  for (const test::Recording& r : test::recordings(root))
    for (const std::string& text : r.answer.texts) prose += text + "\n\n";
  REQUIRE(prose.size() > 15'000);
  for (int t = 0; t < gateway::kTokenizers; ++t) {
    const auto tokenizer = static_cast<Tokenizer>(t);
    TokenCounter counter(tokenizer);
    counter.add(prose);
    const double ratio =
        static_cast<double>(text_bound(prose, tokenizer)) / static_cast<double>(counter.tokens());
    std::printf("tokenizer %d: bound / estimate of all recorded prose %.2f\n", t, ratio);
    CHECK(ratio > 1.1);
    CHECK(ratio < 1.75);
  }
}

TEST_CASE("the bound is above the tokenizers' counts of patterns they take badly") {
  double worst = 1e9;
  for (const auto& row : gateway::counted::kRepeated) {
    std::string text;
    for (int i = 0; i < row.times; ++i) text += row.pattern;
    for (int t = 0; t < gateway::kTokenizers; ++t) {
      const int64_t tokens = row.tokens[static_cast<size_t>(t)];
      const int64_t bound = text_bound(text, static_cast<Tokenizer>(t));
      INFO(row.pattern << " for tokenizer " << t);
      CHECK(bound >= tokens);
      worst = std::min(worst, static_cast<double>(bound) / static_cast<double>(tokens));
    }
  }
  std::printf("\nbad patterns: the lowest bound / tokens is %.2f\n", worst);
}

TEST_CASE("a text never has a bound above its bytes") {
  SeededRng rng(31);
  for (int i = 0; i < 200; ++i) {
    std::string bytes(1 + rng.draw() % 400, '\0');
    rng.fill(std::as_writable_bytes(std::span(bytes)));
    const auto size = static_cast<int64_t>(bytes.size());
    for (int t = 0; t < gateway::kTokenizers; ++t) {
      const auto tokenizer = static_cast<Tokenizer>(t);
      const int64_t bound = text_bound(bytes, tokenizer);
      const bool claude = tokenizer == Tokenizer::claude || tokenizer == Tokenizer::claude_47;
      CHECK(bound <= (claude ? size * 8 / 5 + 3 : size + 1));
      CHECK(bound >= size / 4);  // random bytes are nearly a token each
    }
  }
  CHECK(text_bound("", Tokenizer::o200k) == 1);
}

TEST_CASE("what is not text has its own price") {
  const TokenProfile openai = gateway::token_profile("openai", "gpt-4o");
  const auto bound = [&](const InputShape& shape) {
    return gateway::input_tokens_bound(shape, openai);
  };
  const int64_t empty = bound(InputShape{});
  InputShape shape;
  shape.add_message();
  CHECK(bound(shape) == empty + openai.message_max);
  shape = {};
  shape.add_reference();
  shape.add_tokens(7);
  CHECK(bound(shape) == empty + gateway::kReferenceTokens + 7);
  shape = {};
  shape.add_tool("{}");
  const int64_t one_tool = bound(shape);
  CHECK(one_tool >= empty + openai.tools_max + openai.tool_max);
  shape.add_tool("{}");  // the prompt about tools comes once
  CHECK(bound(shape) <= one_tool + openai.tool_max + 4);
  shape = {};
  shape.add_image(ImageShape{ImageDetail::low, 0, 0});
  CHECK(bound(shape) == empty + 85);
}

TEST_CASE("an image costs by its size, not by its bytes") {
  const auto tokens = [](ImageRule rule, int w, int h, ImageDetail d = ImageDetail::automatic) {
    return gateway::image_tokens_max(rule, ImageShape{d, w, h});
  };
  CHECK(tokens(ImageRule::tiles, 512, 512) == 85 + 170);
  CHECK(tokens(ImageRule::tiles, 1024, 1024) == 85 + 4 * 170);  // the vendor's own example
  CHECK(tokens(ImageRule::tiles, 2048, 4096) == 85 + 6 * 170);  // and the other one
  CHECK(tokens(ImageRule::small_tiles, 512, 512) == 2833 + 5667);
  CHECK(tokens(ImageRule::patches, 540, 360) > 306);  // recorded, with a factor of 1.5
  CHECK(tokens(ImageRule::claude, 225, 224) > 72);    // recorded
  CHECK(tokens(ImageRule::claude, 1000, 1000) >= 1334);
  CHECK(tokens(ImageRule::qwen, 1024, 1024) == 37 * 37 + 2);
  CHECK(tokens(ImageRule::gemini, 300, 300) == 1120);
  for (int rule = 0; rule < gateway::kImageRules; ++rule) {
    const auto r = static_cast<ImageRule>(rule);
    for (const auto detail : {ImageDetail::automatic, ImageDetail::low, ImageDetail::high}) {
      const int64_t unknown = tokens(r, 0, 0, detail);
      CHECK(unknown > 0);
      for (const auto& [w, h] : {std::pair{1, 1}, {640, 480}, {4000, 3000}, {30000, 10}})
        if (r != ImageRule::gemini) CHECK(tokens(r, w, h, detail) <= unknown);
      CHECK(tokens(r, INT32_MAX, INT32_MAX, detail) > 0);
    }
  }
}

TEST_CASE("gathering a shape is fast and linear") {
  const std::string sentence = "The quick brown fox, 42 of them, jumps over 懒狗 and `code()`.\n";
  std::string megabytes;
  while (megabytes.size() < 10'000'000) megabytes += sentence;
  const std::clock_t begin = std::clock();
  InputShape shape;
  shape.add_text(megabytes);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("\ngathering 10 MB takes %.1f ns a byte\n", seconds * 1e9 / 1e7);
  const auto profile = bare(Tokenizer::o200k);
  const auto lines = static_cast<int64_t>(megabytes.size() / sentence.size());
  CHECK(gateway::input_tokens_bound(shape, profile) <=
        lines * text_bound(sentence, Tokenizer::o200k));
}
