// Pieces of JSON that plain answers and events have in common. Internal to this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lab/answer.h"

namespace mg::lab {

void append_number(std::string& out, int64_t number);

// Everything up to and with the bracket that opens the choices.
void append_answer_head(std::string& out, const Answer& answer, std::string_view object);

// A tool call up to its input, which follows as a string and two closing braces. In a stream calls
// have an index.
void append_call_head(std::string& out, const ToolCall& call, std::optional<size_t> index);

// The member finish_reason.
void append_finish(std::string& out, const Choice& choice);

}  // namespace mg::lab
