// Reads what a request sends, for counting (input_bound.h): its texts, images, tools, and what it
// names without carrying it.
#pragma once

#include <optional>
#include <string>

#include "api/facts.h"
#include "gateway/input_bound.h"

namespace simdjson::dom {
class element;
class object;
}  // namespace simdjson::dom

namespace mg::gateway {

// What a member is that it must not be.
struct InputProblem {
  std::string what;
  std::string member;
};

// A chat request: its messages, tools and response format; and which features it uses.
std::optional<InputProblem> measure_chat(const simdjson::dom::object& request, InputShape& shape,
                                         api::FeatureFacts& has);

// What no other has a name for, at the top of any request.
void measure_others(const simdjson::dom::object& request, InputShape& shape);

// `prompt` or `input`: a text, a list of texts, a list of token numbers, or a list of such lists.
// `inputs` is how many texts (or lists of tokens) there are.
std::optional<InputProblem> measure_inputs(const simdjson::dom::element& input,
                                           std::string_view member, InputShape& shape,
                                           int64_t& inputs);

}  // namespace mg::gateway
