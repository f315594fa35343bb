#include "gateway/input_measure.h"

#include <simdjson.h>

#include "base/limits.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// A second of sound is about ten tokens, and no usual coding makes it less than a kilobyte.
constexpr int64_t kAudioBytesPerToken = 100;
// A page of a document: seldom more than this many tokens for its bytes.
constexpr int64_t kFileBytesPerToken = 8;

InputProblem problem(std::string_view member, std::string_view must_be) {
  return {std::string(member) + " must be " + std::string(must_be), std::string(member)};
}

std::string_view text_of(dom::object object, std::string_view member) {
  std::string_view text;
  return object[member].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

// Reads one message after the other; what it does not know it takes for text that is not counted.
class ChatMeasure {
 public:
  ChatMeasure(InputShape& shape, api::FeatureFacts& has) : shape_(shape), has_(has) {}

  void add_message(dom::object message) {
    shape_.add_message();
    for (std::string_view member : {"name", "refusal", "reasoning_content"})
      shape_.add_text(text_of(message, member));
    add_content(message);
    dom::array calls;
    if (message["tool_calls"].get(calls) == simdjson::SUCCESS)
      for (dom::element call : calls) add_call(call, "function");
    dom::object call;
    if (message["function_call"].get(call) == simdjson::SUCCESS)
      shape_.add_tool_call(text_of(call, "name"), text_of(call, "arguments"));
    if (message["audio"].get(call) == simdjson::SUCCESS) shape_.add_reference();
  }

  void add_tools(dom::object request) {
    for (const char* member : {"tools", "functions"}) {
      dom::array tools;
      if (request[member].get(tools) != simdjson::SUCCESS) continue;
      for (dom::element tool : tools) {
        has_.tools = true;
        shape_.add_tool(simdjson::to_string(tool));
      }
    }
  }

  void add_features(dom::object request) {
    dom::object format;
    dom::element value;
    if (request["response_format"].get(format) == simdjson::SUCCESS &&
        text_of(format, "type") == "json_schema") {
      has_.json_schema = true;
      if (format["json_schema"].get(value) == simdjson::SUCCESS)
        shape_.add_format(simdjson::to_string(value));
    }
    const auto is_given = [&](std::string_view member) {
      return request[member].get(value) == simdjson::SUCCESS && !value.is_null();
    };
    has_.reasoning = is_given("reasoning_effort") || is_given("reasoning");
    has_.audio = has_.audio || is_given("audio");
    // What was said before and is kept with the provider.
    for (std::string_view member : {"prediction", "previous_response_id", "conversation"})
      if (is_given(member)) shape_.add_reference();
  }

 private:
  void add_content(dom::object message) {
    shape_.add_text(text_of(message, "content"));
    dom::array parts;
    if (message["content"].get(parts) != simdjson::SUCCESS) return;
    for (dom::element part : parts) {
      dom::object object;
      if (part.get(object) == simdjson::SUCCESS) add_part(object);
    }
  }

  void add_part(dom::object part) {
    for (std::string_view member : {"text", "refusal"}) shape_.add_text(text_of(part, member));
    dom::object inner;
    if (part["image_url"].get(inner) == simdjson::SUCCESS) {
      has_.images = true;
      const std::string_view detail = text_of(inner, "detail");
      ImageShape image;
      if (detail == "low") image.detail = ImageDetail::low;
      if (detail == "high") image.detail = ImageDetail::high;
      shape_.add_image(image);
    } else if (part["input_audio"].get(inner) == simdjson::SUCCESS) {
      has_.audio = true;
      shape_.add_tokens(decoded_bytes(text_of(inner, "data")) / kAudioBytesPerToken + 1);
    } else if (part["file"].get(inner) == simdjson::SUCCESS) {
      shape_.add_reference();
      shape_.add_tokens(decoded_bytes(text_of(inner, "file_data")) / kFileBytesPerToken);
    } else if (part["video_url"].get(inner) == simdjson::SUCCESS) {
      has_.images = true;
      shape_.add_reference();
      shape_.add_tokens(decoded_bytes(text_of(inner, "url")) / kFileBytesPerToken);
    }
  }

  void add_call(dom::element call, std::string_view kind) {
    dom::object made;
    if (call[kind].get(made) == simdjson::SUCCESS)
      shape_.add_tool_call(text_of(made, "name"), text_of(made, "arguments"));
  }

  static int64_t decoded_bytes(std::string_view base64) {
    return static_cast<int64_t>(base64.size()) * 3 / 4;
  }

  InputShape& shape_;
  api::FeatureFacts& has_;
};

// The numbers of one list of tokens; nothing where it is none.
std::optional<int64_t> token_count(dom::array list) {
  for (dom::element item : list) {
    int64_t token = 0;
    if (item.get(token) != simdjson::SUCCESS || token < 0) return std::nullopt;
  }
  return static_cast<int64_t>(list.size());
}

}  // namespace

std::optional<InputProblem> measure_chat(const dom::object& request, InputShape& shape,
                                         api::FeatureFacts& has) {
  dom::array messages;
  if (request["messages"].get(messages) != simdjson::SUCCESS || messages.size() == 0)
    return problem("messages", "a list of at least one message");
  ChatMeasure measure(shape, has);
  for (dom::element entry : messages) {
    dom::object message;
    if (entry.get(message) != simdjson::SUCCESS || text_of(message, "role").empty())
      return problem("messages", "a list of objects with a role");
    measure.add_message(message);
  }
  measure.add_tools(request);
  measure.add_features(request);
  return std::nullopt;
}

std::optional<InputProblem> measure_inputs(const dom::element& input, std::string_view member,
                                           InputShape& shape, int64_t& inputs) {
  constexpr std::string_view kMustBe = "a text, or a list of texts or of tokens";
  std::string_view text;
  dom::array list;
  inputs = 1;
  if (input.get(text) == simdjson::SUCCESS) {
    shape.add_text(text);
    return std::nullopt;
  }
  if (input.get(list) != simdjson::SUCCESS || list.size() == 0) return problem(member, kMustBe);
  if (const auto tokens = token_count(list)) {
    shape.add_tokens(*tokens);
    return std::nullopt;
  }
  inputs = static_cast<int64_t>(list.size());
  if (list.size() > limits::embedding_inputs_max)
    return problem(
        member, "a list of at most " + std::to_string(limits::embedding_inputs_max) + " entries");
  for (dom::element entry : list) {
    dom::array tokens;
    if (entry.get(text) == simdjson::SUCCESS) {
      shape.add_text(text);
    } else if (entry.get(tokens) == simdjson::SUCCESS && token_count(tokens)) {
      shape.add_tokens(*token_count(tokens));
    } else {
      return problem(member, kMustBe);
    }
  }
  return std::nullopt;
}

}  // namespace mg::gateway
