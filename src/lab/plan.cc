#include "lab/plan.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "lab/conversation.h"
#include "lab/schema.h"
#include "lab/seed.h"
#include "lab/tokens.h"
#include "lab/tool_choice.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kAnswerTokensMin = 16;
constexpr uint64_t kAnswerTokensSpan = 96;
constexpr int64_t kThoughtTokensMin = 12;
constexpr uint64_t kThoughtTokensSpan = 48;
constexpr int64_t kCompletionTokensDefault = 16;
constexpr int64_t kEndless = INT64_MAX / 4;
constexpr size_t kQuotedTokens = 12;  // of what a tool said

constexpr std::array<std::string_view, 5> kReasoningBeginnings = {"o1", "o3", "o4", "gpt-5", "qwq"};
constexpr std::array<std::string_view, 5> kReasoningParts = {"reason", "think", "-r1", "deepseek-r",
                                                             "magistral"};

int64_t drawn_length(int64_t least, uint64_t span, uint64_t seed) {
  return least + static_cast<int64_t>(seed % span);
}

std::string first_words(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < kQuotedTokens && !text.empty(); ++i) out += take_token(text);
  return std::string(trimmed(out));
}

// What comes before everything else: what was seen in pictures, what a tool said.
std::string opening(const Conversation& conversation, Language language) {
  const bool is_chinese = language == Language::chinese;
  std::string out;
  const auto add = [&](const std::string& text) {
    if (!out.empty() && !is_chinese) out += ' ';
    out += text;
  };
  for (const Picture& picture : conversation.pictures)
    add(is_chinese ? described_in_chinese(picture) : described(picture));
  if (conversation.ends_with_tool && !conversation.tool.empty())
    add(is_chinese ? "工具的回答是：" + first_words(conversation.tool) + "。"
                   : "The tool says: " + first_words(conversation.tool) + ".");
  return out;
}

// Whole tokens of output split between thoughts and answer.
struct Lengths {
  int64_t thought = 0;
  int64_t answer = 0;
  Length kind = Length::about;
};

Lengths lengths(const Manner& manner, bool has_thoughts, uint64_t seed) {
  if (manner.is_endless) return {has_thoughts ? kThoughtTokensMin : 0, kEndless, Length::about};
  if (manner.tokens) {
    const int64_t thought = has_thoughts ? *manner.tokens / 4 : 0;
    return {thought, *manner.tokens - thought, Length::exactly};
  }
  return {drawn_length(kThoughtTokensMin, kThoughtTokensSpan, mix(seed, uint64_t{3})),
          drawn_length(kAnswerTokensMin, kAnswerTokensSpan, mix(seed, uint64_t{4})), Length::about};
}

bool thinks(const dom::object& request, std::string_view model) {
  std::string_view effort;
  if (request["reasoning_effort"].get(effort) == simdjson::SUCCESS &&
      (effort == "none" || effort == "minimal"))
    return false;
  return is_reasoning_model(model);
}

// The JSON that response_format asks for; nothing where it asks for none.
std::optional<std::string> structured(const dom::object& request, const Subject& subject,
                                      const Conversation& conversation, uint64_t seed) {
  std::string_view type;
  if (request["response_format"]["type"].get(type) != simdjson::SUCCESS) return std::nullopt;
  if (type == "json_schema") {
    dom::element schema;
    if (request["response_format"]["json_schema"]["schema"].get(schema) != simdjson::SUCCESS)
      return "{}";
    return value_by_schema(schema, {subject, conversation.user}, seed);
  }
  if (type != "json_object") return std::nullopt;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("answer", sentence(Speech::Register::answer, subject, seed));
  json.end_object();
  return out;
}

Answer answer_for(Operation operation, const dom::object& request, std::string model,
                  const Terms& terms) {
  const uint64_t seed = seed_of(request);
  Answer answer;
  answer.operation = operation;
  answer.id = made_up_id(operation == Operation::chat ? "chatcmpl-" : "cmpl-", seed, 24);
  answer.fingerprint = made_up_id("fp_", mix(0, model), 10);
  answer.model = std::move(model);
  answer.is_streamed = terms.is_streamed;
  answer.asks_usage = terms.asks_usage;
  return answer;
}

