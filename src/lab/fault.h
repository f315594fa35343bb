// The ways in which the built-in provider misbehaves. Each is something that upstreams really do,
// made of bytes on the wire: nothing of it is simulated further up. The table in fault.cc says what
// each does and what its `fault-at` counts; `moongate lab --help` prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mg::lab {

enum class Fault : uint8_t {
  none,
  // Instead of an answer, or in its head.
  reset_before_head,
  close_before_head,
  stall_before_head,
  informational,
  reset_in_head,
  close_in_head,
  garbage,
  conflicting_length,
  // The body as a whole.
  html,
  gzip,
  empty_body,
  wrong_length,
  excess_length,
  // Somewhere in the body.
  reset_in_body,
  half_close,
  stall,
  fragments,
  endless,
  endless_line,
  malformed_sse,
  bad_utf8,
  error_event,
  // Streams only.
  odd_sse,
  cut_before_done,
  no_done,
  no_finish,
  late_event,
  running_usage,
  // What is said of the usage.
  missing_usage,
  double_usage,
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::double_usage) + 1;

struct FaultNote {
  Fault fault;
  std::string_view name;    // as knobs have it: "reset-in-body"
  std::string_view at;      // what `fault-at` counts and its default; empty: it is not used
  std::string_view effect;  // for people
};

// All of them but `none`, in the order of the enum.
std::span<const FaultNote> fault_notes();

std::string_view name(Fault fault);  // "none" for none
std::optional<Fault> parse_fault(std::string_view name);

}  // namespace mg::lab
