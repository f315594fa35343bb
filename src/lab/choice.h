// One of the alternatives that an answer consists of: what it says, step by step, and what has been
// counted of it. Plain and streamed answers walk through the same steps, and so they say the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/speech.h"

namespace mg::lab {

struct ToolCall {
  enum class Kind : uint8_t { function, custom };
  Kind kind = Kind::function;
  std::string id;
  std::string name;
  std::string input;  // the arguments of a function, as JSON text; what a custom tool is given
};

enum class Finish : uint8_t { stop, length, tool_calls };
std::string_view name(Finish finish);

struct Step {
  enum class Kind : uint8_t {
    role,       // the choice begins
    reasoning,  // text: one token
    content,    // text: one token
    call,       // tool call number `call` begins, with its name
    input,      // text: one token of its input
    finish,     // the choice is over; finish() says why
  };
  Kind kind = Kind::role;
  std::string_view text;  // valid until the next step
  size_t call = 0;
};

// What a choice is to say.
struct Script {
  Subject subject;
  std::optional<Speech> reasoning;
  std::optional<Speech> content;
  std::vector<ToolCall> calls;
  std::optional<int64_t> tokens_max;  // of output, reasoning included
};

class Choice {
 public:
  explicit Choice(Script script) : script_(std::move(script)) {}

  // False once `finish` was taken.
  bool next(Step& step);

  bool is_over() const { return stage_ == Stage::over; }

  // So far.
  int64_t tokens() const { return tokens_; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }
  Finish finish() const { return finish_; }
  bool has_reasoning() const { return script_.reasoning.has_value(); }
  bool has_content() const { return script_.content.has_value(); }
  const std::vector<ToolCall>& calls() const { return script_.calls; }

 private:
  enum class Stage : uint8_t { role, reasoning, content, call, input, finish, over };

  bool say(std::optional<Speech>& speech, Step::Kind kind, Step& step);
  bool spend(int64_t tokens);

  Script script_;
  std::optional<Speech> input_;  // of the call under way
  size_t call_ = 0;
  int64_t tokens_ = 0;
  int64_t reasoning_tokens_ = 0;
  Stage stage_ = Stage::role;
  Finish finish_ = Finish::stop;
};

}  // namespace mg::lab
