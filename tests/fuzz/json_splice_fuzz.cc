// Bodies of requests: what is accepted stays what it was but for the two splices. With them it is
// accepted again, asks for the channel's model and for usage, and needs no further splice; the text
// outside of them is the client's own, byte by byte.
#include "base/assert.h"
#include "gateway/request_body.h"

using namespace mg;
using namespace mg::gateway;

namespace {

constexpr std::string_view kModel = "vendor/model-1";

std::string joined(std::string_view text, const std::vector<Splice>& splices) {
  std::string out;
  for (std::string_view piece : spliced(text, splices)) out += piece;
  return out;
}

// The text without what the splices replace, which is what must be the same before and after.
std::string kept(std::string_view text, const std::vector<Splice>& splices) {
  std::string out;
  size_t at = 0;
  for (const Splice& splice : splices) {
    MG_ASSERT(splice.at >= at && splice.at + splice.bytes <= text.size());
    out += text.substr(at, splice.at - at);
    at = splice.at + splice.bytes;
  }
  out += text.substr(at);
  return out;
}

void check(Operation operation, std::string_view text) {
  const auto body = RequestBody::read(operation, std::string(text));
  if (!body) return;
  MG_ASSERT(body->text() == text);
  const auto splices = body->splices(kModel, RequestBody::StreamUsage::ask);
  MG_ASSERT(splices.size() <= 2);
  const std::string sent = joined(text, splices);
  size_t added = 0;
  for (const Splice& splice : splices) added += splice.with.size();
  MG_ASSERT(sent.size() == kept(text, splices).size() + added);
  const auto again = RequestBody::read(operation, sent);
  MG_ASSERT(again);
  MG_ASSERT(again->model() == kModel);
  MG_ASSERT(again->is_stream() == body->is_stream());
  MG_ASSERT(again->choices() == body->choices());
  MG_ASSERT(again->output_limit() == body->output_limit());
  MG_ASSERT(!body->is_stream() || again->asks_usage());
  MG_ASSERT(joined(sent, again->splices(kModel, RequestBody::StreamUsage::ask)) == sent);
  const auto as_is = body->splices(body->model(), RequestBody::StreamUsage::as_is);
  MG_ASSERT(RequestBody::read(operation, joined(text, as_is))->model() == body->model());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Operation operation : {Operation::chat, Operation::completion, Operation::embedding})
    check(operation, text);
  return 0;
}
