// Moves an answer from the upstream to the client, at the pace of the slower of the two, counting
// what passes. The end of the answer is kept back: the exchange releases it once the charge is
// durable, which is the second of the two gates; the first is that nothing goes out before its hold
// is durable (open_gate).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/decision.h"
#include "api/facts.h"
#include "gateway/attempt.h"
#include "gateway/billing.h"
#include "gateway/metering.h"
#include "http/server_connection.h"
#include "http/sse.h"
#include "ledger/hold.h"

namespace mg::gateway {

// How the answer came to its end.
enum class Ending : uint8_t {
  completed,
  failed,  // before a byte went out: another candidate may be tried
  broken,  // the upstream broke off after that
  client_left,
  cut,        // the hold was used up and could not grow
  unsettled,  // the ledger can no longer promise anything
};

std::string_view name(Ending ending);

struct Relayed {
  Ending ending = Ending::failed;
  std::unique_ptr<const Failure>
      failure;             // the channel's: of failed, of broken, and beside a client's leaving
  bool has_begun = false;  // a byte went out to the client, or would have, had it stayed
};

// What a relay needs of the exchange it works for.
struct RelayParts {
  event::Loop& loop;
  http::ServerConnection& client;
  Attempt& attempt;
  ledger::Hold& hold;
  const Price& price;
  Metering& metering;
  AnswerReader& reader;
  const api::Provider& provider;
  Operation operation;
  int64_t choices;  // that the client is shown
  // Sends the answer's status and header fields; nothing goes out before it.
  std::function<void()> begin;
  // The client left: what to do with the rest of the answer.
  std::function<api::DisconnectDecision(const api::ProgressFacts&)> on_disconnect;
};

// What both kinds of relay share: the gate before the first byte, the hold that must not run dry,
// the client that may leave.
class Relay {
 public:
  explicit Relay(const RelayParts& parts);
  virtual ~Relay() = default;

  virtual event::Task<Relayed> run() = 0;

  // The exchange tells when the client is gone, at once, from the loop.
  void on_client_gone();
  // What the client has is not all that came before the end.
  bool has_dropped() const { return has_dropped_; }

 protected:
  // Before the first byte. False when the hold will never be durable.
  event::Task<bool> open_gate();
  // Writes to the client and waits while it is behind. False when it is gone.
  event::Task<bool> send(std::string_view bytes);
  // Brings the hold up to date with what was metered, extends it where it runs short. False when
  // it is used up.
  event::Task<bool> keep_covered();
  // The first half of that: what was metered, as far as the hold covers it.
  void mark_covered();
  event::Task<bool> extend(Money amount);
  Relayed ended(Ending ending) const { return {ending, nullptr, has_begun_}; }
  Relayed ended(Ending ending, Failure failure) const;
  // What the end of reading means: the client's leaving, or the upstream's failing.
  Relayed broke_off(const Error& error);
  bool is_drained_out() const;

  RelayParts parts_;
  bool has_begun_ = false;
  bool client_gone_ = false;
  bool has_dropped_ = false;
  // The client is gone, and the rest is read for its usage, up to this cost.
  std::optional<Money> drain_cost_max_;

 private:
  Money metered() const;
  void mark(Money cost);
  // The same for the company that asks and for every agent on the way.
  ledger::Amounts for_every_wallet(Money amount) const;

  const int64_t started_ns_;
  int64_t marked_ns_;
  Money marked_;
  int64_t covered_tokens_ = -1;  // generated when the hold was last looked at
};

// Server-sent events. Keep-alives before the first event are swallowed, so that an upstream that
// only pretends to answer can still be exchanged for another.
class StreamRelay final : public Relay {
 public:
  // Shown: the client asked to see the usage chunk that we asked the upstream for.
  enum class UsageChunk : uint8_t { shown, hidden };
  StreamRelay(const RelayParts& parts, UsageChunk usage_chunk)
      : Relay(parts), usage_chunk_(usage_chunk) {}

  event::Task<Relayed> run() override;

  // The end that was kept back, with the cost in its last usage event.
  struct End {
    std::string events;
    bool has_usage;  // one of them carries the usage the client asked for
    size_t done_at;  // where [DONE] begins in it; its size without one
  };
  End end(std::string_view cost) const;
  // The same of a stream that ends broken or cut: what was said and is charged for. Events that
  // only tell usage are left out where another will.
  enum class UsageEvents : uint8_t { with, without };
  std::string early_end(UsageEvents usage) const;

 private:
  struct Kept {
    std::string raw;
    std::string data;  // of an event with usage
    bool is_usage_only = false;
  };

  void take(std::string_view bytes);
  void take_event(const http::SseEvent& event);
  Relayed upstream_ended() const;

  const UsageChunk usage_chunk_;
  http::SseReader events_;
  std::string out_;
  void keep(const http::SseEvent& event, const AnswerFacts& facts);
  bool goes_on_after_its_end() const;
  bool is_finished() const { return finished_.count() >= static_cast<size_t>(parts_.choices); }

  std::vector<Kept> kept_;
  size_t kept_bytes_ = 0;
  std::unique_ptr<const Failure> failure_;
  FinishedChoices finished_;
  int64_t finished_tokens_ = -1;  // generated when it had said that it was through
  bool done_ = false;
  bool saw_event_ = false;
};

// One JSON document. Kept whole up to limits::plain_answer_bytes_max; a longer one goes out as it
// comes, but for its last limits::plain_answer_tail_bytes.
class PlainRelay final : public Relay {
 public:
  using Relay::Relay;
  event::Task<Relayed> run() override;

  // What was kept back: all of it unless has_begun.
  const std::string& rest() const { return kept_; }

 private:
  event::Task<std::optional<Ending>> pass_on();
  void count(std::string_view bytes);
  Relayed judge_whole();

  std::string kept_;
  std::optional<AnswerFacts> usage_;  // of a long answer, as last seen in it
  bool too_long_ = false;
};

}  // namespace mg::gateway
