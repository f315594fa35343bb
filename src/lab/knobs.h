// What an answer of the lab can be told to be like. The same knobs come from three places: flags of
// `moongate lab`, the member `metadata` of a request's body, and headers of the request; a header
// wins over metadata, metadata over a flag. A gateway passes no client's header upstream, but it
// passes the body: a client behind one says {"metadata":{"x-lab-fault":"stall"}}.
//
// In headers and metadata a knob is called "x-lab-" and its name; as a flag, "--" and its name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "lab/fault.h"

namespace mg::lab {

inline constexpr std::string_view kKnobPrefix = "x-lab-";

// A knob that nobody touched has no value.
struct Knobs {
  std::optional<int64_t> delay_ms;       // before the head
  std::optional<int64_t> first_byte_ms;  // between head and body
  std::optional<int64_t> interval_ms;    // between the events of a stream
  std::optional<int> status;
  std::optional<std::string> retry_after;  // the header's text
  std::vector<Fault> faults;               // one of them strikes; empty: none
  std::optional<int64_t> fault_at;
  std::optional<int64_t> fault_rate_ppm;  // of the requests that status and fault are for
  std::optional<uint64_t> fault_seed;
  std::optional<int64_t> tokens;     // of output
  std::optional<std::string> usage;  // sent in the place of the true one, whatever it is

  // Sets one by its name, without the prefix. Errors: invalid, naming knob and value.
  Result<> set(std::string_view name, std::string_view value);
  bool operator==(const Knobs&) const = default;
};

struct KnobNote {
  std::string_view name;
  std::string_view value;   // what it takes
  std::string_view effect;  // for people
};
std::span<const KnobNote> knob_notes();

// Knobs and faults as text, for `moongate lab --help` and the documentation.
std::string knob_help();

}  // namespace mg::lab
