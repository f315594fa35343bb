#include "lab/knobs.h"

#include <catch2/catch.hpp>
#include <set>

#include "base/limits.h"

using namespace mg;
using namespace mg::lab;

TEST_CASE("every fault has a name of its own, and no other name is one") {
  std::set<std::string_view> names;
  for (const FaultNote& note : fault_notes()) {
    names.insert(note.name);
    CHECK(parse_fault(note.name) == note.fault);
    CHECK(name(note.fault) == note.name);
    CHECK_FALSE(note.effect.empty());
  }
  CHECK(names.size() == kFaultCount - 1);
  // The table follows the enum, and is as long.
  for (size_t i = 0; i < fault_notes().size(); ++i)
    CHECK(static_cast<size_t>(fault_notes()[i].fault) == i + 1);
  CHECK(parse_fault("none") == Fault::none);
  CHECK(name(Fault::none) == "none");
  CHECK_FALSE(parse_fault("STALL"));
  CHECK_FALSE(parse_fault(""));
}

TEST_CASE("knobs take their values up to their bounds, and say what is wrong with others") {
  struct Row {
    std::string_view name, value;
    bool is_good;
  };
  const std::string wait_max = std::to_string(limits::lab_wait_ms_max);
  const std::string wait_over = std::to_string(limits::lab_wait_ms_max + 1);
  const std::string at_max = std::to_string(limits::lab_fault_at_max);
  const std::string at_over = std::to_string(limits::lab_fault_at_max + 1);
  const std::string tokens_max = std::to_string(limits::output_tokens_max);
  const std::string tokens_over = std::to_string(limits::output_tokens_max + 1);
  const std::string retry_max(limits::lab_retry_after_bytes_max, '1');
  const std::string usage_max(limits::lab_usage_bytes_max, '1');
  const Row rows[] = {
      {"delay-ms", "0", true},
      {"delay-ms", wait_max, true},
      {"delay-ms", wait_over, false},
      {"delay-ms", "-1", false},
      {"delay-ms", "1.5", false},
      {"delay-ms", "", false},
      {"first-byte-ms", wait_max, true},
      {"first-byte-ms", wait_over, false},
      {"interval-ms", wait_max, true},
      {"interval-ms", wait_over, false},
      {"status", "200", true},
      {"status", "599", true},
      {"status", "199", false},
      {"status", "600", false},
      {"retry-after", "2", true},
      {"retry-after", retry_max, true},
      {"retry-after", "a\nb", false},
      {"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", true},
      {"fault", "stall", true},
      {"fault", "stall, gzip", true},
      {"fault", "none", true},
      {"fault", "stall,", false},
      {"fault", "nonsense", false},
      {"fault-at", at_max, true},
      {"fault-at", at_over, false},
      {"fault-at", "-1", false},
      {"fault-rate", "0", true},
      {"fault-rate", "1", true},
      {"fault-rate", "0.000001", true},
      {"fault-rate", "0.0000001", false},
      {"fault-rate", "1.1", false},
      {"fault-rate", "0.", false},
      {"fault-rate", "-0.1", false},
      {"fault-rate", "1e-3", false},
      {"fault-rate", "0.-1", false},
      {"fault-rate", "1.0", true},
      {"fault-seed", "18446744073709551615", true},
      {"fault-seed", "-1", false},
      {"tokens", tokens_max, true},
      {"tokens", tokens_over, false},
      {"usage", "{}", true},
      {"usage", usage_max, true},
      {"nonsense", "1", false},
      {"", "1", false},
  };
  for (const Row& row : rows) {
    INFO(row.name << " = " << row.value);
    Knobs knobs;
    const Result<> set = knobs.set(row.name, row.value);
    CHECK(set.has_value() == row.is_good);
    if (set) continue;
    CHECK(set.error().code == Errc::invalid);
    CHECK(set.error().what.find("x-lab-" + std::string(row.name)) != std::string::npos);
    CHECK(knobs == Knobs());
  }
  Knobs knobs;
  CHECK_FALSE(knobs.set("retry-after", retry_max + "1"));
  CHECK_FALSE(knobs.set("usage", usage_max + "1"));
  CHECK(knobs.set("fault-rate", "0.25"));
  CHECK(knobs.fault_rate_ppm == 250'000);
  CHECK(knobs.set("fault", "stall,gzip"));
  CHECK(knobs.faults == std::vector<Fault>{Fault::stall, Fault::gzip});
  CHECK(knobs.set("fault", "none"));
  CHECK(knobs.faults.empty());
  std::string too_many = "stall";
  for (size_t i = 1; i < kFaultCount; ++i) too_many += ",stall";
  CHECK(knobs.set("fault", too_many));
  CHECK_FALSE(knobs.set("fault", too_many + ",stall"));
}

TEST_CASE("the help names every knob and every fault") {
  const std::string help = knob_help();
  for (const KnobNote& note : knob_notes()) {
    CHECK(help.find("\n  " + std::string(note.name) + " ") != std::string::npos);
    Knobs knobs;
    const Result<> set = knobs.set(note.name, "no value of any knob\n");
    REQUIRE_FALSE(set);
    CHECK(set.error().what.find("there is no knob") == std::string::npos);
  }
  for (const FaultNote& note : fault_notes())
    CHECK(help.find("\n  " + std::string(note.name) + " ") != std::string::npos);
}
