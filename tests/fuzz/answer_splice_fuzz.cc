// Answers on their way to the client: whatever an upstream sends, the cost is put into the usage
// and changes nothing else; and usage is read from the end of a long answer as from all of it.
#include "base/assert.h"
#include "base/json_value.h"
#include "fuzz/made_json.h"
#include "gateway/answer_reader.h"
#include "gateway/lenient_json.h"

using namespace mg;
using namespace mg::gateway;

namespace {

constexpr std::string_view kNames[] = {
    "usage",   "cost",          "prompt_tokens", "completion_tokens", "total_tokens", "choices",
    "message", "finish_reason", "delta",         "content",           "tool_calls",   "id",
    "error",   "arguments",     "reasoning",
};

std::string made_answer(FuzzedDataProvider& data) {
  fuzz::MadeJson make(data, kNames);
  const auto usage = [&]() -> std::string {
    if (data.ConsumeIntegralInRange<int>(0, 7) == 0) return make.value();
    std::vector<fuzz::MadeJson::Member> members = {
        {"prompt_tokens", std::to_string(data.ConsumeIntegralInRange<int>(0, 1000))},
        {"completion_tokens", std::to_string(data.ConsumeIntegralInRange<int>(0, 1000))}};
    for (int n = data.ConsumeIntegralInRange<int>(0, 2); n > 0; --n)
      members.push_back({"cost", make.value()});
    return make.object(members);
  };
  std::vector<fuzz::MadeJson::Member> members;
  if (data.ConsumeBool())
    members.push_back({"choices", R"([{"index":0,"message":{"content":"Hi","tool_calls":[]}}])"});
  for (int n = data.ConsumeIntegralInRange<int>(0, 2); n > 0; --n)
    members.push_back({"usage", usage()});
  return make.blank() + make.object(members) + make.blank();
}

// Both documents, with the last of members that stand twice.
using Value = nlohmann::json;

void check_cost(const std::string& text, bool is_json) {
  constexpr std::string_view kCost = "0.000012345";
  const std::optional<std::string> priced = with_cost(text, kCost);
  if (!priced || !is_json) return;  // what is no JSON is never given to it
  // Half a surrogate pair is none to the parser that judges here.
  Value expected = Value::parse(without_lone_surrogates(text));
  expected["usage"]["cost"] = Value::parse(kCost);
  const std::string judged = without_lone_surrogates(*priced);
  MG_ASSERT(Value::accept(judged));
  MG_ASSERT(Value::parse(judged) == expected);
  MG_ASSERT(*with_cost(*priced, kCost) == *priced);
}

void check_tail(const std::string& text, const AnswerFacts& facts) {
  const auto tail = usage_in_part(text);
  MG_ASSERT(!tail || (tail->is_json && tail->has_usage));
  // Comparable where the name stands there once, spelled as everyone does.
  if (!facts.is_json || text.find('\\') != std::string::npos) return;
  const Json document = *parse_json(text);
  const size_t name = text.find("\"usage\"");
  if (name == std::string::npos || name != text.rfind("\"usage\"")) return;
  const auto usage = document.find("usage");
  if (usage == document.end() || !usage->is_object()) return;
  MG_ASSERT(tail.has_value());
  MG_ASSERT(tail->usage == facts.usage);
  MG_ASSERT(usage_in_part(text.substr(name))->usage == facts.usage);
}

void check(const std::string& text) {
  AnswerReader reader;
  TokenCounter generated{Tokenizer()};
  const AnswerFacts facts = reader.read(text, api::Provider(), &generated);
  MG_ASSERT(generated.tokens() >= 0);
  MG_ASSERT(facts.is_json || (!facts.has_usage && !facts.is_error && !facts.has_choices));
  if (facts.usage)
    MG_ASSERT(facts.usage->input() >= 0 && facts.usage->output() >= 0 && facts.has_usage);
  (void)AnswerReader::error_text(text);
  check_cost(text, facts.is_json);
  check_tail(text, facts);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider provider(data, size);
  const bool is_made = provider.ConsumeIntegralInRange<int>(0, 7) != 0;
  check(is_made ? made_answer(provider) : provider.ConsumeRemainingBytesAsString());
  return 0;
}
