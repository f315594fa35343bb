#include "gateway/request_body.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "gateway/doubled_member.h"
#include "gateway/input_measure.h"
#include "gateway/lenient_json.h"
#include "gateway/whole_number.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

static_assert(limits::json_padding_bytes >= simdjson::SIMDJSON_PADDING);

// Members that would choose where a request goes, or with whose credential, if something behind us
// understood them.
constexpr std::array<std::string_view, 11> kRoutingMembers = {
    "api_base", "base_url", "api_key",  "api_version", "extra_headers", "extra_body",
    "models",   "route",    "provider", "fallbacks",   "plugins"};

// Members that decide what a request is and what it costs. Some servers read names without regard
// to case: to them another spelling would be another request.
constexpr std::array<std::string_view, 17> kDecidingMembers = {
    "model",       "stream",    "stream_options", "max_tokens",      "max_completion_tokens",
    "n",           "best_of",   "messages",       "prompt",          "input",
    "tools",       "functions", "service_tier",   "response_format", "dimensions",
    "tool_choice", "suffix"};

// As those servers fold it: ASCII, and the two letters beyond that become ASCII (the long s and the
// Kelvin sign).
std::string folded(std::string_view name) {
  std::string out = to_lower(name);
  for (const auto& [letter, plain] : {std::pair{"\xC5\xBF", 's'}, {"\xE2\x84\xAA", 'k'}})
    for (size_t at = out.find(letter); at != std::string::npos; at = out.find(letter, at))
      out.replace(at, std::strlen(letter), 1, plain);
  return out;
}

template <size_t kCount>
bool is_in(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

tl::unexpected<Refusal> no(Code code, std::string message, std::string_view param = {}) {
  return tl::unexpected<Refusal>(refusal(code, std::move(message), std::string(param)));
}

tl::unexpected<Refusal> wrong(std::string_view member, std::string_view what) {
  return no(Code::invalid_value, std::string(member) + " must be " + std::string(what), member);
}

// A parser keeps the memory of its largest document, which is many times as large; beyond this it
// goes with the document.
constexpr size_t kParserKeepBytes = 1 * limits::MiB;

// Of each thread that reads bodies, the pool's included.
struct Parsers {
  std::unique_ptr<dom::parser> dom;
  std::unique_ptr<ondemand::parser> span;
};
Parsers& parsers_of_thread() {
  static thread_local Parsers parsers;
  return parsers;
}

void drop_large_parsers() {
  Parsers& parsers = parsers_of_thread();
  if (parsers.dom && parsers.dom->capacity() > kParserKeepBytes) parsers.dom.reset();
  if (parsers.span && parsers.span->capacity() > kParserKeepBytes) parsers.span.reset();
}

dom::parser& dom_parser(size_t text_bytes) {
  std::unique_ptr<dom::parser>& parser = parsers_of_thread().dom;
  const size_t capacity = std::max<size_t>(text_bytes, 4 * limits::KiB);
  if (!parser) parser = std::make_unique<dom::parser>();
  if (parser->capacity() < capacity || parser->max_depth() != limits::body_depth_max)
    MG_ASSERT(parser->allocate(capacity, limits::body_depth_max) == simdjson::SUCCESS);
  return *parser;
}

ondemand::parser& span_parser() {
  std::unique_ptr<ondemand::parser>& parser = parsers_of_thread().span;
  if (!parser) parser = std::make_unique<ondemand::parser>();
  return *parser;
}

}  // namespace

std::string_view path_of(Operation operation) {
  switch (operation) {
    case Operation::chat:
      return "/v1/chat/completions";
    case Operation::completion:
      return "/v1/completions";
    case Operation::embedding:
      return "/v1/embeddings";
  }
  MG_ASSERT(!"operation out of range");
}

std::string_view name(Operation operation) {
  switch (operation) {
    case Operation::chat:
      return "chat";
    case Operation::completion:
      return "completion";
    case Operation::embedding:
      return "embedding";
  }
  MG_ASSERT(!"operation out of range");
}

// Reads one body: first the whole as a document, which decides whether it is JSON and what its
// members say, then the places of the members that may be spliced.
class BodyReader {
 public:
  using Checked = tl::expected<void, Refusal>;

  BodyReader(Operation operation, RequestBody& body) : operation_(operation), body_(body) {}

