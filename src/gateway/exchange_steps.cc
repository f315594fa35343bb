// The steps of an exchange up to its hold: who asks, for what, whether they may, where it could go,
// and what it would cost.
#include <algorithm>
#include <cstring>
#include <functional>

#include "base/limits.h"
#include "base/text.h"
#include "gateway/exchange.h"
#include "tls/digest.h"

namespace mg::gateway {
namespace {

// The mode of the catalogue's prices that a service tier asks for; empty: the usual one.
std::string_view price_mode(std::string_view service_tier) {
  return service_tier == "priority" || service_tier == "fast" ? "fast" : "";
}

// What tells a request from another one with the same Idempotency-Key.
ledger::Digest fingerprint_of(std::string_view path, std::string_view body) {
  tls::Sha256 hash;
  hash.add(path);
  hash.add("\n");
  hash.add(body);
  return hash.finish().bytes;
}

struct Understood {
  tl::expected<RequestBody, Refusal> body;
  ledger::Digest fingerprint;
};

int64_t or_else(int64_t wanted_ms, int64_t own_ms) { return wanted_ms > 0 ? wanted_ms : own_ms; }

api::Timeouts merged(const api::Timeouts& wanted, const api::Timeouts& own) {
  return {or_else(wanted.connect_ms, own.connect_ms),
          or_else(wanted.first_byte_ms, own.first_byte_ms), or_else(wanted.idle_ms, own.idle_ms),
          or_else(wanted.total_ms, own.total_ms)};
}

api::Breaker breaker_fact(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return api::Breaker::closed;
    case BreakerState::half_open:
      return api::Breaker::half_open;
    case BreakerState::open:
      break;
  }
  return api::Breaker::open;
}

}  // namespace

No Exchange::authenticate() {
  const http::RequestHead& head = client_.head();
  ip_ = client_address(client_.peer(), head.headers.joined("x-forwarded-for"),
                       services_.settings.trusted_proxies);
  path_ = path_of(operation_);
  if (const auto origin = head.headers.find("origin")) origin_ = *origin;
  auto caller = gateway::authenticate(head.headers, serving_->world->directory(), wall_ms_);
  if (!caller) return std::move(caller.error());
  caller_ = std::move(*caller);
  key_text_ = caller_.key->id.text(kKeyPrefix);
  services_.metrics.started[static_cast<size_t>(operation_)].add();
  services_.metrics.in_flight.add();
  return std::nullopt;
}

event::Task<No> Exchange::read_request() {
  const http::RequestHead& head = client_.head();
  const auto type = head.headers.find("content-type");
  if (type && !equal_ignoring_case(trimmed(type->substr(0, type->find(';'))), "application/json"))
    co_return refusal(Code::unsupported_media_type, "the content type must be application/json");
  const std::string_view coding = head.headers.find("content-encoding").value_or("identity");
  if (!trimmed(coding).empty() && !equal_ignoring_case(trimmed(coding), "identity"))
    co_return refusal(Code::unsupported_media_type, "the body must not be compressed");
  const std::string idempotency_key(head.headers.find("idempotency-key").value_or(""));
  const std::string session(head.headers.find("x-session-id").value_or(""));
  if (const auto asked = head.headers.find("x-moongate-constraints")) {
    Result<Constraints> constraints = Constraints::parse(*asked);
    if (!constraints) co_return refusal(Code::invalid_value, constraints.error().what);
    constraints_ = std::make_unique<const Constraints>(std::move(*constraints));
  }
  Result<std::string> text = co_await client_.read_body();
  if (!text) {
    if (text.error().code == Errc::too_large)
      co_return refusal(Code::request_too_large, text.error().what);
    if (text.error().code == Errc::timeout)
      co_return refusal(Code::request_timeout, text.error().what);
    if (text.error().code == Errc::overloaded) {
      Refusal no = refusal(Code::overloaded, text.error().what);
      no.retry_after_s = 1;  // bodies are held until their answer begins
      co_return no;
    }
    co_return refusal(Code::invalid_request, text.error().what);
  }
  client_.forget_fields();
  const bool is_repeatable = !idempotency_key.empty();
  ledger::Digest fingerprint{};
  No no = co_await understand(std::move(*text), is_repeatable ? &fingerprint : nullptr);
  if (no) co_return no;
  if (!session.empty()) body_.set_session(session);
  if (!is_repeatable) co_return std::nullopt;
  co_return claim_idempotency(idempotency_key, fingerprint);
}

