// Requests: fed whole, byte by byte and in pieces, the same is found; and what is accepted can be
// written out and read back as the same request.
#include "base/assert.h"
#include "fuzz/cuts.h"
#include "http/writer.h"
#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;

namespace {

void check_round_trip(std::string_view bytes) {
  RequestParser parser;
  const Parsed parsed = parser.feed(bytes);
  if (parsed.event != ParseEvent::head) return;
  const RequestHead head = parser.take_head();
  for (const Field field : head.headers) {
    MG_ASSERT(is_field_name(field.name));
    MG_ASSERT(is_field_value(field.value));
  }
  if (!head.headers.contains("host")) return;
  Headers headers = head.headers;
  headers.remove("host");
  headers.remove("expect");  // HTTP/1.0 may carry any, and it means nothing there
  std::string out;
  MG_ASSERT(write_request_head(out, head.method, head.target(), head.host(), headers, head.body));
  RequestParser again;
  MG_ASSERT(again.feed(out).event == ParseEvent::head);
  const RequestHead same = again.take_head();
  MG_ASSERT(same.method == head.method);
  MG_ASSERT(same.target() == head.target());
  MG_ASSERT(same.host() == head.host());
  MG_ASSERT(same.body == head.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ParseLimits limits{limits::head_bytes_max, 1000};
  const Found whole = parse_requests(bytes, {}, limits);
  MG_ASSERT(parse_requests(bytes, cuts_every(size, 1), limits).story == whole.story);
  MG_ASSERT(parse_requests(bytes, fuzz::some_cuts(bytes), limits).story == whole.story);
  check_round_trip(bytes);
  return 0;
}
