// Requests on their way upstream: whatever bytes a client sends, a body that is understood is still
// the same document after its splices, but for the members that were to change.
#include "base/assert.h"
#include "base/json_value.h"
#include "fuzz/made_json.h"
#include "gateway/lenient_json.h"
#include "gateway/request_body.h"

using namespace mg;
using namespace mg::gateway;

namespace {

constexpr std::string_view kNames[] = {
    "model",
    "stream",
    "stream_options",
    "include_usage",
    "messages",
    "prompt",
    "input",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
    "user",
    "content",
    "role",
    "tools",
    "service_tier",
    "type",
    "text",
};

std::string made_body(FuzzedDataProvider& data, Operation operation) {
  fuzz::MadeJson make(data, kNames);
  std::vector<fuzz::MadeJson::Member> members;
  const auto add = [&](std::string_view name, std::string usual) {
    // Now and then anything, or nothing.
    const int whim = data.ConsumeIntegralInRange<int>(0, 15);
    if (whim == 0) return;
    members.push_back({name, whim == 1 ? make.value() : std::move(usual)});
  };
  add("model", make.string("gpt-4o"));
  if (data.ConsumeBool()) add("stream", data.ConsumeBool() ? "true" : "false");
  const std::string input = operation == Operation::chat ? R"([{"role":"user","content":"Hello"}])"
                                                         : R"(["Hello","you"])";
  add(operation == Operation::chat         ? "messages"
      : operation == Operation::completion ? "prompt"
                                           : "input",
      input);
  if (data.ConsumeBool()) {
    std::vector<fuzz::MadeJson::Member> options;
    if (data.ConsumeBool())
      options.push_back({"include_usage", data.ConsumeBool() ? "false" : make.value()});
    add("stream_options", data.ConsumeBool() ? make.object(options) : make.value());
  }
  return make.blank() + make.object(members) + make.blank();
}

// As others read it: half a surrogate pair is none to the parser that judges here.
Result<Json> document_of(const std::string& text) {
  return parse_json(without_lone_surrogates(text));
}

Json expected(const RequestBody& body, std::string_view model, RequestBody::StreamUsage usage) {
  Json document = *document_of(body.text());
  document["model"] = std::string(model);
  if (usage == RequestBody::StreamUsage::remove) document.erase("stream_options");
  if (usage == RequestBody::StreamUsage::ask && body.is_stream() && !body.asks_usage()) {
    Json& options = document["stream_options"];
    if (options.is_null()) options = Json::object();
    options["include_usage"] = true;
  }
  return document;
}

// Objects are the same whatever the order of their members.
bool same(const Json& a, const Json& b) {
  return nlohmann::json::parse(a.dump()) == nlohmann::json::parse(b.dump());
}

void check(Operation operation, const std::string& text) {
  const auto body = RequestBody::read(operation, text);
  if (!body) {
    MG_ASSERT(body.error().status == 400 && !body.error().message.empty());
    return;
  }
  const bool is_marked = text.starts_with("\xEF\xBB\xBF");
  MG_ASSERT(body->text() == text.substr(is_marked ? 3 : 0) && !body->model().empty() &&
            body->choices() >= 1);
  using StreamUsage = RequestBody::StreamUsage;
  for (const std::string& model : {body->model(), std::string("other \"model\"\n")}) {
    for (const StreamUsage usage : {StreamUsage::as_is, StreamUsage::ask, StreamUsage::remove}) {
      std::string out;
      const std::vector<Splice> splices = body->splices(model, usage);
      for (std::string_view piece : spliced(body->text(), splices)) out.append(piece);
      const auto document = document_of(out);
      MG_ASSERT(document.has_value());
      MG_ASSERT(same(*document, expected(*body, model, usage)));
      // The next reader must understand it as we did.
      const auto again = RequestBody::read(operation, out);
      MG_ASSERT(again && again->model() == model && again->is_stream() == body->is_stream());
      const bool asked = usage == StreamUsage::ask
                             ? body->asks_usage() || body->is_stream()
                             : usage == StreamUsage::as_is && body->asks_usage();
      MG_ASSERT(again->asks_usage() == asked);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider provider(data, size);
  const auto operation = static_cast<Operation>(provider.ConsumeIntegralInRange<int>(0, 2));
  const bool is_made = provider.ConsumeIntegralInRange<int>(0, 7) != 0;
  check(operation,
        is_made ? made_body(provider, operation) : provider.ConsumeRemainingBytesAsString());
  return 0;
}