// Reads the body, and takes its fingerprint where one is wanted; of a large one in the pool, so
// that nobody else waits for it.
event::Task<No> Exchange::understand(std::string text, ledger::Digest* fingerprint) {
  const bool is_large = text.size() >= services_.settings.offload_bytes_min;
  // Nothing of this exchange is touched in the pool, which may outlive it.
  auto read = [operation = operation_, path = path_, is_wanted = fingerprint != nullptr,
               text = std::move(text)]() mutable {
    Understood out{RequestBody::read(operation, std::move(text)), {}};
    if (out.body && is_wanted) out.fingerprint = fingerprint_of(path, out.body->text());
    return out;
  };
  std::optional<Understood> understood;
  if (is_large) {
    auto in_pool = co_await event::offloaded(services_.loop, std::move(read));
    understood.emplace(std::move(in_pool));
  } else {
    understood.emplace(read());
  }
  if (!understood->body) co_return std::move(understood->body.error());
  body_ = std::move(*understood->body);
  if (fingerprint) *fingerprint = understood->fingerprint;
  co_return std::nullopt;
}

No Exchange::claim_idempotency(const std::string& key, const ledger::Digest& fingerprint) {
  if (key.size() > limits::idempotency_key_bytes_max)
    return refusal(Code::invalid_value, "the Idempotency-Key is longer than " +
                                            std::to_string(limits::idempotency_key_bytes_max) +
                                            " bytes");
  const ledger::Digest digest = tls::sha256(key_text_ + '\n' + key).bytes;
  const IdempotencyTable::Claim claim =
      services_.idempotency.claim(digest, fingerprint, id_, services_.loop.now_ns());
  const std::string first = claim.request.text(kRequestPrefix);
  switch (claim.verdict) {
    case IdempotencyTable::Claim::Verdict::fresh:
      idempotency_ = digest;
      return std::nullopt;
    case IdempotencyTable::Claim::Verdict::replay:
      stored_ = claim.answer;
      return std::nullopt;
    case IdempotencyTable::Claim::Verdict::in_flight:
      return refusal(Code::idempotency_in_flight,
                     "request " + first + " with this Idempotency-Key is still running");
    case IdempotencyTable::Claim::Verdict::mismatch:
      return refusal(Code::idempotency_mismatch,
                     "request " + first + " used this Idempotency-Key with another body");
    case IdempotencyTable::Claim::Verdict::charged:
      break;
  }
  return refusal(Code::idempotency_replayed, "request " + first +
                                                 " used this Idempotency-Key and was charged; "
                                                 "its answer is not kept");
}

No Exchange::find_model() {
  const World& world = *serving_->world;
  model_ = world.catalogue().find(body_.model());
  const bool is_of_mode =
      model_ && (operation_ == Operation::embedding) == (model_->mode == Mode::embedding);
  if (is_of_mode && model_->is_priced() && world.is_resting(*model_))
    return refusal(Code::no_channel_available, "every channel of this model is disabled");
  if (!is_of_mode || !model_->is_priced() || world.routes(*model_).empty())
    return refusal(Code::model_not_found,
                   "the model " + body_.model() + " does not exist or is not offered here",
                   "model");
  profile_ = token_profile(model_->provider, model_->id);
  input_ = {input_tokens_estimate(body_.shape(), profile_),
            input_text_estimate(body_.shape(), profile_),
            input_tokens_bound(body_.shape(), profile_), body_.shape().is_open()};
  body_.drop_shape();
  return std::nullopt;
}

