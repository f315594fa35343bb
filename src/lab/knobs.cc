#include "lab/knobs.h"

#include <fmt/format.h>

#include <array>

#include "base/limits.h"
#include "base/text.h"
#include "http/headers.h"

namespace mg::lab {
namespace {

constexpr std::array<KnobNote, 11> kKnobNotes = {{
    {"delay-ms", "MS", "waits before the head of the answer"},
    {"first-byte-ms", "MS", "waits between head and body"},
    {"interval-ms", "MS", "waits between the events of a stream"},
    {"status", "200..599", "answers with this status; from 300 on with an error"},
    {"retry-after", "TEXT", "sends this Retry-After with an error"},
    {"fault", "NAME[,NAME...]", "misbehaves in this way, or in one of these"},
    {"fault-at", "N", "where the fault strikes"},
    {"fault-rate", "0..1", "share of the requests that status and fault are for; default 1"},
    {"fault-seed", "N",
     "with a seed, request and seed decide who is struck; without one it is drawn in order"},
    {"tokens", "N", "length of the output, as far as the request allows it"},
    {"usage", "JSON", "says this usage, whatever it is, in the place of the true one"},
}};

constexpr size_t kColumn = 30;  // of the help

tl::unexpected<Error> wrong(std::string_view name, std::string_view value, std::string_view form) {
  return fail(Errc::invalid, std::string(kKnobPrefix) + std::string(name) + ": \"" +
                                 std::string(value.substr(0, 64)) + "\" is not " +
                                 std::string(form));
}

Result<int64_t> number(std::string_view name, std::string_view value, int64_t least, int64_t most) {
  const auto parsed = parse_number<int64_t>(value);
  if (parsed && *parsed >= least && *parsed <= most) return *parsed;
  return wrong(name, value,
               "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
}

// A decimal from 0 to 1 as parts per million.
Result<int64_t> share_ppm(std::string_view name, std::string_view value) {
  constexpr size_t kPlaces = 6;
  const size_t point = value.find('.');
  const std::string_view whole = value.substr(0, point);
  std::string places(point == std::string_view::npos ? "" : value.substr(point + 1));
  if ((whole == "0" || whole == "1") && places.size() <= kPlaces &&
      (point == std::string_view::npos || !places.empty())) {
    places.resize(kPlaces, '0');
    const auto ppm = parse_number<uint32_t>(places);
    const int64_t sum = (whole == "1" ? 1'000'000 : 0) + int64_t{ppm.value_or(0)};
    if (ppm && sum <= 1'000'000) return sum;
  }
  return wrong(name, value, "a decimal from 0 to 1 with six places at most");
}

Result<std::string> text(std::string_view name, std::string_view value, size_t bytes_max) {
  if (value.size() <= bytes_max && http::is_field_value(value)) return std::string(value);
  return wrong(name, value, "text of " + std::to_string(bytes_max) + " bytes at most");
}

Result<std::vector<Fault>> faults(std::string_view name, std::string_view value) {
  std::vector<Fault> parsed;
  for (std::string_view part : split(value, ',')) {
    const auto fault = parse_fault(trimmed(part));
    if (!fault || parsed.size() == kFaultCount) return wrong(name, value, "a list of faults");
    if (*fault != Fault::none) parsed.push_back(*fault);
  }
  return parsed;
}

template <class T, class From>
Result<> assign(T& knob, Result<From> value) {
  if (!value) return tl::unexpected(std::move(value.error()));
  if constexpr (std::is_same_v<T, std::optional<int>>) {
    knob = static_cast<int>(*value);
  } else {
    knob = std::move(*value);
  }
  return {};
}

}  // namespace

Result<> Knobs::set(std::string_view name, std::string_view value) {
  using limits::lab_fault_at_max, limits::lab_wait_ms_max;
  if (name == "delay-ms") return assign(delay_ms, number(name, value, 0, lab_wait_ms_max));
  if (name == "first-byte-ms")
    return assign(first_byte_ms, number(name, value, 0, lab_wait_ms_max));
  if (name == "interval-ms") return assign(interval_ms, number(name, value, 0, lab_wait_ms_max));
  if (name == "status") return assign(status, number(name, value, 200, 599));
  if (name == "retry-after")
    return assign(retry_after, text(name, value, limits::lab_retry_after_bytes_max));
  if (name == "fault") return assign(this->faults, lab::faults(name, value));
  if (name == "fault-at") return assign(fault_at, number(name, value, 0, lab_fault_at_max));
  if (name == "fault-rate") return assign(fault_rate_ppm, share_ppm(name, value));
  if (name == "fault-seed") {
    const auto seed = parse_number<uint64_t>(value);
    if (!seed) return wrong(name, value, "a whole number");
    fault_seed = *seed;
    return {};
  }
  if (name == "tokens") return assign(tokens, number(name, value, 0, limits::output_tokens_max));
  if (name == "usage") return assign(usage, text(name, value, limits::lab_usage_bytes_max));
  return fail(Errc::invalid,
              "there is no knob " + std::string(kKnobPrefix) + std::string(name.substr(0, 64)));
}

std::span<const KnobNote> knob_notes() { return kKnobNotes; }

std::string knob_help() {
  std::string out =
      "Knobs, as flags (--NAME), as members of the body's metadata or as headers (x-lab-NAME);\n"
      "a header wins over metadata, metadata over a flag:\n";
  for (const KnobNote& note : kKnobNotes) {
    const std::string usage = fmt::format("  {} {}", note.name, note.value);
    out += fmt::format("{:<{}}  {}\n", usage, kColumn, note.effect);
  }
  out += "\nFaults, and what fault-at counts:\n";
  for (const FaultNote& note : fault_notes()) {
    out += fmt::format("  {:<{}}  {}\n", note.name, kColumn - 2, note.effect);
    if (!note.at.empty()) out += fmt::format("{:<{}}  at: {}\n", "", kColumn, note.at);
  }
  return out;
}

}  // namespace mg::lab
