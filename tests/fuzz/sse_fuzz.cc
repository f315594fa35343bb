// Event streams: fed whole, byte by byte and in pieces, the same events come out, and their raw
// bytes add up to what was fed.
#include <string>

#include "base/assert.h"
#include "fuzz/cuts.h"
#include "http/sse.h"
#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;

namespace {

struct Story {
  std::string events;
  std::string bytes;
  bool operator==(const Story&) const = default;
};

Story read(std::string_view bytes, const std::vector<size_t>& cuts) {
  SseReader reader;
  Story story;
  SseEvent event;
  for (const std::string& piece : test::pieces_of(bytes, cuts)) {
    std::string_view left = piece;
    while (reader.next(left, event) == SseStep::event) {
      story.bytes.append(event.raw);
      if (!event.has_data) continue;  // a blank line more or less between events is not seen
      story.events.append(event.type).append("|").append(event.data).append("|");
      story.events.append(event.id.value_or("-")).append("|");
      story.events.append(std::to_string(event.retry_ms.value_or(-1))).append("\n");
    }
    MG_ASSERT(left.empty());
  }
  story.bytes.append(reader.rest());
  return story;
}

// With a small bound it must stop, and hold no more than the bound.
void check_bound(std::string_view bytes) {
  constexpr size_t kMax = 64;
  SseReader reader(kMax);
  SseEvent event;
  SseStep step;
  while ((step = reader.next(bytes, event)) == SseStep::event) MG_ASSERT(event.raw.size() <= kMax);
  MG_ASSERT(reader.rest().size() <= kMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Story whole = read(bytes, {});
  MG_ASSERT(whole.bytes == bytes);
  MG_ASSERT(read(bytes, test::cuts_every(size, 1)) == whole);
  MG_ASSERT(read(bytes, fuzz::some_cuts(bytes)) == whole);
  check_bound(bytes);
  return 0;
}
