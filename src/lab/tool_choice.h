// Which tools an answer calls, and with what.
#pragma once

#include <vector>

#include "lab/choice.h"
#include "lab/conversation.h"

namespace mg::lab {

// With tool_choice "required" or the name of a tool, that one; with "auto", those whose name and
// description share words with the last thing the user said, unless a tool has just answered: then
// it is time to speak. One at most with parallel_tool_calls false. None where nothing is called.
Asked<std::vector<ToolCall>> choose_calls(const simdjson::dom::object& request,
                                          const Conversation& conversation, const Subject& subject,
                                          uint64_t seed);

}  // namespace mg::lab
