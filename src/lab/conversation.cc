#include "lab/conversation.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "lab/tokens.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr int64_t kTokensPerMessage = 3;
constexpr int64_t kOpaqueTokens = 100;  // a sound, a file
constexpr std::array<std::string_view, 6> kRoles = {"system",    "developer", "user",
                                                    "assistant", "tool",      "function"};

// One message, as far as it matters.
struct Message {
  std::string_view role;
  std::string text;
  std::vector<Picture> pictures;
  int64_t tokens = kTokensPerMessage;
};

void read_picture(const dom::object& part, Message& message) {
  std::string_view url, detail;
  dom::object image;
  if (part["image_url"].get(image) != simdjson::SUCCESS) return;
  if (image["url"].get(url) != simdjson::SUCCESS) return;
  if (image["detail"].get(detail) != simdjson::SUCCESS) detail = {};
  message.pictures.push_back(look_at(url));
  message.tokens += picture_tokens(message.pictures.back(), detail);
}

void add_text(std::string_view text, Message& message) {
  if (!message.text.empty()) message.text += '\n';
  message.text += text;
  message.tokens += count_tokens(text);
}

Asked<Message> read_content(const dom::object& object, Message message) {
  dom::element content;
  if (object["content"].get(content) != simdjson::SUCCESS || content.is_null()) return message;
  std::string_view text;
  if (content.get(text) == simdjson::SUCCESS) {
    add_text(text, message);
    return message;
  }
  dom::array parts;
  if (content.get(parts) != simdjson::SUCCESS)
    return not_so("messages", "content must be a text or a list of parts.");
  for (const dom::element entry : parts) {
    dom::object part;
    std::string_view type;
    if (entry.get(part) != simdjson::SUCCESS || part["type"].get(type) != simdjson::SUCCESS)
      return not_so("messages", "a part of a message must be an object with a type.");
    if (type == "image_url") {
      read_picture(part, message);
    } else if (part[type == "refusal" ? "refusal" : "text"].get(text) == simdjson::SUCCESS) {
      add_text(text, message);
    } else {
      message.tokens += kOpaqueTokens;
    }
  }
  return message;
}

Asked<Message> read_message(const dom::element& element) {
  dom::object object;
  Message message;
  if (element.get(object) != simdjson::SUCCESS ||
      object["role"].get(message.role) != simdjson::SUCCESS)
    return not_so("messages", "a message must be an object with a role.");
  if (std::find(kRoles.begin(), kRoles.end(), message.role) == kRoles.end())
    return not_so("messages", "'" + std::string(message.role.substr(0, 32)) + "' is no role.");
  for (const char* member : {"name", "tool_calls", "function_call"}) {
    dom::element value;
    if (object[member].get(value) == simdjson::SUCCESS && !value.is_null())
      message.tokens += count_tokens_within(value);
  }
  return read_content(object, std::move(message));
}

}  // namespace

Asked<Conversation> read_conversation(const dom::object& request) {
  dom::array messages;
  if (request["messages"].get(messages) != simdjson::SUCCESS || messages.size() == 0)
    return not_so("messages", "messages must be a list with at least one message.");
  Conversation conversation;
  conversation.tokens = kTokensPerMessage;
  for (const dom::element element : messages) {
    Asked<Message> message = read_message(element);
    if (!message) return tl::unexpected(std::move(message.error()));
    conversation.tokens += message->tokens;
    conversation.ends_with_tool = message->role == "tool" || message->role == "function";
    if (conversation.ends_with_tool) conversation.tool = std::move(message->text);
    if (message->role == "user") {
      conversation.user = std::move(message->text);
      conversation.pictures = std::move(message->pictures);
    }
  }
  return conversation;
}

}  // namespace mg::lab
