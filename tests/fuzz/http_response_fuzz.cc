// Answers: fed whole, byte by byte and in pieces, the same is found, whatever was asked.
#include "base/assert.h"
#include "fuzz/cuts.h"
#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Method asked = size % 4 == 0 ? Method::head : Method::post;
  // Large enough that no body is over it: how much of one is given before it is refused depends on
  // how it arrives.
  const ParseLimits limits{limits::upstream_head_bytes_max, 1'000'000};
  const Found whole = parse_response(bytes, asked, {}, limits);
  MG_ASSERT(parse_response(bytes, asked, cuts_every(size, 1), limits).story == whole.story);
  MG_ASSERT(parse_response(bytes, asked, fuzz::some_cuts(bytes), limits).story == whole.story);
  return 0;
}
