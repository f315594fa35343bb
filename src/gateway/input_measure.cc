#include "gateway/input_measure.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "gateway/doubled_member.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// For the hold: a second of sound is about ten tokens where it is counted by its content, and
// seldom less than a kilobyte. No bound: who counts by time (Gemini: 32 tokens a second) finds
// three times as many in speech of a kilobyte a second, and there are codings that need less.
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

// Ids, types and the like up to this are no text that anybody is charged for.
constexpr size_t kShortBytes = 64;
constexpr int64_t kNumberTokens = 8;
constexpr size_t kAddressBytesMax = 2048;
// Where a text is looked at to see whether it is a file in base 64, and how long one is at least.
constexpr size_t kEncodedBytesMin = 1024;
constexpr size_t kEncodedLook = 256;

bool is_address(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) &&
         text.size() <= kAddressBytesMax && text.find(' ') == std::string_view::npos;
}

bool is_encoded(std::string_view text) {
  if (text.starts_with("data:") && text.substr(0, kEncodedLook).find(";base64,") != text.npos)
    return true;
  const std::string_view look = text.substr(0, kEncodedLook);
  return text.size() >= kEncodedBytesMin && std::all_of(look.begin(), look.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/' || c == '-' || c == '_' || c == '=';
         });
}

// As deep as the body may be nested, which the parser bounds.
void add_unknown(const dom::element& value, InputShape& shape) {
  std::string_view text;
  dom::array list;
  dom::object object;
  if (value.get(text) == simdjson::SUCCESS) {
    if (is_address(text)) {
      shape.add_reference();
    } else if (is_encoded(text)) {
      shape.add_open();
      shape.add_tokens(static_cast<int64_t>(text.size()) * 3 / 4 / kFileBytesPerToken);
    } else {
      shape.add_text(text);
    }
  } else if (value.get(list) == simdjson::SUCCESS) {
    for (dom::element item : list) add_unknown(item, shape);
  } else if (value.get(object) == simdjson::SUCCESS) {
    for (const auto& [key, member] : object) {
      shape.add_text(key);
      add_unknown(member, shape);
    }
  } else if (value.is_number()) {
    shape.add_tokens(kNumberTokens);
  }
}

// Members at the top of a request that tell how to answer, and are in no prompt; sorted.
// clang-format off
constexpr std::array<std::string_view, 44> kSettings = {
    "audio", "best_of", "dimensions", "echo", "encoding_format", "frequency_penalty",
    "function_call", "guided_json", "ignore_eos", "include_reasoning", "input_type",
    "length_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata",
    "min_p", "min_tokens", "modalities", "model", "n", "parallel_tool_calls", "presence_penalty",
    "prompt_cache_key", "prompt_cache_retention", "reasoning", "reasoning_effort",
    "repetition_penalty", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
    "stream_options", "temperature", "thinking", "tool_choice", "top_k", "top_logprobs", "top_p",
    "user", "verbosity",
};
// clang-format on
static_assert(std::is_sorted(kSettings.begin(), kSettings.end()));

bool is_given(dom::object object, std::string_view member, dom::element& value) {
  return object[member].get(value) == simdjson::SUCCESS && !value.is_null();
}

int64_t decoded_bytes(std::string_view base64) {
  return static_cast<int64_t>(base64.size()) * 3 / 4;
}

bool is_any_of(std::string_view member, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), member) != names.end();
}

// Reads one message after the other. What it has no name for is read as well: vendors render such
// members into the prompt, and who pays for a prompt must not choose where it stands.
class ChatMeasure {
 public:
  ChatMeasure(InputShape& shape, api::FeatureFacts& has) : shape_(shape), has_(has) {}

  // The first member that stands twice in an object whose members are looked up here.
  const std::optional<InputProblem>& doubled() const { return doubled_; }

  void add_message(dom::object message) {
    shape_.add_message();
    check_object(message, "messages");
    for (const auto& [key, value] : message) {
      if (key == "content") {
        add_content(value);
      } else if (key == "tool_calls") {
        add_calls(value);
      } else if (key == "function_call") {
        add_function(value, "messages.function_call");
      } else if (key == "audio") {
        if (!value.is_null()) shape_.add_reference();
        if (!value.is_object()) add_unknown(value, shape_);
      } else if (is_any_of(key, {"role", "tool_call_id", "id", "type"})) {
        add_short(value);
      } else if (is_any_of(key, {"name", "refusal", "reasoning_content", "reasoning"})) {
        add_said(value);
      } else {
        add_unknown(value, shape_);
      }
    }
  }