const api::RequestFacts& Exchange::facts() {
  if (facts_) return *facts_;
  facts_ = std::make_unique<api::RequestFacts>();
  api::RequestFacts& out = *facts_;
  out.id = id_text_;
  std::memcpy(&out.seed, id_.bytes().data() + 8, sizeof out.seed);
  out.time_ms = wall_ms_;
  out.ip = ip_;
  out.method = "POST";
  out.path = path_;
  out.protocol = "openai_chat";
  out.operation = name(operation_);
  out.model = model_ ? std::string_view(model_->id) : std::string_view(body_.model());
  if (model_) out.aliases = model_->aliases;
  out.requested_model = body_.model();
  out.session = body_.session();
  out.stream = body_.is_stream();
  out.bytes = static_cast<int64_t>(body_.bytes());
  out.input_tokens_estimate = input_.estimate;
  out.max_output_tokens = body_.output_limit().value_or(0);
  out.has = body_.has();
  describe_caller(caller_, key_text_, out);
  if (constraints_) out.constraints = constraints_->facts();
  return out;
}

No Exchange::admit() {
  if (!policies().has(api::Phase::admit)) return std::nullopt;
  api::AdmitDecision decision = policies().admit(facts());
  admitted_ = std::move(static_cast<api::Admitted&>(decision));
  if (!decision.refusal) return std::nullopt;
  const api::Refusal& no = *decision.refusal;
  record().module = no.module;
  services_.metrics.refused_by_policy.add();
  return policy_refusal(no.status, no.code, no.message, no.retry_after_s);
}

No Exchange::route() {
  const World& world = *serving_->world;
  const std::span<const Route> routes =
      world.routes(*model_).first(std::min(world.routes(*model_).size(), limits::candidates_max));
  for (const Route& route : routes) {
    candidates_.push_back(
        {route.channel.get(), route.upstream_model, route.channel->timeouts, {}, Verdict::kept});
  }
  if (!policies().has(api::Phase::route)) return std::nullopt;
  const std::vector<api::PricePoint> price = price_points();
  std::vector<api::CandidateFacts> offered;
  for (const Route& route : routes) offered.push_back(candidate_facts(route, price));
  const api::RouteDecision decision = policies().route(facts(), offered);
  if (decision.kept) return std::nullopt;
  std::vector<Candidate> chosen;
  for (const api::RoutedCandidate& pick : decision.order) {
    Candidate& candidate = chosen.emplace_back(candidates_[pick.index]);
    candidates_[pick.index].verdict = Verdict::left_out;  // stands here no longer
    candidate.verdict = Verdict::kept;
    if (!pick.upstream_model.empty()) candidate.upstream_model = pick.upstream_model;
    candidate.timeouts = merged(pick.timeouts, candidate.timeouts);
  }
  // Those left out go behind, for the record.
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const bool is_chosen =
        std::any_of(decision.order.begin(), decision.order.end(),
                    [&](const api::RoutedCandidate& pick) { return pick.index == i; });
    if (is_chosen) continue;
    candidates_[i].verdict = Verdict::left_out;
    chosen.push_back(std::move(candidates_[i]));
  }
  candidates_ = std::move(chosen);
  if (std::none_of(candidates_.begin(), candidates_.end(), std::mem_fn(&Candidate::is_kept)))
    return no_channel();
  return std::nullopt;
}

// Told with the time after which the first of them may have rested enough.
Refusal Exchange::no_channel() const {
  Refusal no = refusal(Code::no_channel_available, "no channel may serve this request");
  const int64_t now_ns = services_.loop.now_ns();
  for (const Candidate& candidate : candidates_) {
    const auto rest_ms = candidate.channel->health->rest_ms(now_ns, serving_->world->breaker());
    if (!rest_ms) continue;
    const int64_t rest_s = seconds_rounded_up(*rest_ms);
    no.retry_after_s = std::min(no.retry_after_s.value_or(rest_s), rest_s);
  }
  return no;
}

std::vector<api::PricePoint> Exchange::price_points() const {
  std::vector<api::PricePoint> points;
  points.reserve(kMeterCount);
  const PriceTier& base = model_->tiers.front();
  for (Meter meter : kMeters)
    if (base.has_own(meter)) points.push_back({name(meter), base.rate(meter)});
  return points;
}