int64_t tokens_of_member(const dom::object& request, const char* member) {
  dom::element value;
  if (request[member].get(value) != simdjson::SUCCESS || value.is_null()) return 0;
  return count_tokens_within(value);
}

}  // namespace

bool is_reasoning_model(std::string_view model) {
  std::string name = to_lower(model);
  if (const size_t slash = name.rfind('/'); slash != std::string::npos) name.erase(0, slash + 1);
  const auto begins = [&](std::string_view text) { return name.starts_with(text); };
  const auto has = [&](std::string_view text) { return name.find(text) != std::string::npos; };
  if (has("embed") || has("chat-latest")) return false;
  return std::any_of(kReasoningBeginnings.begin(), kReasoningBeginnings.end(), begins) ||
         std::any_of(kReasoningParts.begin(), kReasoningParts.end(), has);
}

Asked<Answer> plan_chat(const dom::object& request, const Manner& manner) {
  Asked<std::string> model = model_name(request);
  if (!model) return tl::unexpected(std::move(model.error()));
  const Asked<Terms> terms = read_terms(request);
  if (!terms) return tl::unexpected(terms.error());
  const Asked<Conversation> conversation = read_conversation(request);
  if (!conversation) return tl::unexpected(conversation.error());

  const bool has_thoughts = thinks(request, *model);
  const uint64_t seed = seed_of(request);
  const Subject subject = subject_of(conversation->user);
  Answer answer = answer_for(Operation::chat, request, std::move(*model), *terms);
  answer.prompt_tokens = conversation->tokens + tokens_of_member(request, "tools") +
                         tokens_of_member(request, "response_format");
  for (int64_t i = 0; i < terms->choices; ++i) {
    const uint64_t own = mix(seed, static_cast<uint64_t>(i) + 100);
    const Lengths length = lengths(manner, has_thoughts, own);
    Script script;
    script.subject = subject;
    if (!manner.is_endless) script.tokens_max = terms->tokens_max;
    if (has_thoughts)
      script.reasoning = Speech::made_up(Speech::Register::thought, {}, mix(own, uint64_t{5}),
                                         length.thought, length.kind);
    Asked<std::vector<ToolCall>> calls = choose_calls(request, *conversation, subject, own);
    if (!calls) return tl::unexpected(std::move(calls.error()));
    std::optional<std::string> json = structured(request, subject, *conversation, own);
    if (!calls->empty() && !manner.is_endless) {
      script.calls = std::move(*calls);
    } else if (json && !manner.is_endless) {
      script.content = Speech::given(std::move(*json));
    } else {
      script.content =
          Speech::made_up(Speech::Register::answer, opening(*conversation, subject.language), own,
                          length.answer, length.kind);
    }
    answer.choices.emplace_back(std::move(script));
  }
  return answer;
}

Asked<Answer> plan_completion(const dom::object& request, const Manner& manner) {
  Asked<std::string> model = model_name(request);
  if (!model) return tl::unexpected(std::move(model.error()));
  const Asked<Terms> terms = read_terms(request);
  if (!terms) return tl::unexpected(terms.error());
  const auto most = static_cast<size_t>(limits::choices_max / terms->choices);
  const Asked<std::vector<Input>> prompts = read_inputs(request, "prompt", most);
  if (!prompts) return tl::unexpected(prompts.error());

  const uint64_t seed = seed_of(request);
  Answer answer = answer_for(Operation::completion, request, std::move(*model), *terms);
  for (const Input& prompt : *prompts) {
    answer.prompt_tokens += prompt.tokens;
    for (int64_t i = 0; i < terms->choices; ++i) {
      const uint64_t own = mix(seed, answer.choices.size() + 100);
      const Lengths length = lengths(manner, false, own);
      Script script;
      script.subject = subject_of(prompt.text);
      if (!manner.is_endless)
        script.tokens_max =
            terms->tokens_max.value_or(manner.tokens.value_or(kCompletionTokensDefault));
      script.content =
          Speech::made_up(Speech::Register::answer, {}, own, length.answer, length.kind);
      answer.choices.emplace_back(std::move(script));
    }
  }
  return answer;
}

}  // namespace mg::lab
