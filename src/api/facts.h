// What the gateway tells policies: plain structs it fills before each phase. Nothing here is
// copied; every view must stay valid until the call of Policies that it was given to returns.
// An empty text, and a zero where a field says that it means none, reach scripts as nil; lists are
// always lists.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/limits.h"
#include "base/money.h"

namespace mg::api {

using Texts = std::span<const std::string>;

// The api key that calls, with the settings it was created with.
struct KeyFacts {
  std::string_view id;
  std::string_view name;
  std::string_view group;
  Texts tags;
  Texts models;     // names or patterns with '*'; empty: all
  Texts allow_ip;   // addresses or networks; empty: all
  int64_t rpm = 0;  // requests per minute; 0: no limit
  int64_t tpm = 0;  // tokens per minute; 0: no limit
  std::optional<Money> daily_limit;
};

// Whose wallet pays.
struct TenantFacts {
  std::string_view id;
  std::string_view kind;  // "company" or "employee"
  std::string_view name;
  Texts path;                      // ids from the platform down to this tenant
  std::optional<Money> available;  // balance less holds, when the caller knows it
};

// What a request uses, as far as its body shows.
struct FeatureFacts {
  bool tools = false;
  bool images = false;
  bool audio = false;
  bool json_schema = false;
  bool reasoning = false;
};

// What the client itself asks of routing.
struct ConstraintFacts {
  Texts only;    // providers or channels that may be used; empty: all
  Texts ignore;  // ... that may not
  Texts order;   // ... that come first, in this order
  std::optional<Rate> input_rate_max;
  std::optional<Rate> output_rate_max;
  bool allow_fallbacks = true;

  // Anything asked at all.
  bool given() const {
    return !only.empty() || !ignore.empty() || !order.empty() || input_rate_max ||
           output_rate_max || !allow_fallbacks;
  }
};

struct RequestFacts {
  std::string_view id;
  uint64_t seed = 0;    // of gate.random(); derived from the id, so that a replay draws the same
  int64_t time_ms = 0;  // wall clock at arrival; scripts see whole seconds
  IpAddress ip;         // of the client, after trusted proxies
  std::string_view method;
  std::string_view path;
  std::string_view protocol;         // "openai_chat"
  std::string_view operation;        // "chat"
  std::string_view model;            // its id in the catalogue
  Texts aliases;                     // the model's other names
  std::string_view requested_model;  // as the client named it: that id, or an alias
  std::string_view session;  // what groups requests of one conversation; empty: nothing does
  bool stream = false;
  int64_t bytes = 0;  // of the body
  int64_t input_tokens_estimate = 0;
  int64_t max_output_tokens = 0;  // 0: the request names no limit
  KeyFacts key;
  TenantFacts tenant;
  FeatureFacts has;
  ConstraintFacts constraints;
};

// A meter's rate, for showing.
struct PricePoint {
  std::string_view meter;  // "input", "output", "cached_input", ...
  Rate rate;
};

enum class Breaker : uint8_t { closed, half_open, open };

// A channel that could serve the request. Candidates are given in the built-in order (ascending
// priority), which is what stands when no policy speaks.
struct CandidateFacts {
  std::string_view channel;
  std::string_view provider;
  std::string_view protocol;
  std::string_view region;
  std::string_view upstream_model;
  int priority = 1;  // 1 is asked first
  int weight = 1;    // share inside a priority
  Breaker breaker = Breaker::closed;
  int64_t latency_ms = 0;      // to the whole answer, smoothed; 0: unknown
  int64_t first_token_ms = 0;  // smoothed; 0: unknown
  double error_rate = 0;       // of the last attempts, 0 to 1
  int64_t in_flight = 0;
  int64_t concurrency_max = 0;  // 0: no limit
  std::span<const PricePoint> price;
  int64_t cost_ppm = kPpmOne;  // what the channel costs us, as parts per million of the price
};

inline constexpr size_t kMultipliersMax = limits::price_multipliers_max;

// A meter of a model and what a unit of it costs. `quote` lets policies replace the rate and
// append multipliers; it writes them here.
struct PriceLine {
  std::string_view model;
  std::string_view meter;
  int64_t above_input_tokens = 0;  // tier: holds when the input is longer; 0: the base price
  Rate rate;
  size_t multiplier_count = 0;
  std::array<int64_t, kMultipliersMax> multipliers_ppm{};
};

struct AttemptFacts {
  int number = 1;            // over the whole request
  int tries_on_channel = 1;  // including this one
  int retries = 0;           // second tries on some channel, so far in this request
  int candidates_left = 0;   // not yet tried
  std::string_view channel;
  std::string_view provider;
  std::string_view upstream_model;
  int64_t elapsed_ms = 0;  // since the request came in
};

enum class FailureKind : uint8_t {
  connect,       // no connection, no name, no TLS
  timeout,       // a deadline passed
  reset,         // the connection broke
  server_error,  // 5xx
  garbage,       // not HTTP, or not what the protocol says
  rate_limited,  // 429
  denied,        // 401 or 403: our credential
  not_found,     // 404: the model is not there
  busy,          // our own concurrency limit of the channel
};

struct FailureFacts {
  FailureKind kind = FailureKind::connect;
  int status = 0;                         // of the answer; 0: there was none
  std::optional<int64_t> retry_after_ms;  // what the upstream asked for, clamped
};

// How far an answer had come when its client left.
struct ProgressFacts {
  int64_t output_tokens = 0;
  int64_t relayed_bytes = 0;
  int64_t elapsed_ms = 0;
  Money cost;  // metered so far
};

struct UsagePoint {
  std::string_view meter;
  int64_t units = 0;
};

// Tokens that admit took from a limit before anyone knew how many it would be.
struct TokenTake {
  std::string key;
  double tokens = 0;
};

// The end of the story.
struct RecordFacts {
  int status = 0;
  std::string_view code;  // of a refusal or failure; empty: served
  std::string_view channel;
  std::string_view provider;
  std::string_view upstream_model;
  std::span<const UsagePoint> usage;       // disjoint meters
  std::string_view usage_source;           // "upstream", "counted", ...
  int64_t tokens = 0;                      // all meters of tokens together
  std::span<const TokenTake> token_takes;  // of this request's AdmitDecision
  Money cost;
  int64_t latency_ms = 0;
  int64_t first_token_ms = 0;
  int attempts = 0;
  bool client_left = false;
};

}  // namespace mg::api
