// What a ledger has of requests, as far as one can be told about it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/id.h"
#include "base/money.h"
#include "base/result.h"

namespace mg::ledger {
class JournalReader;
}

namespace mg::lab {

struct Booked {
  enum class State : uint8_t { open, charged, voided };

  Id request;
  State state = State::open;
  Money charge;  // of who pays: the first wallet
  // What the charge was made for, where the provider reported it.
  bool has_tokens = false;
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
};

// Gives all it has, in the order it happened: a request first as open, then as charged or voided.
// Errors: whatever keeps it from reading.
using BookedVisit = std::function<void(const Booked&)>;
using BookedSource = std::function<Result<>(const BookedVisit&)>;

// The requests of a journal that began at this time or later, of one key or all of them. The reader
// must outlive the source; the source may be called on any thread.
BookedSource journal_source(ledger::JournalReader& reader, int64_t from_ms,
                            std::optional<Id> key = std::nullopt);

}  // namespace mg::lab
