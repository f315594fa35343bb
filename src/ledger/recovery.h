// From the store to the balances in memory: the rows of the checkpoint, then the records behind it.
// Reads only; what a start has to write (a new epoch, the ends of abandoned holds) is the book's.
#pragma once

#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/state.h"
#include "store/env.h"

namespace mg::ledger {

struct Loaded {
  Seq last = 0;  // 0: the store is new
  int64_t time_ms = 0;
  uint64_t epoch = 0;  // of the last start
  uint64_t replayed = 0;
};

// Fills an empty state. Errors: invalid, naming the row or record that is damaged, missing or out
// of line with the others; io.
Result<Loaded> load(store::Env& env, State& state);

// What records do to a state, each for whoever has not felt it yet, in order.
class Replay {
 public:
  explicit Replay(State& state);
  // Errors: invalid, for a record that names what does not exist.
  Result<> apply(const Entry& entry);

 private:
  class Step;
  State& state_;
  std::unordered_map<Seq, HoldCell*> holds_;
};

}  // namespace mg::ledger
