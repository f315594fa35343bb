// One request to one channel: lets itself through the breaker, sends the client's body with the
// channel's splices, and waits for the head of an answer worth relaying. What it learns of the
// channel's health it reports, whichever way it ends.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "event/loop.h"
#include "gateway/candidate.h"
#include "gateway/failure.h"
#include "gateway/request_body.h"
#include "http/pool.h"

namespace mg::gateway {

// The client left meanwhile.
struct Interrupted {};

// What asking led to: the head of an answer (2xx), or one of the ways in which there is none.
using Asked = std::variant<http::ResponseHead, ClientFault, Failure, Interrupted>;

class Attempt {
 public:
  // All must outlive it.
  Attempt(event::Loop& loop, http::Pool& pool, const Candidate& candidate,
          const BreakerRules& breaker, const RequestBody& body, Operation operation);
  ~Attempt();
  Attempt(const Attempt&) = delete;

  event::Task<Asked> ask();

  // Of an answer: its body. Each wait ends after idle_ms, and all of them at total_ms.
  http::ClientConnection& upstream() { return **lease_; }
  int64_t wait_ms() const { return within_total(candidate_.timeouts.idle_ms); }
  // What it said, for people and records: credentials masked.
  std::string for_records(std::string_view said) const;
  // The whole answer was relayed; the connection may serve again.
  void finished();
  // It broke after the head.
  void broke(const Failure& failure);

  // So long the answer waited for its client. Where that was most of the time, it is no fault of
  // the channel's that its time was up, or that its upstream would wait no longer.
  void held_up(int64_t ns) { held_up_ns_ += ns; }
  bool was_held_up() const;

  // The client is gone: ends the wait for an answer. A connect is not cut short, and looked at when
  // it ends. Callable at any time.
  void interrupt();
  // The answer is known to be over, but not all of its bytes have come: lets them arrive in the
  // background, so that the connection can serve again. `generation` keeps the channel alive
  // meanwhile. upstream() is gone afterwards.
  void leave_rest(std::shared_ptr<const void> generation);

 private:
  // So many milliseconds, or what is left of total_ms.
  int64_t within_total(int64_t ms) const;
  void send();
  event::Task<Result<>> connect();
  event::Task<Result<http::ResponseHead>> exchange_heads();
  event::Task<std::string> read_error_body();
  void report(const Failure& failure);
  Failure reported(Failure failure);

  event::Loop& loop_;
  http::Pool& pool_;
  const Candidate& candidate_;
  const BreakerRules& breaker_;
  const RequestBody& body_;
  const Operation operation_;
  ChannelHealth& health_;
  ChannelHealth::Pass pass_ = ChannelHealth::Pass::refused;
  std::optional<http::Lease> lease_;
  int64_t started_ns_ = 0;
  int64_t first_byte_ns_ = 0;
  int64_t held_up_ns_ = 0;
  bool has_verdict_ = false;
  bool interrupted_ = false;
};

}  // namespace mg::gateway