  void add_tools(dom::object request) {
    for (std::string_view member : {"tools", "functions"}) {
      dom::element given;
      dom::array tools;
      if (!is_given(request, member, given)) continue;
      if (given.get(tools) != simdjson::SUCCESS) {
        add_unknown(given, shape_);
        continue;
      }
      for (dom::element tool : tools) add_tool(tool, member);
    }
  }

  void add_features(dom::object request) {
    dom::element value;
    if (is_given(request, "response_format", value)) add_format(value);
    has_.reasoning =
        is_given(request, "reasoning_effort", value) || is_given(request, "reasoning", value);
    has_.audio = has_.audio || is_given(request, "audio", value);
    // What was said before and is kept with the provider.
    for (std::string_view member : {"prediction", "previous_response_id", "conversation"})
      if (is_given(request, member, value)) shape_.add_reference();
    for (std::string_view member : {"prediction", "web_search_options", "text"}) {
      dom::object object;
      if (request[member].get(object) == simdjson::SUCCESS) check_with(object, member, {"format"});
    }
  }

 private:
  // Of the object at `where`, or of the member `within` it.
  void check_object(dom::object object, std::string_view where, std::string_view within = {}) {
    if (doubled_) return;
    const auto twice = doubled_member(object);
    if (!twice) return;
    std::string place(where);
    if (!within.empty()) place.append(".").append(within);
    const std::string name(*twice);
    doubled_ = {"the member " + name + " stands twice in " + place, place + "." + name};
  }

  // Where it is no object, nothing is looked up in it.
  void check_once(dom::element value, std::string_view where, std::string_view within = {}) {
    dom::object object;
    if (value.get(object) == simdjson::SUCCESS) check_object(object, where, within);
  }

  // An object, and such members of it as are objects.
  void check_with(dom::object object, std::string_view where,
                  std::initializer_list<std::string_view> members) {
    check_object(object, where);
    dom::element value;
    for (std::string_view member : members)
      if (is_given(object, member, value)) check_once(value, where, member);
  }

  void add_tool(dom::element tool, std::string_view member) {
    has_.tools = true;
    shape_.add_tool(simdjson::to_string(tool));
    dom::object made;
    if (tool.get(made) != simdjson::SUCCESS) return shape_.add_open();
    check_with(made, member, {"function", "custom"});
    // What the client runs itself is all in its definition. Any other tool brings in what the
    // provider finds with it, and some are told by another member than `type` (`google_search`).
    // What stands in `functions` has no type, but a name.
    std::string_view text;
    const bool has_type = made["type"].get(text) != simdjson::NO_SUCH_FIELD;
    const bool is_function =
        has_type ? is_any_of(text, {"function", "custom"})
                 : member == "functions" && made["name"].get(text) == simdjson::SUCCESS;
    if (!is_function) shape_.add_open();
  }

  void add_format(dom::element given) {
    dom::object format;
    if (given.get(format) != simdjson::SUCCESS) return add_unknown(given, shape_);
    check_with(format, "response_format", {"json_schema"});
    has_.json_schema = text_of(format, "type") == "json_schema";
    if (format.size() > 1) shape_.add_format(simdjson::to_string(given));
  }

