// Journal records: whatever bytes are read, nothing breaks; and what is accepted as a record is
// written again in one way only.
#include "base/assert.h"
#include "ledger/journal.h"

using namespace mg;
using namespace mg::ledger;

namespace {

std::string written(const Entry& entry) {
  std::string bytes;
  std::visit(
      [&](const auto& record) {
        using R = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<R, HoldPosted>) {
          std::string settlement;
          encode_settlement(settlement, record.settlement);
          encode(bytes, entry.time_ms, record, settlement);
        } else {
          encode(bytes, entry.time_ms, record);
        }
      },
      entry.record);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  EntryScratch scratch;
  const auto entry = decode(7, {reinterpret_cast<const char*>(data), size}, scratch);
  if (!entry) return 0;
  MG_ASSERT(entry->seq == 7);
  const std::string once = written(*entry);
  EntryScratch scratch_again;
  const auto again = decode(7, once, scratch_again);
  MG_ASSERT(again);
  MG_ASSERT(again->record.index() == entry->record.index());
  MG_ASSERT(again->time_ms == entry->time_ms);
  MG_ASSERT(written(*again) == once);
  return 0;
}
