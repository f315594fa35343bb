#include "recorded.h"

#include <algorithm>
#include <map>

namespace mg::test {
namespace {

const Json& at(const Json& value, const char* key) {
  static const Json nothing;
  if (!value.is_object()) return nothing;
  const auto found = value.find(key);
  return found == value.end() ? nothing : *found;
}

std::string text_at(const Json& value, const char* key) {
  const Json& found = at(value, key);
  return found.is_string() ? found.get<std::string>() : std::string();
}

int64_t number_at(const Json& value, const char* key) {
  const Json& found = at(value, key);
  return found.is_number_integer() ? found.get<int64_t>() : 0;
}

// Collects one answer from its body or from its events, whichever protocol they speak.
class Reader {
 public:
  void event(const Json& e) {
    if (e.is_array()) {
      for (const Json& part : e) event(part);
      return;
    }
    if (!e.is_object()) return;
    choices(e);
    anthropic(e);
    gemini(e);
    responses(e);
    dashscope(at(e, "output"));
    cohere(e);
    usage(at(e, "usage"));
    usage(at(e, "usageMetadata"));
    usage(at(at(e, "x_groq"), "usage"));
  }

  RecordedAnswer finish() {
    for (auto& [index, text] : texts_) answer_.texts.push_back(std::move(text));
    for (auto& [index, call] : calls_) answer_.calls.push_back(std::move(call));
    if (!answer_.reasoning.empty() || reasoning_ > answer_.output) reasoning_ = 0;
    answer_.hidden_reasoning = reasoning_;
    return std::move(answer_);
  }

 private:
  void choices(const Json& e) {
    if (!at(e, "choices").is_array()) return;
    for (const Json& choice : e["choices"]) {
      usage(at(choice, "usage"));
      const int64_t index = number_at(choice, "index");
      texts_[index] += text_at(choice, "text");
      const Json& message = choice.contains("delta") ? choice["delta"] : at(choice, "message");
      texts_[index] += text_at(message, "content") + text_at(message, "refusal");
      if (at(message, "content").is_array()) parts(message["content"], index);
      const std::string reasoning = text_at(message, "reasoning_content");
      answer_.reasoning += reasoning.empty() ? text_at(message, "reasoning") : reasoning;
      if (at(message, "tool_calls").is_array()) tool_calls(message["tool_calls"]);
      if (at(message, "function_call").is_object()) call(0, message["function_call"]);
    }
  }

  void tool_calls(const Json& list) {
    for (const Json& c : list) {
      const int64_t index =
          c.contains("index") ? number_at(c, "index") : static_cast<int64_t>(calls_.size());
      call(index, c.contains("function") ? c["function"] : at(c, "custom"));
    }
  }

  void call(int64_t index, const Json& function) {
    ToolCall& c = calls_[index];
    if (c.name.empty()) c.name = text_at(function, "name");
    c.arguments += text_at(function, "arguments") + text_at(function, "input");
  }

  // Mistral's content in parts: thinking and text.
  void parts(const Json& list, int64_t index) {
    for (const Json& part : list) {
      if (text_at(part, "type") == "thinking") {
        for (const Json& t : at(part, "thinking")) answer_.reasoning += text_at(t, "text");
      } else {
        texts_[index] += text_at(part, "text");
      }
    }
  }

  void anthropic(const Json& e) {
    const std::string type = text_at(e, "type");
    if (type == "message") blocks(at(e, "content"));
    if (type == "message_start") usage(at(at(e, "message"), "usage"));
    const Json& block = at(e, "content_block");
    if (type == "content_block_start" && text_at(block, "type").ends_with("tool_use"))
      calls_[number_at(e, "index")].name = text_at(block, "name");
    if (type != "content_block_delta") return;
    const Json& delta = at(e, "delta");
    texts_[0] += text_at(delta, "text");
    answer_.reasoning += text_at(delta, "thinking");
    const std::string json = text_at(delta, "partial_json");
    if (!json.empty()) calls_[number_at(e, "index")].arguments += json;
  }

  void blocks(const Json& list) {
    if (!list.is_array()) return;
    for (const Json& block : list) {
      texts_[0] += text_at(block, "text");
      answer_.reasoning += text_at(block, "thinking");
      if (text_at(block, "type") == "tool_use")
        calls_[next_call()] = {text_at(block, "name"), at(block, "input").dump()};
    }
  }

  void gemini(const Json& e) {
    if (!at(e, "candidates").is_array()) return;
    for (const Json& candidate : e["candidates"]) {
      const Json& list = at(at(candidate, "content"), "parts");
      if (!list.is_array()) continue;
      for (const Json& part : list) {
        const bool thought = at(part, "thought") == true;
        (thought ? summary_ : texts_[0]) += text_at(part, "text");
        if (part.contains("functionCall"))
          calls_[next_call()] = {text_at(part["functionCall"], "name"),
                                 at(part["functionCall"], "args").dump()};
      }
    }
  }

  void responses(const Json& e) {
    const Json& whole = e.contains("response") ? e["response"] : e;
    if (!at(whole, "output").is_array() || !at(whole, "usage").is_object()) return;
    for (const Json& item : whole["output"]) {
      if (text_at(item, "type") == "message") {
        for (const Json& part : at(item, "content")) texts_[0] += text_at(part, "text");
      } else if (text_at(item, "type") == "function_call") {
        calls_[next_call()] = {text_at(item, "name"), text_at(item, "arguments")};
      }
    }
    usage(whole["usage"]);
  }

