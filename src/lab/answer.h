// An answer of the OpenAI protocol's chat and completions, ready to be said plainly or streamed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lab/choice.h"

namespace mg::lab {

enum class Operation : uint8_t { chat, completion };

// What is said of the usage: what the protocol says, or one of the faults.
enum class UsageManner : uint8_t { proper, missing, twice, running };

struct Answer {
  Operation operation = Operation::chat;
  std::string id;
  std::string model;
  std::string fingerprint;
  int64_t created_s = 0;
  int64_t prompt_tokens = 0;
  std::vector<Choice> choices;  // at least one
  bool is_streamed = false;
  bool asks_usage = false;  // stream_options.include_usage
  UsageManner usage_manner = UsageManner::proper;
  std::string usage;  // said in the place of the true one; empty: the true one
};

// The usage object, of what has been said so far.
void append_usage(std::string& out, const Answer& answer);

// The whole answer as one JSON document; the choices are used up.
std::string plain_answer(Answer& answer);

}  // namespace mg::lab
