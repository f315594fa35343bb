#include "gateway/answer_reader.h"

#include <simdjson.h>

#include "base/limits.h"
#include "base/text.h"
#include "gateway/echo.h"
#include "gateway/lenient_json.h"
#include "gateway/request_body.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

constexpr size_t kKeepBytes = 1 * limits::MiB;
constexpr std::string_view kUsageName = "\"usage\"";
constexpr size_t kUsageBytesMax = 16 * limits::KiB;

// Of sound and pictures that nobody reports: a token is 50 ms of sound, which streams as 16 bits at
// 24 kHz in Base64, and a picture is as Gemini counts one of its own.
constexpr int64_t kAudioBytesPerToken = 3'200;
constexpr int64_t kImageTokens = 1'290;

void add_text(dom::object object, std::string_view member, TokenCounter* generated) {
  std::string_view text;
  if (object[member].get(text) == simdjson::SUCCESS) generated->add(text);
}

// A text, or what was meant as one: some vendors give arguments as an object.
void add_value(dom::object object, std::string_view member, TokenCounter* generated) {
  dom::element value;
  if (object[member].get(value) != simdjson::SUCCESS || value.is_null()) return;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    generated->add(text);
  } else {
    generated->add(simdjson::minify(value));
  }
}

// The texts of a list of objects, under the names that vendors give them.
void add_texts(dom::object message, std::string_view list, TokenCounter* generated) {
  dom::array entries;
  if (message[list].get(entries) != simdjson::SUCCESS) return;
  for (dom::element entry : entries) {
    dom::object object;
    if (entry.get(object) != simdjson::SUCCESS) continue;
    for (std::string_view member : {"text", "summary", "thinking"})
      add_text(object, member, generated);
  }
}

void add_tool_calls(dom::object message, TokenCounter* generated) {
  dom::array calls;
  if (message["tool_calls"].get(calls) != simdjson::SUCCESS) return;
  for (dom::element call : calls) {
    for (const char* kind : {"function", "custom"}) {
      dom::object made;
      if (call[kind].get(made) != simdjson::SUCCESS) continue;
      for (std::string_view member : {"name", "arguments", "input"})
        add_value(made, member, generated);
    }
  }
}

// Content is a text, or a list of parts (Mistral's thinking, audio transcripts).
void add_content(dom::object message, TokenCounter* generated) {
  dom::array parts;
  add_text(message, "content", generated);
  if (message["content"].get(parts) != simdjson::SUCCESS) return;
  for (dom::element part : parts) {
    dom::object object;
    if (part.get(object) != simdjson::SUCCESS) continue;
    add_text(object, "text", generated);
    add_text(object, "thinking", generated);
    add_texts(object, "thinking", generated);
  }
}

// The same thought under several names must not count twice.
void add_reasoning(dom::object message, TokenCounter* generated) {
  for (std::string_view member : {"reasoning_content", "reasoning"}) {
    std::string_view text;
    if (message[member].get(text) != simdjson::SUCCESS || text.empty()) continue;
    generated->add(text);
    return;
  }
  const bool has_details = message["reasoning_details"].error() == simdjson::SUCCESS;
  add_texts(message, has_details ? "reasoning_details" : "thinking_blocks", generated);
}

void add_media(dom::object message, AnswerFacts& facts) {
  std::string_view data;
  if (message["audio"]["data"].get(data) == simdjson::SUCCESS)
    facts.audio_tokens +=
        (static_cast<int64_t>(data.size()) + kAudioBytesPerToken - 1) / kAudioBytesPerToken;
  dom::array images;
  if (message["images"].get(images) == simdjson::SUCCESS)
    facts.image_tokens += static_cast<int64_t>(images.size()) * kImageTokens;
}

// A `message` of a plain answer or a `delta` of a chunk.
void add_message(dom::object message, TokenCounter* generated, AnswerFacts& facts) {
  add_content(message, generated);
  add_text(message, "refusal", generated);
  add_reasoning(message, generated);
  add_tool_calls(message, generated);
  add_media(message, facts);
  dom::object made;
  if (message["function_call"].get(made) == simdjson::SUCCESS) {
    add_text(made, "name", generated);
    add_text(made, "arguments", generated);
  }
  if (message["audio"].get(made) == simdjson::SUCCESS) add_text(made, "transcript", generated);
}

// Where the member is missing there is one choice.
uint64_t index_of(dom::object choice) {
  uint64_t index = 0;
  return choice["index"].get(index) == simdjson::SUCCESS ? index : 0;
}

