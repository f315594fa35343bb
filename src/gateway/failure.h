// What went wrong with an upstream, and whose fault it was: the material for `recover`, for the
// circuit breaker, and for the answer when nothing else is left to try.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/facts.h"
#include "base/result.h"
#include "gateway/refusal.h"
#include "http/head.h"

namespace mg::gateway {

// How long a channel rests after a 429 that does not say.
inline constexpr int64_t kRestAfter429Ms = 1'000;

struct Failure {
  api::FailureKind kind = api::FailureKind::connect;
  int status = 0;  // of the upstream's answer; 0: there was none
  // As the upstream asked, within limits::retry_after_s_max; of a busy channel, what is left of it.
  std::optional<int64_t> retry_after_ms;
  std::string what;  // for people and records; credentials masked
};

// "connect", "timeout", ...
std::string_view name(api::FailureKind kind);

// True for what the circuit breaker counts: the upstream is ill, not just unwilling.
bool counts_against_channel(const Failure& failure);

// Of an exchange with the upstream that broke, before or in the head.
Failure failure_of(const Error& error);

// What an answer's status means, with the body of an error answer (bounded by the caller).
enum class Blame : uint8_t {
  nobody,   // 2xx: go on and read it
  client,   // the request is wrong: the client hears of it
  channel,  // try elsewhere
};
struct Judgement {
  Blame blame = Blame::nobody;
  Failure failure;  // where the channel is to blame
};
Judgement judge(const http::ResponseHead& head, std::string_view body);

// An upstream's refusal that is the client's own fault, as the client gets it.
struct ClientFault {
  int status = 400;
  std::string content_type;
  std::string body;  // credentials masked
};
// A JSON object as it is. Of anything else an error of our shape, which clients can read: with the
// upstream's words where they are few and plain. `said` is without the channel's credential.
ClientFault client_fault(const http::ResponseHead& head, std::string_view said);

// The answer to the client once nothing is left to try.
Refusal refusal_for(const Failure& failure);

}  // namespace mg::gateway
