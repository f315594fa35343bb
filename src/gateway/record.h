// What was decided about one request and why: the material of `explain` and of the request log.
// Money is in the ledger; this is the story around it. Losing the last moments of it in a crash
// loses no charge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/money.h"
#include "gateway/candidate.h"
#include "gateway/metering.h"

namespace mg::gateway {

struct DecisionRecord {
  Id request;
  int64_t time_ms = 0;
  uint64_t generation = 0;
  std::string tenant;
  std::string key;
  std::string ip;
  std::string_view operation;
  std::string model;
  bool stream = false;
  int status = 0;
  std::string code;          // of a refusal or failure; empty: served
  std::string message;       // the words that went with it
  std::string_view outcome;  // "completed", "client_left", "refused", ...
  std::string module;        // the policy that refused
  std::vector<Candidate> candidates;
  std::vector<AttemptRecord> attempts;
  std::string channel;  // the one that served, or failed last
  std::string upstream_model;
  FinalUsage usage;
  int64_t input_tokens_bound = 0;
  int64_t output_tokens_bound = 0;
  Money held;
  Money cost;
  Money shortfall;
  uint64_t hold_seq = 0;
  uint64_t settlement_seq = 0;
  int64_t latency_ms = 0;
  int64_t first_byte_ms = 0;
  std::vector<std::string> tags;

  // One line of JSON with its line end.
  void write(std::string& out) const;
};

}  // namespace mg::gateway