api::CandidateFacts Exchange::candidate_facts(const Route& route,
                                              std::span<const api::PricePoint> price) const {
  const Channel& channel = *route.channel;
  const ChannelHealth& health = *channel.health;
  const int64_t now_ns = services_.loop.now_ns();
  api::CandidateFacts facts;
  facts.channel = channel.id;
  facts.provider = channel.provider.name;
  facts.protocol = channel.provider.protocol;
  facts.region = channel.region;
  facts.upstream_model = route.upstream_model;
  facts.priority = channel.priority;
  facts.weight = channel.weight;
  // A channel that cools down after a 429 is as closed to this request as one whose breaker is
  // open.
  facts.breaker = health.is_cooling(now_ns)
                      ? api::Breaker::open
                      : breaker_fact(health.state(now_ns, serving_->world->breaker()));
  facts.latency_ms = health.latency_ms();
  facts.first_token_ms = health.first_byte_ms();
  facts.error_rate = static_cast<double>(health.error_ppm()) / 1e6;
  facts.in_flight = health.in_flight();
  facts.concurrency_max = channel.concurrency_max;
  facts.price = price;
  facts.cost_ppm = channel.cost_ppm;
  return facts;
}

No Exchange::quote() {
  const std::string_view mode = price_mode(body_.service_tier());
  const PriceTiers* tiers = mode.empty() ? &model_->tiers : model_->mode_tiers(mode);
  if (!tiers)
    return refusal(Code::unsupported_parameter,
                   "the service tier " + body_.service_tier() + " has no price for this model",
                   "service_tier");
  if (model_->context_window > 0 && input_.text_estimate > 2 * model_->context_window)
    return refusal(Code::context_length_exceeded,
                   "the input is about " + std::to_string(input_.text_estimate) +
                       " tokens, and the model's context window " +
                       std::to_string(model_->context_window),
                   operation_ == Operation::chat         ? "messages"
                   : operation_ == Operation::completion ? "prompt"
                                                         : "input");
  price_.emplace(*model_, *tiers);
  if (policies().has(api::Phase::quote) &&
      policies().quote(facts(), price_->lines()) == api::QuoteDecision::policy_error)
    return refusal(Code::policy_error, "a pricing policy failed");
  output_tokens_bound_ = output_tokens_held(*model_, body_, input_);
  const Result<Money> ceiling = price_->ceiling(input_.bound, output_tokens_bound_);
  if (!ceiling)
    return refusal(Code::invalid_value, "this request may cost more than can be counted");
  for (Candidate& candidate : candidates_) candidate.ceiling = *ceiling;
  return std::nullopt;
}

// Holds for the dearest candidate. Those that the wallet cannot pay leave the plan, and the rest is
// held for instead.
event::Task<No> Exchange::take_hold() {
  const HoldTerms terms{id_,          *caller_.tenant, *caller_.key, admitted_.budgets,
                        idempotency_, wall_ms_};
  for (std::optional<Money> amount = dearest_open_ceiling(); amount;
       amount = dearest_open_ceiling()) {
    Result<ledger::HoldOutcome> outcome =
        co_await services_.ledger.hold(hold_request(terms, *amount));
    if (!outcome) co_return ledger_refusal(outcome.error());
    if (ledger::Hold* hold = std::get_if<ledger::Hold>(&*outcome)) {
      hold_.emplace(std::move(*hold));
      held_ = *amount;
      hold_seq_ = hold_->seq();
      co_return std::nullopt;
    }
    const ledger::HoldRefusal& no = std::get<ledger::HoldRefusal>(*outcome);
    const bool is_short = no.reason == ledger::HoldRefusal::Reason::wallet_short ||
                          no.reason == ledger::HoldRefusal::Reason::budget_short;
    if (is_short) drop_unaffordable(*amount - no.short_by);
    if (!is_short || !dearest_open_ceiling()) co_return refusal_for(no);
  }
  co_return refusal(Code::no_channel_available, "no channel may serve this request");
}

std::optional<Money> Exchange::dearest_open_ceiling() const {
  std::optional<Money> dearest;
  for (const Candidate& candidate : candidates_)
    if (candidate.is_kept()) dearest = std::max(dearest.value_or(Money()), candidate.ceiling);
  return dearest;
}

void Exchange::drop_unaffordable(Money available) {
  for (Candidate& candidate : candidates_)
    if (candidate.is_kept() && candidate.ceiling > available)
      candidate.verdict = Verdict::unaffordable;
}

}  // namespace mg::gateway