  Checked read() {
    if (body_.text_.starts_with(kByteOrderMark)) body_.text_.erase(0, kByteOrderMark.size());
    body_.bytes_ = body_.text_.size();
    body_.shape_ = std::make_unique<InputShape>();
    body_.text_.reserve(body_.text_.size() + limits::json_padding_bytes);
    dom::object object;
    auto error = dom_parser(body_.text_.size())
                     .parse(body_.text_.data(), body_.text_.size(), false)
                     .get(object);
    if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR)
      error = dom_parser(body_.text_.size()).parse(readable(body_.text_)).get(object);
    if (error == simdjson::INCORRECT_TYPE)
      return no(Code::invalid_json, "the body must be a JSON object");
    if (error)
      return no(Code::invalid_json,
                std::string("the body is not valid JSON: ") + simdjson::error_message(error));
    for (const auto check :
         {&BodyReader::check_members, &BodyReader::read_model, &BodyReader::read_stream,
          &BodyReader::read_limits, &BodyReader::read_input, &BodyReader::read_texts})
      if (const Checked ok = (this->*check)(object); !ok) return ok;
    locate();
    return {};
  }

 private:
  // No member twice: whoever reads the first and whoever reads the last would see two requests.
  // (What is within the members is looked at while it is measured.)
  Checked check_members(dom::object object) {
    if (const auto twice = doubled_member(object))
      return no(Code::invalid_value, "the member " + std::string(*twice) + " stands twice", *twice);
    for (const auto& [key, value] : object) {
      if (is_in(kDecidingMembers, key)) continue;
      const std::string name = folded(key);
      if (is_in(kRoutingMembers, name))
        return no(Code::unsupported_parameter, name + " is not supported", key);
      if (is_in(kDecidingMembers, name))
        return no(Code::invalid_value,
                  "the member " + std::string(key) + " is to be spelled " + name, key);
    }
    return {};
  }

  Checked read_model(dom::object object) {
    std::string_view model;
    if (object["model"].get(model) != simdjson::SUCCESS || model.empty() ||
        model.size() > limits::model_name_bytes_max)
      return wrong("model", "the name of a model");
    body_.model_ = model;
    return {};
  }

  Checked read_stream(dom::object object) {
    dom::element value;
    if (present(object, "stream", value) && value.get(body_.stream_) != simdjson::SUCCESS)
      return wrong("stream", "true or false");
    if (body_.stream_ && operation_ == Operation::embedding)
      return no(Code::unsupported_parameter, "embeddings are not streamed", "stream");
    if (!present(object, "stream_options", value)) return {};
    dom::object options;
    if (value.get(options) != simdjson::SUCCESS) return wrong("stream_options", "an object");
    size_t found = 0;
    for (const auto& [key, option] : options) {
      if (key != "include_usage") continue;
      if (++found > 1) return wrong("stream_options.include_usage", "there once");
      if (!option.is_null() && option.get(body_.asks_usage_) != simdjson::SUCCESS)
        return wrong("stream_options.include_usage", "true or false");
    }
    return {};
  }

  Checked read_limits(dom::object object) {
    std::optional<int64_t> limit;
    if (operation_ == Operation::embedding)
      return read_count(object, "dimensions", limits::embedding_dimensions_max, limit);
    for (std::string_view member : {"max_completion_tokens", "max_tokens"}) {
      limit.reset();
      if (const Checked ok = read_count(object, member, limits::output_tokens_max, limit); !ok)
        return ok;
      // Vendors differ in which of the two they heed: the larger one must be there to be paid.
      if (limit && (!body_.output_limit_ || *limit > *body_.output_limit_))
        body_.output_limit_ = limit;
    }
    // Some vendors let a model think beyond its limit, for as long as another member says.
    if (body_.output_limit_)
      body_.output_limit_ =
          std::min(*body_.output_limit_ + thinking_budget(object), limits::output_tokens_max);
    std::optional<int64_t> n, best_of;
    if (const Checked ok = read_count(object, "n", limits::choices_max, n); !ok) return ok;
    if (const Checked ok = read_count(object, "best_of", limits::choices_max, best_of); !ok)
      return ok;
    body_.choices_ = std::max(n.value_or(1), best_of.value_or(1));
    body_.answers_ = n.value_or(1);
    return {};
  }

  static int64_t thinking_budget(dom::object object) {
    int64_t most = 0;
    for (const auto& budget : {object["thinking_budget"], object["reasoning"]["max_tokens"],
                               object["thinking"]["budget_tokens"]}) {
      dom::element value;
      if (budget.get(value) != simdjson::SUCCESS) continue;
      most = std::max(most, whole_number(value, 0, limits::output_tokens_max).value_or(0));
    }
    return most;
  }

  Checked read_count(dom::object object, std::string_view member, int64_t most,
                     std::optional<int64_t>& out) {
    dom::element value;
    if (!present(object, member, value)) return {};
    // Legacy completions that only score a prompt want nothing written; room for one is held.
    const bool scores = operation_ == Operation::completion && member == "max_tokens";
    const auto count = whole_number(value, scores ? 0 : 1, most);
    if (!count) return wrong(member, "a whole number from 1 to " + std::to_string(most));
    out = std::max<int64_t>(1, *count);
    return {};
  }

  Checked read_input(dom::object object) {
    const std::string_view member = operation_ == Operation::chat         ? "messages"
                                    : operation_ == Operation::completion ? "prompt"
                                                                          : "input";
    dom::element input;
    if (!present(object, member, input))
      return no(Code::invalid_value, std::string(member) + " is missing", member);
    int64_t inputs = 1;
    const auto problem = operation_ == Operation::chat
                             ? measure_chat(object, *body_.shape_, body_.has_)
                             : measure_inputs(input, member, *body_.shape_, inputs);
    if (problem) return no(Code::invalid_value, problem->what, problem->member);
    if (operation_ != Operation::chat) measure_others(object, {member}, *body_.shape_);
    // Each of several prompts is completed.
    if (operation_ == Operation::completion) {
      body_.choices_ *= inputs;
      body_.answers_ *= inputs;
    }
    if (body_.choices_ > limits::choices_max)
      return wrong("n", "such that no more than " + std::to_string(limits::choices_max) +
                            " completions are asked for");
    if (operation_ == Operation::completion) read_echo(object, input);
    return {};
  }

  void read_echo(dom::object object, dom::element prompt) {
    bool wanted = false;
    if (object["echo"].get(wanted) != simdjson::SUCCESS || !wanted) return;
    Prompts prompts;
    std::string_view text;
    dom::array list;
    if (prompt.get(text) == simdjson::SUCCESS) {
      prompts.emplace_back(text);
    } else if (prompt.get(list) == simdjson::SUCCESS && !list.at(0).is_number()) {
      for (const dom::element one : list)
        prompts.emplace_back(one.get(text) == simdjson::SUCCESS ? text : std::string_view());
    }
    body_.echoed_prompts_ = std::make_shared<const Prompts>(std::move(prompts));
  }

  Checked read_texts(dom::object object) {
    dom::element value;
    std::string_view text;
    if (present(object, "service_tier", value)) {
      if (value.get(text) != simdjson::SUCCESS) return wrong("service_tier", "a string");
      body_.service_tier_ = text.substr(0, limits::session_bytes_max);
    }
    for (std::string_view member : {"prompt_cache_key", "user"}) {
      if (!body_.session_.empty() || !present(object, member, value)) continue;
      if (value.get(text) != simdjson::SUCCESS) return wrong(member, "a string");
      body_.set_session(text);
    }
    return {};
  }

  static bool present(dom::object object, std::string_view member, dom::element& out) {
    return object[member].get(out) == simdjson::SUCCESS && !out.is_null();
  }

  // The document is known to be valid here, so that no step can fail, but for a name with half a
  // surrogate pair: it reads as empty, and is none that is looked for.
  void locate() {
    const std::string& text = body_.text_;
    body_.first_member_at_ = text.find('{') + 1;
    ondemand::document document;
    ondemand::object object;
    MG_ASSERT(span_parser().iterate(text.data(), text.size(), text.capacity()).get(document) ==
              simdjson::SUCCESS);
    MG_ASSERT(document.get_object().get(object) == simdjson::SUCCESS);
    RequestBody::Span& member = body_.stream_options_member_;
    for (auto field : object) {
      const size_t name_at =
          static_cast<size_t>(field.key().value_unsafe().raw() - text.data()) - 1;
      if (member.at > 0 && member.bytes == 0) member.bytes = name_at - member.at;
      const std::string_view key = field.unescaped_key().value_unsafe();
      ondemand::value value = field.value().value_unsafe();
      if (key == "model") body_.model_at_ = span(value.raw_json_token());
      if (key != "stream_options") continue;
      member.at = name_at;
      locate_options(value);
    }
    if (member.at == 0 || member.bytes > 0) return;
    // It is the last: the comma before it goes, not the one behind. (`model` at least is before.)
    member.at = text.rfind(',', member.at);
    member.bytes = text.rfind('}') - member.at;
  }

  void locate_options(ondemand::value value) {
    if (value.type().value_unsafe() == ondemand::json_type::null) {
      body_.stream_options_ = RequestBody::StreamOptions::null;
      body_.stream_options_at_ = span(value.raw_json_token());
      return;
    }
    body_.stream_options_ = RequestBody::StreamOptions::object;
    body_.stream_options_at_ = {offset(value.raw_json_token()) + 1, 0};
    ondemand::object options;  // has a name, because a loop over a temporary would outlive it
    MG_ASSERT(value.get_object().get(options) == simdjson::SUCCESS);
    for (auto field : options) {
      body_.stream_options_empty_ = false;
      const std::string_view key = field.unescaped_key().value_unsafe();
      if (key != "include_usage") continue;
      body_.has_include_usage_ = true;
      body_.include_usage_at_ = span(field.value().value_unsafe().raw_json_token());
    }
  }

  size_t offset(std::string_view token) const {
    return static_cast<size_t>(token.data() - body_.text_.data());
  }
  // A raw token reaches to the next one: without the blanks in between.
  RequestBody::Span span(std::string_view token) const {
    const size_t end = token.find_last_not_of(" \t\r\n");
    return {offset(token), end == std::string_view::npos ? 0 : end + 1};
  }

  const Operation operation_;
  RequestBody& body_;
};