  // Ids and the like are part of what a message costs anyway, as long as they are short.
  void add_short(dom::element value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.size() > kShortBytes)
      add_unknown(value, shape_);
  }

  void add_content(dom::element content) {
    dom::array parts;
    if (content.get(parts) != simdjson::SUCCESS) return add_said(content);
    for (dom::element part : parts) {
      dom::object object;
      if (part.get(object) == simdjson::SUCCESS) {
        add_part(object);
      } else {
        add_said(part);
      }
    }
  }

  // Text, whatever it looks like: an address that is said is not an address that is opened.
  void add_said(dom::element value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return add_unknown(value, shape_);
    shape_.add_text(text);
  }

  void add_part(dom::object part) {
    check_object(part, kParts);
    const std::string_view type = text_of(part, "type");
    dom::element value;
    const bool is_image = is_any_of(type, {"image", "image_url", "input_image"}) ||
                          is_given(part, "image_url", value);
    if (is_image) add_image(part);
    for (const auto& [key, member] : part) {
      if (is_any_of(key, {"type", "cache_control"})) {
        add_short(member);
      } else if (is_any_of(key, {"text", "refusal"})) {
        add_said(member);
      } else if (is_image &&
                 is_any_of(key, {"image_url", "image", "source", "detail", "file_id"})) {
        check_once(member, kParts, key);
      } else if (key == "input_audio") {
        has_.audio = true;
        check_once(member, kParts, key);
        shape_.add_open();  // its length is not known, and its named format only the client's word
        if (!member.is_object()) add_unknown(member, shape_);
        shape_.add_tokens(decoded_bytes(data_of(member, "data")) / kAudioBytesPerToken + 1);
      } else if (key == "file") {
        check_once(member, kParts, key);
        shape_.add_reference();
        shape_.add_tokens(decoded_bytes(data_of(member, "file_data")) / kFileBytesPerToken);
      } else if (key == "video_url") {
        has_.images = true;
        check_once(member, kParts, key);
        shape_.add_reference();
        shape_.add_tokens(decoded_bytes(data_of(member, "url")) / kFileBytesPerToken);
      } else {
        add_unknown(member, shape_);
      }
    }
  }

  // As OpenAI has it, `image_url` is an object; elsewhere it is the address itself.
  void add_image(dom::object part) {
    has_.images = true;
    dom::object inner;
    std::string_view detail = text_of(part, "detail");
    if (part["image_url"].get(inner) == simdjson::SUCCESS) detail = text_of(inner, "detail");
    ImageShape image;
    if (detail == "low") image.detail = ImageDetail::low;
    if (detail == "high") image.detail = ImageDetail::high;
    shape_.add_image(image);
  }

  // The text of a member, or of the value itself.
  static std::string_view data_of(dom::element value, std::string_view member) {
    std::string_view text;
    dom::object object;
    if (value.get(object) == simdjson::SUCCESS) return text_of(object, member);
    return value.get(text) == simdjson::SUCCESS ? text : std::string_view();
  }

  void add_calls(dom::element calls) {
    dom::array list;
    if (calls.get(list) != simdjson::SUCCESS) return add_unknown(calls, shape_);
    for (dom::element entry : list) {
      dom::object call;
      if (entry.get(call) != simdjson::SUCCESS) {
        add_unknown(entry, shape_);
        continue;
      }
      check_object(call, "messages.tool_calls");
      for (const auto& [key, value] : call) {
        if (key == "function") {
          add_function(value, "messages.tool_calls.function");
        } else if (is_any_of(key, {"id", "type", "index"})) {
          add_short(value);
        } else {
          add_unknown(value, shape_);
        }
      }
    }
  }

  void add_function(dom::element function, std::string_view where) {
    dom::object made;
    if (function.get(made) != simdjson::SUCCESS) return add_unknown(function, shape_);
    check_object(made, where);
    shape_.add_tool_call();
    for (const auto& [key, value] : made) add_said(value);
  }

  static constexpr std::string_view kParts = "messages.content";

  InputShape& shape_;
  api::FeatureFacts& has_;
  std::optional<InputProblem> doubled_;
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

void measure_others(const dom::object& request, std::initializer_list<std::string_view> measured,
                    InputShape& shape) {
  for (const auto& [key, value] : request) {
    if (std::binary_search(kSettings.begin(), kSettings.end(), key) || is_any_of(key, measured))
      continue;
    const bool is_off = value.is_null() || (value.is_bool() && !value.get_bool().value_unsafe());
    if (is_off || value.is_number()) continue;
    shape.add_open();
    add_unknown(value, shape);
  }
}

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
  if (measure.doubled()) return measure.doubled();
  measure_others(request,
                 {"messages", "tools", "functions", "response_format", "prediction",
                  "previous_response_id", "conversation"},
                 shape);
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
