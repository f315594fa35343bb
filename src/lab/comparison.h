// What clients were told against what the ledger has, request by request, to the nano-dollar.
//
// A request agrees when the client was told the very amount that was charged, and the very counts
// where the provider had reported them. Who was told nothing agrees with whatever the ledger has if
// its answer did not come to its end: it hung up, or was cut off; an answer of an error status must
// not have been charged at all. A whole answer has to say what it cost, and everything that was
// told has to stand in the ledger. Nothing may be left on hold.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "lab/booked.h"
#include "lab/told.h"

namespace mg::lab {

struct Difference {
  enum class Kind : uint8_t {
    cost,           // told another amount than was charged
    tokens,         // ... or other counts
    unreadable,     // what was told as cost is no amount
    not_told,       // a whole answer did not say what it cost
    not_booked,     // the ledger knows nothing of it
    charged_twice,  // ... or has charged it more than once
    refusal_charged,
    left_open,  // its hold is not resolved
    unknown,    // the ledger has it, and no client can have asked for it
  };
  Kind kind = Kind::cost;
  Id request;
  Told told;      // of a request that a client asked for
  Booked booked;  // of one that the ledger has
};
std::string_view name(Difference::Kind kind);

struct Comparison {
  int64_t requests = 0;         // of the run
  int64_t matched = 0;          // told and charged alike
  int64_t not_charged = 0;      // neither told nor charged: refused, failed, or given up in time
  int64_t explained = 0;        // charged, and told to nobody who was still there
  int64_t differing = 0;        // all differences, listed or not
  int64_t told_not_booked = 0;  // among them: not_booked
  int64_t booked_not_told = 0;  // ... not_told and unknown
  int64_t open_holds = 0;       // ... left_open
  Money told_sum;
  Money booked_sum;                     // of requests that were told their cost
  Money explained_sum;                  // of the explained ones
  std::vector<Difference> differences;  // limits::load_differences_listed_max at most

  // One nano-dollar decides.
  bool verdict() const { return differing == 0 && told_sum == booked_sum; }
};

// Errors: those of the source; too_large, where the ledger has more unknown requests than a run may
// have at all, or a sum does not fit.
Result<Comparison> compare(std::span<const Told> told, const BookedSource& source);

std::string to_json(const Comparison& comparison);
std::string to_text(const Comparison& comparison);

}  // namespace mg::lab