void read_choices(dom::object answer, AnswerFacts& facts, TokenCounter* generated, Echo* echo) {
  dom::array choices;
  if (answer["choices"].get(choices) != simdjson::SUCCESS) return;
  for (dom::element entry : choices) {
    dom::object choice, message;
    if (entry.get(choice) != simdjson::SUCCESS) continue;
    facts.has_choices = facts.has_answer = true;
    std::string_view reason;
    if (choice["finish_reason"].get(reason) == simdjson::SUCCESS && !reason.empty()) {
      facts.is_finished = true;
      const uint64_t index = index_of(choice);
      if (index < facts.finished.size()) facts.finished.set(index);
    }
    if (!generated) continue;
    if (choice["delta"].get(message) == simdjson::SUCCESS) {
      add_message(message, generated, facts);
    } else if (choice["message"].get(message) == simdjson::SUCCESS) {
      add_message(message, generated, facts);
    }
    if (std::string_view text; choice["text"].get(text) == simdjson::SUCCESS)  // a completion's
      generated->add(echo ? echo->beyond(index_of(choice), text) : text);
  }
}

// Some write "error": "" or {} into every chunk.
bool says_something(dom::element value) {
  std::string_view text;
  dom::object object;
  bool truth = true;
  if (value.get(text) == simdjson::SUCCESS) return !text.empty();
  if (value.get(object) == simdjson::SUCCESS) return object.size() > 0;
  if (value.get(truth) == simdjson::SUCCESS) return truth;
  return !value.is_null();
}

bool carries_error(dom::object answer) {
  dom::element error;
  if (answer["error"].get(error) == simdjson::SUCCESS && says_something(error)) return true;
  int64_t status = 0;  // MiniMax answers 200 and says so here
  return answer["base_resp"]["status_code"].get(status) == simdjson::SUCCESS && status != 0;
}

// An error that is the whole document, as several servers write it.
bool is_flat_error(dom::object answer) {
  std::string_view text;
  if (answer["object"].get(text) == simdjson::SUCCESS && text == "error") return true;
  const bool is_answer = answer["choices"].error() == simdjson::SUCCESS ||
                         answer["data"].error() == simdjson::SUCCESS ||
                         answer["usage"].error() == simdjson::SUCCESS;
  return !is_answer && (answer["message"].get(text) == simdjson::SUCCESS ||
                        answer["msg"].get(text) == simdjson::SUCCESS);
}

bool has_embeddings(dom::object answer) {
  dom::array data;
  return answer["data"].get(data) == simdjson::SUCCESS && data.size() > 0;
}

// Where the cost goes in one usage object of the document that begins at `text`: in the place of
// every member of that name, because readers differ in which of two they believe.
bool add_cost_splices(ondemand::value value, std::string_view cost, const char* text,
                      std::vector<Splice>& splices) {
  ondemand::object usage;
  const auto brace = static_cast<size_t>(value.raw_json_token().data() - text);
  if (value.get_object().get(usage) != simdjson::SUCCESS) return false;
  bool is_empty = true, has_cost = false;
  for (auto field : usage) {
    is_empty = false;
    std::string_view key, token;
    ondemand::value old;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return false;
    if (key != "cost") continue;
    if (field.value().get(old) != simdjson::SUCCESS ||
        simdjson::to_json_string(old).get(token) != simdjson::SUCCESS)
      return false;
    splices.push_back({static_cast<size_t>(token.data() - text), token.size(), std::string(cost)});
    has_cost = true;
  }
  if (!has_cost)
    splices.push_back({brace + 1, 0, "\"cost\":" + std::string(cost) + (is_empty ? "" : ",")});
  return true;
}

// The object that the text begins with; empty where its end is not there. (What follows may be cut
// anywhere, which no parser takes.)
std::string_view object_at(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\') {
        ++i;
      } else {
        in_string = text[i] != '"';
      }
      continue;
    }
    in_string = text[i] == '"';
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(0, i + 1);
  }
  return {};
}

}  // namespace

struct AnswerReader::Parsers {
  dom::parser dom;
  std::string padded;
};

AnswerReader::AnswerReader() : parsers_(std::make_unique<Parsers>()) {}
AnswerReader::~AnswerReader() = default;

