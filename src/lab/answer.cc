#include "lab/answer.h"

#include "base/json.h"
#include "lab/answer_text.h"

namespace mg::lab {
namespace {

// What a choice said, put together.
struct Said {
  std::string reasoning;
  std::string content;
  std::vector<std::string> inputs;  // of the tool calls that were begun
};

Said say_all(Choice& choice) {
  Said said;
  for (Step step; choice.next(step);) {
    switch (step.kind) {
      case Step::Kind::reasoning:
        said.reasoning += step.text;
        break;
      case Step::Kind::content:
        said.content += step.text;
        break;
      case Step::Kind::call:
        said.inputs.emplace_back();
        break;
      case Step::Kind::input:
        said.inputs.back() += step.text;
        break;
      case Step::Kind::role:
      case Step::Kind::finish:
        break;
    }
  }
  return said;
}

void append_message(std::string& out, const Choice& choice, const Said& said) {
  out += "\"message\":{\"role\":\"assistant\",\"content\":";
  if (choice.has_content()) {
    append_json_string(out, said.content);
  } else {
    out += "null";
  }
  if (choice.has_reasoning()) {
    out += ",\"reasoning_content\":";
    append_json_string(out, said.reasoning);
  }
  if (!said.inputs.empty()) {
    out += ",\"tool_calls\":[";
    for (size_t i = 0; i < said.inputs.size(); ++i) {
      if (i > 0) out += ',';
      append_call_head(out, choice.calls()[i], std::nullopt);
      append_json_string(out, said.inputs[i]);
      out += "}}";
    }
    out += ']';
  }
  out += ",\"refusal\":null,\"annotations\":[]}";
}

}  // namespace

void append_usage(std::string& out, const Answer& answer) {
  if (!answer.usage.empty()) {
    out += answer.usage;
    return;
  }
  int64_t written = 0, thought = 0;
  for (const Choice& choice : answer.choices) {
    written += choice.tokens();
    thought += choice.reasoning_tokens();
  }
  out += "{\"prompt_tokens\":";
  append_number(out, answer.prompt_tokens);
  out += ",\"completion_tokens\":";
  append_number(out, written);
  out += ",\"total_tokens\":";
  append_number(out, answer.prompt_tokens + written);
  if (answer.operation == Operation::chat) {
    out +=
        ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0}"
        ",\"completion_tokens_details\":{\"reasoning_tokens\":";
    append_number(out, thought);
    out +=
        ",\"audio_tokens\":0,\"accepted_prediction_tokens\":0"
        ",\"rejected_prediction_tokens\":0}";
  }
  out += '}';
}

std::string plain_answer(Answer& answer) {
  const bool is_chat = answer.operation == Operation::chat;
  std::string out;
  out.reserve(1024);
  append_answer_head(out, answer, is_chat ? "chat.completion" : "text_completion");
  for (size_t i = 0; i < answer.choices.size(); ++i) {
    Choice& choice = answer.choices[i];
    const Said said = say_all(choice);
    out += i > 0 ? ",{\"index\":" : "{\"index\":";
    append_number(out, static_cast<int64_t>(i));
    out += ',';
    if (is_chat) {
      append_message(out, choice, said);
    } else {
      out += "\"text\":";
      append_json_string(out, said.content);
    }
    out += ",\"logprobs\":null,";
    append_finish(out, choice);
    out += '}';
  }
  out += ']';
  const int times = answer.usage_manner == UsageManner::missing ? 0
                    : answer.usage_manner == UsageManner::twice ? 2
                                                                : 1;
  for (int i = 0; i < times; ++i) {
    out += ",\"usage\":";
    append_usage(out, answer);
  }
  out += '}';
  return out;
}

}  // namespace mg::lab
