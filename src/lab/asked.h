// Reading requests: members that are missing, of the wrong type or out of bounds are refused as
// OpenAI refuses them. Internal to this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lab/api_error.h"

namespace simdjson::dom {
class element;
class object;
}  // namespace simdjson::dom

namespace mg::lab {

template <class T>
using Asked = tl::expected<T, ApiError>;

tl::unexpected<ApiError> not_so(std::string_view param, std::string message);

// Absent and null are the same. Errors: another type, or out of bounds.
Asked<std::optional<int64_t>> whole_number(const simdjson::dom::object& request, const char* member,
                                           int64_t least, int64_t most);
Asked<std::string> model_name(const simdjson::dom::object& request);

// How much is asked for, and how it is to come.
struct Terms {
  int64_t choices = 1;
  std::optional<int64_t> tokens_max;
  bool is_streamed = false;
  bool asks_usage = false;
};
Asked<Terms> read_terms(const simdjson::dom::object& request);

// Tokens of all texts and names in a value, however deep; a number or literal is one.
int64_t count_tokens_within(const simdjson::dom::element& value);

// The inputs of completions and embeddings: a text, a list of texts, a list of token numbers, or a
// list of such lists. At least one, `most` at most.
struct Input {
  std::string text;  // empty where it came as numbers
  int64_t tokens = 0;
};
Asked<std::vector<Input>> read_inputs(const simdjson::dom::object& request, const char* member,
                                      size_t most);

}  // namespace mg::lab
