#include "lab/tool_choice.h"

#include <simdjson.h>

#include <algorithm>

#include "base/text.h"
#include "lab/schema.h"
#include "lab/seed.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kCallsMax = 4;
constexpr int kNameScore =
    2;  // of a word of the name that the user used; one of the description: 1
constexpr int kScoreMin = 2;
constexpr size_t kLettersMin = 4;
constexpr size_t kCustomInputBytesMax = 80;

struct Tool {
  dom::object object;  // what stands under its kind
  std::string_view name;
  ToolCall::Kind kind = ToolCall::Kind::function;
  int score = 0;
};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (word.size() >= kLettersMin) words.push_back(word);
    word.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = ascii_lower(text[i]);
    if (c < 'a' || c > 'z') {
      end_word();
      continue;
    }
    if (i > 0 && c != text[i] && text[i - 1] == ascii_lower(text[i - 1])) end_word();  // camelCase
    word.push_back(c);
  }
  end_word();
  return words;
}

int shared(const std::vector<std::string>& spoken, std::string_view text) {
  int count = 0;
  for (const std::string& word : words_of(text))
    count += std::find(spoken.begin(), spoken.end(), word) != spoken.end();
  return count;
}

Asked<std::vector<Tool>> read_tools(const dom::array& list, std::string_view user) {
  const std::vector<std::string> spoken = words_of(user);
  std::vector<Tool> tools;
  for (const dom::element entry : list) {
    Tool tool;
    dom::object object;
    std::string_view type, description;
    if (entry.get(object) != simdjson::SUCCESS || object["type"].get(type) != simdjson::SUCCESS ||
        (type != "function" && type != "custom") ||
        object[type].get(tool.object) != simdjson::SUCCESS ||
        tool.object["name"].get(tool.name) != simdjson::SUCCESS)
      return not_so("tools", "a tool must be a function or a custom tool with a name.");
    if (type == "custom") tool.kind = ToolCall::Kind::custom;
    tool.score = kNameScore * shared(spoken, tool.name);
    if (tool.object["description"].get(description) == simdjson::SUCCESS)
      tool.score += shared(spoken, description);
    tools.push_back(tool);
  }
  return tools;
}

// The name that tool_choice asks for; empty where it names none.
std::string_view chosen_name(const dom::object& request) {
  std::string_view name;
  for (const char* kind : {"function", "custom"})
    if (request["tool_choice"][kind]["name"].get(name) == simdjson::SUCCESS) return name;
  return {};
}

ToolCall call(const Tool& tool, const Conversation& conversation, const Subject& subject,
              uint64_t seed) {
  ToolCall made;
  made.kind = tool.kind;
  made.id = made_up_id("call_", seed, 24);
  made.name = tool.name;
  if (tool.kind == ToolCall::Kind::custom) {
    std::string_view input = std::string_view(conversation.user).substr(0, kCustomInputBytesMax);
    while (!is_utf8(input)) input.remove_suffix(1);
    made.input = input;
    return made;
  }
  dom::element parameters;
  made.input = tool.object["parameters"].get(parameters) == simdjson::SUCCESS
                   ? value_by_schema(parameters, {subject, conversation.user}, seed)
                   : "{}";
  return made;
}

}  // namespace

Asked<std::vector<ToolCall>> choose_calls(const dom::object& request,
                                          const Conversation& conversation, const Subject& subject,
                                          uint64_t seed) {
  dom::array list;
  std::string_view choice = "auto";
  if (request["tools"].get(list) != simdjson::SUCCESS || list.size() == 0)
    return std::vector<ToolCall>();
  Asked<std::vector<Tool>> tools = read_tools(list, conversation.user);
  if (!tools) return tl::unexpected(std::move(tools.error()));
  if (request["tool_choice"].get(choice) != simdjson::SUCCESS) choice = "auto";
  const std::string_view wanted = chosen_name(request);
  bool is_parallel = true;
  if (request["parallel_tool_calls"].get(is_parallel) != simdjson::SUCCESS) is_parallel = true;

  const auto best = std::max_element(
      tools->begin(), tools->end(), [](const Tool& a, const Tool& b) { return a.score < b.score; });
  std::vector<ToolCall> calls;
  const auto add = [&](const Tool& tool) {
    calls.push_back(call(tool, conversation, subject, mix(seed, calls.size())));
  };
  if (!wanted.empty()) {
    const auto named = std::find_if(tools->begin(), tools->end(),
                                    [&](const Tool& tool) { return tool.name == wanted; });
    if (named == tools->end())
      return not_so("tool_choice", "tool_choice names a tool that is not among the tools.");
    add(*named);
  } else if (choice == "required") {
    add(*best);
  } else if (choice == "auto" && !conversation.ends_with_tool) {
    for (const Tool& tool : *tools)
      if (tool.score >= kScoreMin && calls.size() < kCallsMax && (is_parallel || &tool == &*best))
        add(tool);
  }
  return calls;
}

}  // namespace mg::lab
