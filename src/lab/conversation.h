// The messages of a chat, read. Internal to this folder.
#pragma once

#include <string>
#include <vector>

#include "lab/asked.h"
#include "lab/picture.h"

namespace mg::lab {

// What the messages of a chat say.
struct Conversation {
  // 3, and for each message 3 and the tokens of its texts, names and tool calls.
  int64_t tokens = 0;
  std::string user;               // the last message of the user's
  std::vector<Picture> pictures;  // in it
  std::string tool;               // what a tool said, where that comes last
  bool ends_with_tool = false;
};
Asked<Conversation> read_conversation(const simdjson::dom::object& request);

}  // namespace mg::lab
