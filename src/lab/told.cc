#include "lab/told.h"

#include <simdjson.h>

#include "base/assert.h"
#include "base/text.h"

namespace mg::lab {
namespace {

namespace ondemand = simdjson::ondemand;

int32_t tokens(ondemand::object& usage, std::string_view member) {
  int64_t count = 0;
  if (usage[member].get(count) != simdjson::SUCCESS || count < 0 || count > INT32_MAX)
    return Told::kNothing;
  return static_cast<int32_t>(count);
}

}  // namespace

std::string_view name(Heard heard) {
  switch (heard) {
    case Heard::complete:
      return "complete";
    case Heard::cut:
      return "cut";
    case Heard::hung_up:
      return "hung_up";
    case Heard::refused:
      return "refused";
    case Heard::failed:
      return "failed";
  }
  MG_ASSERT(!"heard out of range");
}

void Told::take_cost(std::string_view text) {
  const Result<Money> amount = parse_money(text);
  is_cost_unreadable = !amount;
  if (amount) cost_nanos = amount->nanos();
}

void take_usage(std::string_view json, Told& told) {
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object usage;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document["usage"].get_object().get(usage) != simdjson::SUCCESS)
    return;
  const int32_t prompt = tokens(usage, "prompt_tokens");
  const int32_t completion = tokens(usage, "completion_tokens");
  if (prompt != Told::kNothing) {
    told.prompt_tokens = prompt;
    told.completion_tokens = std::max(0, completion);  // embeddings have none
  }
  ondemand::value cost;
  if (usage["cost"].get(cost) != simdjson::SUCCESS) return;
  std::string_view text = cost.raw_json_token();
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  told.take_cost(text);
}

bool is_error(std::string_view json) {
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::value error;
  return parser.iterate(padded).get(document) == simdjson::SUCCESS &&
         document["error"].get(error) == simdjson::SUCCESS && !error.is_null();
}

std::string error_code(std::string_view json) {
  const simdjson::padded_string padded(json);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view text;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS) return {};
  if (document["error"]["code"].get(text) == simdjson::SUCCESS ||
      document["error"]["type"].get(text) == simdjson::SUCCESS)
    return std::string(text);
  return {};
}

}  // namespace mg::lab
