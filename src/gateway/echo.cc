#include "gateway/echo.h"

#include <simdjson.h>

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// A prompt is a text, a list of tokens, or a list of either.
int64_t prompt_tokens(dom::element prompt, Tokenizer tokenizer) {
  std::string_view text;
  if (prompt.get(text) == simdjson::SUCCESS) {
    TokenCounter counter(tokenizer);
    counter.add(text);
    return counter.tokens();
  }
  dom::array list;
  if (prompt.get(list) != simdjson::SUCCESS) return 0;
  int64_t sum = 0;
  for (const dom::element item : list)
    sum += item.is_string() || item.is_array() ? prompt_tokens(item, tokenizer) : 1;
  return sum;
}

}  // namespace

int64_t echoed_tokens(std::string_view request, int64_t answers, Tokenizer tokenizer) {
  dom::parser parser;
  dom::element prompt;
  const simdjson::padded_string text(request);
  if (parser.parse(text)["prompt"].get(prompt) != simdjson::SUCCESS) return 0;
  // Each of several prompts has as many answers as the others.
  int64_t prompts = 1;
  dom::array list;
  if (prompt.get(list) == simdjson::SUCCESS && list.size() > 0 && !list.at(0).is_number())
    prompts = static_cast<int64_t>(list.size());
  return prompt_tokens(prompt, tokenizer) * (answers / prompts);
}

}  // namespace mg::gateway
