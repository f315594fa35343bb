#include "gateway/echo.h"

#include <simdjson.h>

#include "gateway/token_estimate.h"

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

int64_t echoed_tokens(const RequestBody& body, Tokenizer tokenizer) {
  dom::parser parser;
  dom::object request;
  bool echo = false;
  dom::element prompt;
  const std::string& text = body.text();
  if (parser.parse(text).get(request) != simdjson::SUCCESS) return 0;
  if (request["echo"].get(echo) != simdjson::SUCCESS || !echo) return 0;
  if (request["prompt"].get(prompt) != simdjson::SUCCESS) return 0;
  // Each of several prompts has as many answers as the others.
  int64_t prompts = 1;
  dom::array list;
  if (prompt.get(list) == simdjson::SUCCESS && list.size() > 0 && !list.at(0).is_number())
    prompts = static_cast<int64_t>(list.size());
  return prompt_tokens(prompt, tokenizer) * (body.answers() / prompts);
}

}  // namespace mg::gateway
