// From a request to the answer it gets: what is said, how long it is, what it counts.
#pragma once

#include <optional>
#include <string_view>

#include "lab/answer.h"
#include "lab/asked.h"

namespace mg::lab {

// What the knobs want of an answer's contents.
struct Manner {
  std::optional<int64_t> tokens;  // of output; the limit of the request still holds
  bool is_endless = false;        // no limit holds
};

// A model whose name begins like OpenAI's or others' reasoning models, or says so: it thinks first,
// in reasoning_content, and the tokens of its thoughts are part of what it wrote.
bool is_reasoning_model(std::string_view model);

Asked<Answer> plan_chat(const simdjson::dom::object& request, const Manner& manner);
// `prompt` may be a list; there are `n` choices for each. max_tokens is 16 where nothing is said.
Asked<Answer> plan_completion(const simdjson::dom::object& request, const Manner& manner);

}  // namespace mg::lab
