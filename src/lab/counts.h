// What a lab was asked and what it did, for tests that count requests at the upstream. Requests to
// the lab's own paths are not counted.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mg::lab {

// Names beyond limits::lab_counted_names_max count together, as "other".
class Tally {
 public:
  void add(std::string_view name);
  int64_t of(std::string_view name) const;
  int64_t sum() const { return sum_; }
  const std::map<std::string, int64_t, std::less<>>& all() const { return counts_; }

 private:
  std::map<std::string, int64_t, std::less<>> counts_;
  int64_t sum_ = 0;
};

struct Counts {
  Tally paths;              // requests; unknown paths are "other"
  Tally models;             // of requests that were understood
  Tally statuses;           // of answers whose head was sent or begun, as text: "200"
  Tally faults;             // that were chosen, by name
  int64_t connections = 0;  // accepted
  int64_t connections_open = 0;
  int64_t streams_open = 0;
  int64_t streams_ended = 0;  // with their last byte, or as their fault has it
  int64_t clients_left = 0;   // before their answer ended

  std::string to_json() const;
  // Starts anew; what is open stays counted.
  void reset();
};

}  // namespace mg::lab
