// Reads what a request sends, for counting (input_bound.h): its texts, images, tools, and what it
// names without carrying it.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

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

// What stands at the top of a request beside settings and what was `measured` by name: documents,
// arguments of templates, searches. It is in the prompt for all we know. (measure_chat does this
// itself.)
void measure_others(const simdjson::dom::object& request,
                    std::initializer_list<std::string_view> measured, InputShape& shape);

// `prompt` or `input`: a text, a list of texts, a list of token numbers, or a list of such lists.
// `inputs` is how many texts (or lists of tokens) there are.
std::optional<InputProblem> measure_inputs(const simdjson::dom::element& input,
                                           std::string_view member, InputShape& shape,
                                           int64_t& inputs);

}  // namespace mg::gateway
