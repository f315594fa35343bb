// The story of one request, from its head to its last byte and its record. run() is the whole of
// it, in order; everything else here is one step of it.
//
// Every way out after the hold settles the hold. A client that leaves does not end the story: it
// is noticed where the story waits, and what was used is still settled. Only a worker that goes
// down drops an exchange, and then the hold resolves itself (ledger/hold.h).
//
// On its worker's thread alone. run() is called once, and ends with the answer given or cut off: it
// reports no error to its caller. The generation it began with stays with it to its end (serving_).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/facts.h"
#include "base/json.h"
#include "gateway/attempt.h"
#include "gateway/caller.h"
#include "gateway/constraints.h"
#include "gateway/holding.h"
#include "gateway/relay.h"
#include "gateway/services.h"
#include "http/server_connection.h"

namespace mg::gateway {

class Exchange final : private http::GoneSink {
 public:
  // Services are the worker's; the connection is the client's, until run() has ended.
  Exchange(Services& services, http::ServerConnection& client, Operation operation);
  ~Exchange();
  Exchange(const Exchange&) = delete;

  event::Task<> run();

 private:
  struct Settled {
    No no;  // the charge cannot be promised: the answer must not be released
    Money charge;
    bool is_posted = false;  // charged, were it nothing; otherwise the hold was released
  };

  // The steps, in the order of the story.
  No authenticate();
  event::Task<No> read_request();
  event::Task<No> understand(std::string text, ledger::Digest* fingerprint);
  No claim_idempotency(const std::string& key, const ledger::Digest& fingerprint);
  No find_model();
  No admit();
  No route();
  No quote();
  event::Task<No> take_hold();
  event::Task<Relayed> serve();
  event::Task<Relayed> try_candidate(const Candidate& candidate);
  event::Task<Relayed> ask();
  event::Task<bool> recover(const Failure& failure);
  event::Task<> pause(int64_t delay_ms);
  event::Task<Settled> settle(const Relayed& relayed);
  void end_claim(const Relayed& relayed, const Settled& settled);
  void release(const Relayed& relayed, const Settled& settled);
  void finish();

  // Answers.
  void refuse(const Refusal& no);
  void replay(const StoredAnswer& answer);
  void pass_fault(const ClientFault& fault);
  void begin_answer();
  void release_plain(const Settled& settled);
  void release_stream(const Settled& settled);
  void end_cut_stream();
  void end_broken(const Refusal& no, bool is_paid);
  http::Headers answer_headers() const;
  void begin_chunk(JsonWriter& json) const;
  std::string usage_chunk(Money charge) const;

  // Smaller parts.
  void on_client_gone() override;
  api::Policies& policies() const;
  // What policies see of the request; made when it is asked for, let go while an answer streams.
  const api::RequestFacts& facts();
  std::unique_ptr<Relay> make_relay(const http::ResponseHead& head);
  std::vector<api::PricePoint> price_points() const;
  api::CandidateFacts candidate_facts(const Route& route,
                                      std::span<const api::PricePoint> price) const;
  Refusal no_channel() const;
  api::AttemptFacts attempt_facts() const;
  int candidates_left(size_t from) const;
  std::optional<Money> dearest_open_ceiling() const;
  void drop_unaffordable(Money available);
  ledger::Settlement settlement(const FinalUsage& usage, ledger::Outcome outcome,
                                std::vector<ledger::PriceLine>& lines) const;
  DecisionRecord& record();
  const DecisionRecord& complete_record();
  void tell_observers();
  void note_attempt(const Candidate& candidate, int64_t begun_ms, const Failure* failure);
  int64_t elapsed_ms() const;
  const Model& model() const { return price_->model(); }

  Services& services_;
  http::ServerConnection& client_;
  const Operation operation_;
  const std::shared_ptr<const Serving> serving_;
  const Id id_;
  const int64_t started_ns_;
  const int64_t wall_ms_;

  std::string id_text_;
  std::string origin_;  // of a browser that may read the answer
  Caller caller_;
  std::string key_text_;
  IpAddress ip_;
  std::string_view path_;
  RequestBody body_;
  std::unique_ptr<const Constraints> constraints_;
  std::optional<ledger::Digest> idempotency_;
  std::shared_ptr<const StoredAnswer> stored_;
  std::unique_ptr<api::RequestFacts> facts_;  // while policies are asked; see facts()
  api::Admitted admitted_;
  const Model* model_ = nullptr;
  TokenProfile profile_{};  // how its vendor counts
  InputTokens input_;
  std::vector<Candidate> candidates_;  // in the order to ask them
  std::optional<Price> price_;
  std::optional<ledger::Hold> hold_;
  std::optional<Metering> metering_;

  size_t at_ = 0;  // the candidate being tried
  int attempts_ = 0;
  int retries_ = 0;
  int tries_here_ = 1;              // of the present candidate
  const Channel* asked_ = nullptr;  // the last that took the request
  std::unique_ptr<Attempt> attempt_;
  std::unique_ptr<Relay> relay_;
  event::Signal* pause_ = nullptr;  // while the next attempt waits
  std::unique_ptr<const ClientFault> fault_;
  std::string content_type_;
  int64_t first_byte_ms_ = -1;  // none went out
  int64_t output_tokens_bound_ = 0;
  Money held_;
  ledger::Seq hold_seq_ = 0;
  std::unique_ptr<DecisionRecord> record_;  // from the first thing on that is over; see record()
};

}  // namespace mg::gateway