tl::expected<RequestBody, Refusal> RequestBody::read(Operation operation, std::string text) {
  RequestBody body;
  body.text_ = std::move(text);
  BodyReader reader(operation, body);
  auto ok = reader.read();
  drop_large_parsers();
  if (!ok) return tl::unexpected(std::move(ok.error()));
  return body;
}

std::vector<Splice> RequestBody::splices(std::string_view upstream_model, StreamUsage usage) const {
  std::vector<Splice> out;
  if (upstream_model != model_)
    out.push_back({model_at_.at, model_at_.bytes, json_string(upstream_model)});
  if (usage == StreamUsage::remove && stream_options_member_.bytes > 0)
    out.push_back({stream_options_member_.at, stream_options_member_.bytes, {}});
  if (stream_ && !asks_usage_ && usage == StreamUsage::ask) {
    constexpr std::string_view kAsk = "\"include_usage\":true";
    switch (stream_options_) {
      case StreamOptions::absent:
        out.push_back({first_member_at_, 0, "\"stream_options\":{" + std::string(kAsk) + "},"});
        break;
      case StreamOptions::null:
        out.push_back(
            {stream_options_at_.at, stream_options_at_.bytes, "{" + std::string(kAsk) + "}"});
        break;
      case StreamOptions::object:
        if (has_include_usage_) {
          out.push_back({include_usage_at_.at, include_usage_at_.bytes, "true"});
        } else {
          out.push_back(
              {stream_options_at_.at, 0, std::string(kAsk) + (stream_options_empty_ ? "" : ",")});
        }
        break;
    }
  }
  std::sort(out.begin(), out.end(), [](const Splice& a, const Splice& b) { return a.at < b.at; });
  return out;
}

std::vector<std::string_view> spliced(std::string_view text, const std::vector<Splice>& splices) {
  std::vector<std::string_view> pieces;
  pieces.reserve(2 * splices.size() + 1);
  size_t at = 0;
  for (const Splice& splice : splices) {
    MG_ASSERT(splice.at >= at);
    if (splice.at > at) pieces.push_back(text.substr(at, splice.at - at));
    if (!splice.with.empty()) pieces.push_back(splice.with);
    at = splice.at + splice.bytes;
  }
  if (at < text.size()) pieces.push_back(text.substr(at));
  return pieces;
}

}  // namespace mg::gateway
