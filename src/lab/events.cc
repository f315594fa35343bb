#include "lab/events.h"

#include "base/json.h"
#include "lab/answer_text.h"

namespace mg::lab {

Events::Events(Answer& answer) : answer_(answer), choices_open_(answer.choices.size()) {
  append_answer_head(
      prefix_, answer,
      answer.operation == Operation::chat ? "chat.completion.chunk" : "text_completion");
}

std::optional<Events::Kind> Events::next(std::string& out) {
  if (stage_ == Stage::choices) return next_of_choices(out);
  if (stage_ == Stage::usage || stage_ == Stage::again) {
    const bool is_said = answer_.asks_usage && answer_.usage_manner != UsageManner::missing;
    const bool comes_again =
        is_said && answer_.usage_manner == UsageManner::twice && stage_ == Stage::usage;
    stage_ = comes_again ? Stage::again : Stage::done;
    if (is_said) {
      out += prefix_;
      out += "],\"usage\":";
      append_usage(out, answer_);
      out += '}';
      return Kind::usage;
    }
  }
  if (stage_ == Stage::over) return std::nullopt;
  stage_ = Stage::over;
  out += "[DONE]";
  return Kind::done;
}

// Choices take turns.
Events::Kind Events::next_of_choices(std::string& out) {
  const auto pass_turn = [this] { turn_ = (turn_ + 1) % answer_.choices.size(); };
  while (answer_.choices[turn_].is_over()) pass_turn();
  const size_t index = turn_;
  Choice& choice = answer_.choices[index];
  pass_turn();
  const bool is_chat = answer_.operation == Operation::chat;
  Step step;
  choice.next(step);
  // A completion does not say who speaks.
  if (step.kind == Step::Kind::role && !is_chat) choice.next(step);
  const bool is_finish = step.kind == Step::Kind::finish;

  out += prefix_;
  out += "{\"index\":";
  append_number(out, static_cast<int64_t>(index));
  if (is_chat) {
    out += ",\"delta\":{";
    append_delta(out, choice, step);
    out += '}';
  } else {
    out += ",\"text\":";
    append_json_string(out, step.text);
  }
  out += ",\"logprobs\":null,";
  if (is_finish) {
    append_finish(out, choice);
  } else {
    out += "\"finish_reason\":null";
  }
  out += "}]";
  append_usage_member(out);
  out += '}';
  if (is_finish) {
    if (--choices_open_ == 0) stage_ = Stage::usage;
    return Kind::finish;
  }
  return step.kind == Step::Kind::role ? Kind::role : Kind::text;
}

void Events::append_delta(std::string& out, const Choice& choice, const Step& step) const {
  switch (step.kind) {
    case Step::Kind::role:
      out += "\"role\":\"assistant\",\"content\":";
      out += choice.has_content() ? "\"\"" : "null";
      out += ",\"refusal\":null";
      return;
    case Step::Kind::reasoning:
      out += "\"reasoning_content\":";
      append_json_string(out, step.text);
      return;
    case Step::Kind::content:
      out += "\"content\":";
      append_json_string(out, step.text);
      return;
    case Step::Kind::call:
      out += "\"tool_calls\":[";
      append_call_head(out, choice.calls()[step.call], step.call);
      out += "\"\"}}]";
      return;
    case Step::Kind::input: {
      const bool is_function = choice.calls()[step.call].kind == ToolCall::Kind::function;
      out += "\"tool_calls\":[{\"index\":";
      append_number(out, static_cast<int64_t>(step.call));
      out += is_function ? ",\"function\":{\"arguments\":" : ",\"custom\":{\"input\":";
      append_json_string(out, step.text);
      out += "}}]";
      return;
    }
    case Step::Kind::finish:
      return;
  }
}

void Events::append_usage_member(std::string& out) const {
  if (answer_.usage_manner == UsageManner::running) {
    out += ",\"usage\":";
    append_usage(out, answer_);
  } else if (answer_.asks_usage && answer_.usage_manner != UsageManner::missing) {
    out += ",\"usage\":null";
  }
}

}  // namespace mg::lab
