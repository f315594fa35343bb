#include "lab/asked.h"

#include <simdjson.h>

#include "base/limits.h"
#include "lab/tokens.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

bool present(const dom::object& object, const char* member, dom::element& out) {
  return object[member].get(out) == simdjson::SUCCESS && !out.is_null();
}

Asked<bool> flag(const dom::object& object, const char* member) {
  dom::element value;
  bool truth = false;
  if (present(object, member, value) && value.get(truth) != simdjson::SUCCESS)
    return not_so(member, std::string(member) + " must be true or false.");
  return truth;
}

}  // namespace

tl::unexpected<ApiError> not_so(std::string_view param, std::string message) {
  ApiError error;
  error.param = param;
  error.message = std::move(message);
  return tl::unexpected<ApiError>(std::move(error));
}

Asked<std::optional<int64_t>> whole_number(const dom::object& request, const char* member,
                                           int64_t least, int64_t most) {
  dom::element value;
  if (!present(request, member, value)) return std::nullopt;
  int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < least || number > most)
    return not_so(member, std::string(member) + " must be a whole number from " +
                              std::to_string(least) + " to " + std::to_string(most) + ".");
  return number;
}

Asked<std::string> model_name(const dom::object& request) {
  std::string_view model;
  if (request["model"].get(model) != simdjson::SUCCESS || model.empty())
    return not_so("model", "you must provide a model parameter");
  if (model.size() > limits::model_name_bytes_max)
    return not_so("model", "the name of the model is too long");
  return std::string(model);
}

Asked<Terms> read_terms(const dom::object& request) {
  Terms terms;
  const auto n = whole_number(request, "n", 1, limits::choices_max);
  if (!n) return tl::unexpected(n.error());
  terms.choices = n->value_or(1);
  for (const char* member : {"max_tokens", "max_completion_tokens"}) {
    const auto most = whole_number(request, member, 1, limits::output_tokens_max);
    if (!most) return tl::unexpected(most.error());
    if (*most) terms.tokens_max = std::min(**most, terms.tokens_max.value_or(**most));
  }
  const auto stream = flag(request, "stream");
  if (!stream) return tl::unexpected(stream.error());
  terms.is_streamed = *stream;
  dom::element value;
  if (!present(request, "stream_options", value)) return terms;
  dom::object options;
  if (value.get(options) != simdjson::SUCCESS)
    return not_so("stream_options", "stream_options must be an object.");
  if (!terms.is_streamed)
    return not_so("stream_options",
                  "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  const auto usage = flag(options, "include_usage");
  if (!usage) return tl::unexpected(usage.error());
  terms.asks_usage = *usage;
  return terms;
}

int64_t count_tokens_within(const dom::element& value) {
  int64_t count = 0;
  switch (value.type()) {
    case dom::element_type::ARRAY:
      for (const dom::element item : dom::array(value)) count += count_tokens_within(item);
      return count;
    case dom::element_type::OBJECT:
      for (const auto& [key, member] : dom::object(value))
        count += count_tokens(key) + count_tokens_within(member);
      return count;
    case dom::element_type::STRING:
      return count_tokens(std::string_view(value));
    default:
      return 1;
  }
}

Asked<std::vector<Input>> read_inputs(const dom::object& request, const char* member, size_t most) {
  const auto wrong = [&] {
    return not_so(member, std::string(member) + " must be a text, a list of texts, or tokens; " +
                              std::to_string(most) + " of them at most.");
  };
  dom::element value;
  if (!present(request, member, value)) return not_so(member, std::string(member) + " is missing.");
  std::vector<Input> inputs;
  std::string_view text;
  dom::array list;
  if (value.get(text) == simdjson::SUCCESS) {
    inputs.push_back({std::string(text), count_tokens(text)});
    return inputs;
  }
  if (value.get(list) != simdjson::SUCCESS || list.size() == 0) return wrong();
  if (list.at(0).is_int64()) {
    inputs.push_back({{}, static_cast<int64_t>(list.size())});
    for (const dom::element token : list)
      if (!token.is_int64()) return wrong();
    return inputs;
  }
  for (const dom::element item : list) {
    dom::array tokens;
    if (inputs.size() == most) return wrong();
    if (item.get(text) == simdjson::SUCCESS) {
      inputs.push_back({std::string(text), count_tokens(text)});
    } else if (item.get(tokens) == simdjson::SUCCESS) {
      inputs.push_back({{}, static_cast<int64_t>(tokens.size())});
    } else {
      return wrong();
    }
  }
  return inputs;
}

}  // namespace mg::lab
