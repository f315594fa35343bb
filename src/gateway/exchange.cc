#include "gateway/exchange.h"

#include <algorithm>
#include <functional>

namespace mg::gateway {
namespace {

// Flags of a settlement.
constexpr uint16_t kUsageImplausible = 1;

bool is_busy(const Failure& failure) { return failure.kind == api::FailureKind::busy; }

// A full one may have room at any time.
int64_t rest_ms(const Failure& busy) { return busy.retry_after_ms.value_or(0); }

// Which of two failures in turn the client hears of: of a channel that was asked rather than of one
// that rests, and of two that rest that of the one which will be back first.
bool says_more(const Failure& later, const Failure& earlier) {
  if (!is_busy(later)) return true;
  return is_busy(earlier) && rest_ms(later) < rest_ms(earlier);
}

ledger::Outcome outcome_of(Ending ending) {
  switch (ending) {
    case Ending::completed:
      return ledger::Outcome::completed;
    case Ending::cut:
      return ledger::Outcome::cut;
    case Ending::client_left:
      return ledger::Outcome::client_left;
    case Ending::failed:
    case Ending::broken:
    case Ending::unsettled:
      break;
  }
  return ledger::Outcome::upstream_failed;
}

}  // namespace

Exchange::Exchange(Services& services, http::ServerConnection& client, Operation operation)
    : services_(services),
      client_(client),
      operation_(operation),
      serving_(services.serving),
      id_(Id::make(services.loop.clock(), services.rng)),
      started_ns_(services.loop.now_ns()),
      wall_ms_(services.loop.clock().wall_ms()),
      id_text_(id_.text(kRequestPrefix)) {}

Exchange::~Exchange() {
  client_.watch_gone(nullptr);
  if (idempotency_) services_.idempotency.forget(*idempotency_);
}

// Read from here. The steps up to the hold are in exchange_steps.cc; what the client is told, in
// exchange_answer.cc.
event::Task<> Exchange::run() {
  No no = authenticate();
  if (!no) no = co_await read_request();
  if (!no) no = find_model();
  if (!no) no = admit();
  if (!no && stored_) {
    replay(*stored_);
    co_return finish();
  }
  if (!no) no = route();
  if (!no) no = quote();
  // Ordered now, durable soon: the upstream is asked meanwhile.
  if (!no) no = co_await take_hold();
  if (no) {
    end_claim({}, {});
    refuse(*no);
    co_return finish();
  }
  facts_.reset();  // an answer may take long
  client_.watch_gone(this);
  const Relayed relayed = co_await serve();          // The answer went out, but for its end.
  const Settled settled = co_await settle(relayed);  // The charge is durable ...
  release(relayed, settled);                         // ... and so the end may go out.
  finish();
}

// Asks one candidate after the other until one answers. Nothing is tried again once a byte of an
// answer has gone out.
event::Task<Relayed> Exchange::serve() {
  Relayed failed;  // what there is to say when none does
  while (at_ < candidates_.size() && attempts_ < limits::attempts_max) {
    if (!candidates_[at_].is_kept()) {
      ++at_;
      continue;
    }
    Relayed relayed = co_await try_candidate(candidates_[at_]);
    if (relayed.ending != Ending::failed || fault_) co_return relayed;
    const bool goes_on = co_await recover(*relayed.failure);
    if (!failed.failure || says_more(*relayed.failure, *failed.failure))
      failed = std::move(relayed);
    if (client_.is_gone()) failed.ending = Ending::client_left;
    if (!goes_on) break;
  }
  if (!failed.failure)
    failed.failure = std::make_unique<const Failure>(Failure{api::FailureKind::busy, 0, {}, {}});
  co_return failed;
}

event::Task<Relayed> Exchange::try_candidate(const Candidate& candidate) {
  const int64_t begun_ms = elapsed_ms();
  relay_.reset();
  attempt_ = std::make_unique<Attempt>(services_.loop, services_.pool, candidate,
                                       serving_->world->breaker(), body_, operation_);
  Relayed relayed = co_await ask();
  if (relay_) relayed = co_await relay_->run();
  if (!relayed.failure || !is_busy(*relayed.failure)) ++attempts_;
  if (relayed.ending == Ending::completed) attempt_->finished();
  if (relayed.failure) attempt_->broke(*relayed.failure);
  note_attempt(candidate, begun_ms, relayed.failure.get());
  co_return relayed;
}

// Waits for the head of an answer. A relay is there afterwards, or else how it ended.
event::Task<Relayed> Exchange::ask() {
  Relayed relayed;
  if (client_.is_gone()) {
    relayed.ending = Ending::client_left;
    co_return relayed;
  }
  Asked asked = co_await attempt_->ask();
  const auto* failed = std::get_if<Failure>(&asked);
  if (!failed || !is_busy(*failed)) asked_ = candidates_[at_].channel;
  if (const auto* head = std::get_if<http::ResponseHead>(&asked)) {
    relay_ = make_relay(*head);
  } else if (auto* fault = std::get_if<ClientFault>(&asked)) {
    fault_ = std::make_unique<const ClientFault>(std::move(*fault));
  } else if (auto* failure = std::get_if<Failure>(&asked)) {
    relayed.failure = std::make_unique<const Failure>(std::move(*failure));
  } else {
    relayed.ending = Ending::client_left;
  }
  co_return relayed;
}

// What to do after a failure: true when there is something left to try, with at_ at it.
event::Task<bool> Exchange::recover(const Failure& failure) {
  const api::FailureFacts failed{failure.kind, failure.status, failure.retry_after_ms};
  const api::RecoverDecision decision = policies().recover(facts(), attempt_facts(), failed);
  const bool may_retry = retries_ < limits::retries_max && !is_busy(failure);
  AttemptRecord& noted = record().attempts.back();
  if (decision.action == api::Recovery::stop) {
    noted.recovery = "stop";
    co_return false;
  }
  if (decision.action == api::Recovery::retry && may_retry) {
    noted.recovery = "retry";
    ++retries_;
    ++tries_here_;
  } else {
    noted.recovery = "next";
    ++at_;
    tries_here_ = 1;
  }
  const bool may_try_again = attempts_ < limits::attempts_max && candidates_left(at_) > 0;
  // Nobody waits before an attempt that will not be made.
  if (decision.delay_ms > 0 && may_try_again) co_await pause(decision.delay_ms);
  co_return !client_.is_gone();
}

api::AttemptFacts Exchange::attempt_facts() const {
  const Candidate& candidate = candidates_[at_];
  api::AttemptFacts facts;
  facts.number = attempts_;
  facts.tries_on_channel = tries_here_;
  facts.retries = retries_;
  facts.candidates_left = candidates_left(at_ + 1);
  facts.channel = candidate.channel->id;
  facts.provider = candidate.channel->provider.name;
  facts.upstream_model = candidate.upstream_model;
  facts.elapsed_ms = elapsed_ms();
  return facts;
}

int Exchange::candidates_left(size_t from) const {
  return static_cast<int>(std::count_if(candidates_.begin() + static_cast<std::ptrdiff_t>(from),
                                        candidates_.end(), std::mem_fn(&Candidate::is_kept)));
}

// So long, or until the client leaves. The channel has its place back meanwhile.
event::Task<> Exchange::pause(int64_t delay_ms) {
  relay_.reset();
  attempt_.reset();
  event::Signal over;
  event::Timer timer = event::Timer::calling<&event::Signal::raise>(services_.loop.timers(), &over);
  timer.start_ms(delay_ms);
  pause_ = &over;
  co_await over.wait();
  pause_ = nullptr;
}

std::unique_ptr<Relay> Exchange::make_relay(const http::ResponseHead& head) {
  if (!body_.is_stream()) {
    content_type_ = head.headers.find("content-type").value_or("");
    if (content_type_.empty()) content_type_ = kJsonType;
  }
  metering_.emplace(input_.estimate, usage_bounds(model(), body_, input_), profile_.tokenizer);
  if (body_.echoed_prompts())
    metering_->set_echo(std::make_unique<Echo>(body_.echoed_prompts(), body_.answers()));
  RelayParts parts{services_.loop,
                   client_,
                   *attempt_,
                   *hold_,
                   *price_,
                   *metering_,
                   services_.reader,
                   candidates_[at_].channel->provider,
                   operation_,
                   body_.answers(),
                   [this] { begin_answer(); },
                   [this](const api::ProgressFacts& progress) {
                     return policies().disconnect(facts(), progress);
                   }};
  if (!body_.is_stream()) return std::make_unique<PlainRelay>(parts);
  return std::make_unique<StreamRelay>(
      parts, body_.asks_usage() ? StreamRelay::UsageChunk::shown : StreamRelay::UsageChunk::hidden);
}

void Exchange::on_client_gone() {
  if (pause_) {
    pause_->raise();
  } else if (relay_) {
    relay_->on_client_gone();
  } else if (attempt_) {
    attempt_->interrupt();
  }
}

// Resolves the hold, exactly once, by how the answer ended.
event::Task<Exchange::Settled> Exchange::settle(const Relayed& relayed) {
  Settled settled;
  // An upstream that broke off before it said anything is not paid for; a client that left then is
  // no reason for its provider to forget the input.
  const bool is_charged = relayed.ending == Ending::completed ||
                          (relayed.has_begun && (!relayed.failure || metering_->has_output()));
  if (!is_charged || relayed.ending == Ending::unsettled) {
    const auto reason = relayed.ending == Ending::client_left ? ledger::VoidReason::client_left
                        : fault_                              ? ledger::VoidReason::refused
                                                              : ledger::VoidReason::upstream_failed;
    const Result<ledger::Receipt> released = co_await std::move(*hold_).release(reason);
    if (relayed.ending == Ending::unsettled) settled.no = ledger_refusal({Errc::unavailable, ""});
    if (released) record().settlement_seq = released->seq;
    co_return settled;
  }
  record().usage = metering_->final();
  std::vector<ledger::PriceLine> lines;
  const ledger::Settlement final_terms =
      settlement(record().usage, outcome_of(relayed.ending), lines);
  const Result<ledger::Receipt> receipt = co_await std::move(*hold_).post(final_terms);
  if (!receipt) {
    settled.no = ledger_refusal(receipt.error());
    co_return settled;
  }
  settled.is_posted = true;
  settled.charge = receipt->charge;
  services_.metrics.count_usage(record().usage.usage, receipt->charge);
  record().cost = receipt->charge;
  record().shortfall = receipt->shortfall;
  record().settlement_seq = receipt->seq;
  if (services_.settings.durability == Durability::strict || !relayed.has_begun) {
    // A plain answer in relaxed mode waits for its hold alone, which was ordered before.
    const ledger::Seq needed =
        services_.settings.durability == Durability::strict ? receipt->seq : hold_seq_;
    const Result<> durable = co_await services_.ledger.durable(needed);
    if (!durable) settled.no = ledger_refusal(durable.error());
  }
  co_return settled;
}

ledger::Settlement Exchange::settlement(const FinalUsage& usage, ledger::Outcome outcome,
                                        std::vector<ledger::PriceLine>& lines) const {
  const Candidate& candidate = candidates_[at_];
  // Amounts beyond int64 cannot come from plausible usage; what is left then is the hold itself.
  if (!price_->settle(usage.usage, lines)) lines.clear();
  if (!caller_.tenant->seller.is_nil()) {
    const size_t retail = lines.size();
    for (size_t i = 0; i < retail; ++i) {
      lines.push_back(lines[i]);
      lines.back().wallet = 1;
    }
  }
  ledger::Settlement out;
  out.lines = lines;
  out.cost =
      provider_cost(price_->tiers(), usage.usage, candidate.channel->cost_ppm).value_or(Money());
  out.provider = candidate.channel->provider.name;
  out.channel = candidate.channel->id;
  out.model = model().id;
  out.upstream_model = candidate.upstream_model;
  out.source = usage.source;
  out.outcome = outcome;
  out.generation = serving_->world->generation();
  out.flags = usage.was_implausible ? kUsageImplausible : 0;
  return out;
}

// The counters, the hook that sees the end, the record.
void Exchange::finish() {
  const DecisionRecord& record = complete_record();
  services_.metrics.latency.observe(record.latency_ms);
  if (first_byte_ms_ >= 0) services_.metrics.first_byte.observe(first_byte_ms_);
  services_.metrics.count_end(operation_, record.status);
  if (!caller_.key) return;  // an unauthenticated refusal is a counter, not a record
  services_.metrics.in_flight.sub(1);
  if (policies().has(api::Phase::observe)) tell_observers();
  record_->candidates = std::move(candidates_);
  services_.records.add(*record_);
}

const DecisionRecord& Exchange::complete_record() {
  DecisionRecord& record = this->record();
  record.request = id_;
  record.time_ms = wall_ms_;
  record.generation = serving_->world->generation();
  record.operation = name(operation_);
  record.latency_ms = elapsed_ms();
  record.first_byte_ms = std::max<int64_t>(0, first_byte_ms_);
  record.input_tokens_bound = input_.bound;
  record.output_tokens_bound = output_tokens_bound_;
  record.held = held_;
  record.hold_seq = hold_seq_;
  record.stream = body_.is_stream();
  if (model_) record.model = model_->id;
  if (!caller_.key) return record;
  record.tenant = caller_.tenant->path.back();
  record.key = key_text_;
  record.ip = ip_.text();
  return record;
}

// What `observe` says of it stands in the record.
void Exchange::tell_observers() {
  DecisionRecord& record = *record_;
  std::array<api::UsagePoint, kMeterCount> usage;
  size_t used = 0;
  for (Meter meter : kMeters)
    if (record.usage.usage[meter]) usage[used++] = {name(meter), record.usage.usage[meter]};
  api::RecordFacts told;
  told.status = record.status;
  told.code = record.code;
  told.channel = record.channel;
  // Behind a failure the plan goes on to a channel that may never be asked.
  for (const Candidate& candidate : candidates_)
    if (candidate.channel->id == record.channel) told.provider = candidate.channel->provider.name;
  told.upstream_model = record.upstream_model;
  told.usage = std::span(usage.data(), used);
  told.usage_source = ledger::name(record.usage.source);
  told.cost = record.cost;
  told.latency_ms = record.latency_ms;
  told.first_token_ms = record.first_byte_ms;
  told.tokens = record.usage.usage.input() + record.usage.usage.output();
  told.token_takes = admitted_.token_takes;
  told.attempts = attempts_;
  told.client_left = client_.is_gone();
  facts_.reset();  // the wallet has changed
  record.tags = policies().observe(facts(), told).tags;
}

api::Policies& Exchange::policies() const {
  return serving_->policies ? *serving_->policies : *services_.serving->policies;
}

DecisionRecord& Exchange::record() {
  if (!record_) record_ = std::make_unique<DecisionRecord>();
  return *record_;
}

int64_t Exchange::elapsed_ms() const { return (services_.loop.now_ns() - started_ns_) / kNsPerMs; }

void Exchange::note_attempt(const Candidate& candidate, int64_t begun_ms, const Failure* failure) {
  AttemptRecord noted;
  noted.channel = candidate.channel->id;
  noted.upstream_model = candidate.upstream_model;
  noted.started_ms = begun_ms;
  noted.took_ms = elapsed_ms() - begun_ms;
  noted.status = failure ? failure->status : fault_ ? fault_->status : relay_ ? 200 : 0;
  if (failure) {
    noted.failure = name(failure->kind);
    noted.what = failure->what;
  }
  record().attempts.push_back(std::move(noted));
  if (failure && is_busy(*failure)) return;  // it was not asked
  record().channel = candidate.channel->id;
  record().upstream_model = candidate.upstream_model;
}

}  // namespace mg::gateway