AnswerFacts AnswerReader::read(std::string_view json, const api::Provider& provider,
                               TokenCounter* generated, Echo* echo) {
  AnswerFacts facts;
  json = without_byte_order_mark(json);
  if (parsers_->dom.capacity() > kKeepBytes) *parsers_ = Parsers();
  parsers_->padded.reserve(json.size() + simdjson::SIMDJSON_PADDING);
  parsers_->padded.assign(json);
  dom::object answer;
  dom::element document;
  auto error =
      parsers_->dom.parse(parsers_->padded.data(), parsers_->padded.size(), false).get(document);
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR)
    error = parsers_->dom.parse(readable(json)).get(document);
  if (error != simdjson::SUCCESS || document.get(answer) != simdjson::SUCCESS) return facts;
  facts.is_json = true;
  facts.is_error = carries_error(answer);
  read_choices(answer, facts, generated, echo);
  if (!facts.has_choices) {
    facts.has_answer = has_embeddings(answer);
    facts.is_error = facts.is_error || is_flat_error(answer);
  }
  if (const auto usage = find_usage(document, provider)) {
    facts.has_usage = true;
    facts.usage = read_usage(*usage);
  }
  return facts;
}

bool AnswerReader::is_object(std::string_view json) {
  dom::parser parser;
  dom::object object;
  const std::string text = readable(without_byte_order_mark(json));
  return parser.parse(text).get(object) == simdjson::SUCCESS;
}

std::optional<std::string> AnswerReader::error_words(std::string_view json) {
  dom::parser parser;
  dom::element document;
  const std::string text = readable(without_byte_order_mark(json));
  if (parser.parse(text).get(document) != simdjson::SUCCESS) return std::nullopt;
  if (document.is_array() && document.at(0).get(document) != simdjson::SUCCESS) return "";
  std::string words;
  for (const auto& place :
       {document["error"]["message"], document["error"]["type"], document["error"]["code"],
        document["error"]["metadata"]["raw"], document["error"], document["message"],
        document["msg"], document["detail"], document["type"], document["code"],
        document["base_resp"]["status_msg"]}) {
    std::string_view said;
    if (place.get(said) == simdjson::SUCCESS) words.append(said).append("\n");
  }
  return words;
}

std::string AnswerReader::error_text(std::string_view json) {
  dom::parser parser;
  dom::element document, error;
  std::string_view message;
  const std::string text = readable(without_byte_order_mark(json));
  if (parser.parse(text).get(document) != simdjson::SUCCESS) return {};
  if (document.is_array() && document.at(0).get(document) != simdjson::SUCCESS) return {};
  if (document["error"]["message"].get(message) == simdjson::SUCCESS ||
      document["message"].get(message) == simdjson::SUCCESS ||
      document["msg"].get(message) == simdjson::SUCCESS ||
      document["error"].get(message) == simdjson::SUCCESS ||
      document["base_resp"]["status_msg"].get(message) == simdjson::SUCCESS)
    return std::string(message);
  return {};
}

std::optional<AnswerFacts> usage_in_part(std::string_view part) {
  const size_t name = part.rfind(kUsageName);
  // Within a text of JSON the quotes would be escaped: what stands here is a member.
  const auto next = [&part](size_t from) { return part.find_first_not_of(" \t\r\n", from); };
  if (name == std::string_view::npos) return std::nullopt;
  const size_t colon = next(name + kUsageName.size());
  const size_t brace = colon == std::string_view::npos ? colon : next(colon + 1);
  if (brace == std::string_view::npos || part[colon] != ':' || part[brace] != '{')
    return std::nullopt;
  const std::string_view text = object_at(part.substr(brace, kUsageBytesMax));
  dom::parser parser;
  dom::element element;
  if (parser.parse(readable(text)).get(element) != simdjson::SUCCESS) return std::nullopt;
  AnswerFacts facts;
  facts.is_json = facts.has_usage = true;
  facts.usage = read_usage(element);
  return facts;
}

std::optional<std::string> with_cost(std::string_view json, std::string_view cost) {
  const simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object object;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
      document.get_object().get(object) != simdjson::SUCCESS)
    return std::nullopt;
  std::vector<Splice> splices;
  for (auto field : object) {
    std::string_view key;
    ondemand::value value;
    if (field.unescaped_key().get(key) != simdjson::SUCCESS) return std::nullopt;
    if (key != "usage") continue;
    if (field.value().get(value) != simdjson::SUCCESS ||
        !add_cost_splices(value, cost, padded.data(), splices))
      return std::nullopt;
  }
  if (splices.empty()) return std::nullopt;
  std::string out;
  for (std::string_view piece : spliced(json, splices)) out.append(piece);
  return out;
}

}  // namespace mg::gateway