  void dashscope(const Json& output) {
    if (!at(output, "choices").is_array()) return;
    for (const Json& choice : output["choices"]) {
      const Json& message = at(choice, "message");
      texts_[0] += text_at(message, "content");
      if (at(message, "content").is_array()) parts(message["content"], 0);
    }
  }

  void cohere(const Json& e) {
    const Json& message = at(e, "message");
    if (!message.is_object() || !at(message, "content").is_array() || e.contains("type")) return;
    parts(message["content"], 0);
  }

  int64_t next_call() const { return static_cast<int64_t>(calls_.size()); }

  // Figures of a later event take the place of earlier ones.
  void usage(const Json& u) {
    if (!u.is_object()) return;
    for (const char* key : {"completion_tokens", "output_tokens", "candidatesTokenCount"})
      if (u.contains(key)) answer_.output = number_at(u, key);
    for (const char* key : {"prompt_tokens", "input_tokens", "promptTokenCount"})
      if (u.contains(key)) answer_.input = number_at(u, key);
    // Anthropic counts what went through its cache beside the input.
    if (u.contains("input_tokens"))
      answer_.input +=
          number_at(u, "cache_creation_input_tokens") + number_at(u, "cache_read_input_tokens");
    for (const char* key : {"completion_tokens_details", "output_tokens_details"})
      reasoning_ = std::max(reasoning_, number_at(at(u, key), "reasoning_tokens"));
    if (const Json& tokens = at(u, "tokens"); tokens.is_object())  // Cohere
      answer_.input = std::max(number_at(tokens, "input_tokens"), answer_.input);
    if (const Json& billed = at(u, "billed_units"); billed.is_object()) {
      answer_.output = number_at(billed, "output_tokens");
      answer_.input = std::max(number_at(billed, "input_tokens"), answer_.input);
    }
  }

  RecordedAnswer answer_;
  std::string summary_;  // of thoughts that are counted apart
  std::map<int64_t, std::string> texts_;
  std::map<int64_t, ToolCall> calls_;
  int64_t reasoning_ = 0;
};

std::string vendor_of(const std::string& name, const std::string& model) {
  const std::string folder = name.substr(0, name.find('/'));
  if (folder == "azure") return "openai";
  if (folder == "gemini") return "google";
  if (folder == "dashscope") return "qwen";
  if (folder == "groq") return model.starts_with("openai/") ? "openai" : "meta";
  if (model.starts_with("zai-")) return "zhipu";
  return folder;  // others are told by the model's name
}

void add_translations(const std::filesystem::path& file, const std::string& name,
                      std::vector<Recording>& out) {
  const Json whole = Json::parse(read_file(file));
  for (const auto& [dialect, turns] : whole["dialects"].items()) {
    for (const std::string turn : {"", "followup_"}) {
      const Json& response = at(turns, (turn + "response").c_str());
      if (response.is_null()) continue;
      Recording r;
      r.name = name + ":" + dialect + (turn.empty() ? "" : ":followup");
      r.vendor = dialect.starts_with("openai")      ? "openai"
                 : dialect.starts_with("anthropic") ? "anthropic"
                                                    : "google";
      r.model = text_at(response, "model") + text_at(response, "modelVersion");
      r.path = dialect;
      r.fidelity = "exact";
      r.request = at(turns, (turn + "request").c_str());
      Reader reader;
      reader.event(response);
      r.answer = reader.finish();
      out.push_back(std::move(r));
    }
  }
}

}  // namespace

std::vector<Json> events_of(std::string_view stream) {
  std::vector<Json> events;
  for (size_t at_ = 0; at_ < stream.size();) {
    const size_t end = std::min(stream.find('\n', at_), stream.size());
    std::string_view line = stream.substr(at_, end - at_);
    at_ = end + 1;
    if (!line.starts_with("data:")) continue;
    Json event = Json::parse(line.substr(5), nullptr, false);
    if (!event.is_discarded()) events.push_back(std::move(event));
  }
  return events;
}

std::vector<Recording> recordings(const std::filesystem::path& corpus) {
  const auto root = corpus / "fixtures";
  std::vector<Recording> out;
  const Json index = Json::parse(read_file(root / "index.json"));
  for (const Json& c : index["cases"]) {
    const std::string file = text_at(c, "response");
    if (number_at(c, "status") != 200) continue;
    if (text_at(c, "api") == "translation") {
      add_translations(root / file, text_at(c, "case"), out);
      continue;
    }
    if (!file.ends_with(".json") && !file.ends_with(".sse")) continue;
    Recording r;
    r.name = text_at(c, "case");
    r.model = text_at(c, "model");
    r.vendor = vendor_of(r.name, r.model);
    r.path = text_at(c, "path");
    r.fidelity = text_at(c, "fidelity");
    if (c.contains("request")) r.request = Json::parse(read_file(root / text_at(c, "request")));
    Reader reader;
    const std::string body = read_file(root / file);
    if (file.ends_with(".json")) {
      reader.event(Json::parse(body));
    } else {
      for (const Json& e : events_of(body)) reader.event(e);
    }
    r.answer = reader.finish();
    out.push_back(std::move(r));
  }
  return out;
}

}  // namespace mg::test
