#include "lab/embeddings.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "lab/answer_text.h"
#include "lab/seed.h"
#include "tls/base64.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kDimensions = 1536;
constexpr int64_t kLargeDimensions = 3072;

enum class Encoding : uint8_t { numbers, base64 };

Asked<Encoding> encoding_of(const dom::object& request) {
  std::string_view text;
  dom::element value;
  if (request["encoding_format"].get(value) != simdjson::SUCCESS || value.is_null())
    return Encoding::numbers;
  if (value.get(text) == simdjson::SUCCESS && text == "float") return Encoding::numbers;
  if (value.get(text) == simdjson::SUCCESS && text == "base64") return Encoding::base64;
  return not_so("encoding_format", "encoding_format must be float or base64.");
}

void append_vector(std::string& out, const std::vector<float>& vector, Encoding encoding) {
  if (encoding == Encoding::base64) {
    append_json_string(out, tls::base64_encode({reinterpret_cast<const char*>(vector.data()),
                                                vector.size() * sizeof(float)}));
    return;
  }
  out += '[';
  for (size_t i = 0; i < vector.size(); ++i) {
    if (i > 0) out += ',';
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, vector[i]);
    out.append(digits, end.ptr);
  }
  out += ']';
}

}  // namespace

std::vector<float> embedding_of(const Input& input, int64_t dimensions) {
  SeededRng rng(mix(static_cast<uint64_t>(input.tokens), input.text));
  std::vector<float> vector(static_cast<size_t>(dimensions));
  double square = 0;
  for (float& number : vector) {
    const double drawn = rng.unit() * 2 - 1;
    number = static_cast<float>(drawn);
    square += drawn * drawn;
  }
  const double length = std::sqrt(square);
  for (float& number : vector) number = static_cast<float>(number / length);
  return vector;
}

Asked<std::string> embeddings_answer(const dom::object& request, UsageManner manner,
                                     std::string_view usage) {
  const Asked<std::string> model = model_name(request);
  if (!model) return tl::unexpected(model.error());
  const auto dimensions = whole_number(request, "dimensions", 1, limits::lab_dimensions_max);
  if (!dimensions) return tl::unexpected(dimensions.error());
  const Asked<Encoding> encoding = encoding_of(request);
  if (!encoding) return tl::unexpected(encoding.error());
  const auto inputs = read_inputs(request, "input", limits::embedding_inputs_max);
  if (!inputs) return tl::unexpected(inputs.error());

  const bool is_large = to_lower(*model).find("large") != std::string::npos;
  int64_t tokens = 0;
  std::string out = "{\"object\":\"list\",\"data\":[";
  for (size_t i = 0; i < inputs->size(); ++i) {
    const Input& input = (*inputs)[i];
    if (input.tokens == 0) return not_so("input", "an input must not be empty.");
    tokens += input.tokens;
    if (i > 0) out += ',';
    out += "{\"object\":\"embedding\",\"index\":";
    append_number(out, static_cast<int64_t>(i));
    out += ",\"embedding\":";
    append_vector(
        out, embedding_of(input, dimensions->value_or(is_large ? kLargeDimensions : kDimensions)),
        *encoding);
    out += '}';
  }
  out += "],\"model\":";
  append_json_string(out, *model);
  const int times = manner == UsageManner::missing ? 0 : manner == UsageManner::twice ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    out += ",\"usage\":";
    if (usage.empty()) {
      const std::string count = std::to_string(tokens);
      out += "{\"prompt_tokens\":" + count + ",\"total_tokens\":" + count + "}";
    } else {
      out += usage;
    }
  }
  out += '}';
  return out;
}

}  // namespace mg::lab
