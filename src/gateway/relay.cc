#include "gateway/relay.h"

#include <algorithm>

namespace mg::gateway {
namespace {

constexpr int64_t kMarkEveryNs = 5 * kNsPerS;
constexpr int64_t kLookEveryTokens = 16;  // between two looks at the hold

// Parts of a hold: what a mark is worth writing for, with what is left more is asked for, and with
// what is left a stream that gets no more goes on to the next look.
constexpr int64_t kMarkShare = 10;
constexpr int64_t kExtendShare = 5;
constexpr int64_t kLastShare = 50;

}  // namespace

std::string_view name(Ending ending) {
  switch (ending) {
    case Ending::completed:
      return "completed";
    case Ending::failed:
      return "failed";
    case Ending::broken:
      return "broken";
    case Ending::client_left:
      return "client_left";
    case Ending::cut:
      return "cut";
    case Ending::unsettled:
      return "unsettled";
  }
  return "unknown";
}

Relay::Relay(const RelayParts& parts)
    : parts_(parts), started_ns_(parts.loop.now_ns()), marked_ns_(started_ns_) {}

event::Task<bool> Relay::open_gate() {
  if (has_begun_) co_return true;
  const Result<> durable = co_await parts_.hold.durable();
  if (!durable) co_return false;
  has_begun_ = true;
  if (!client_gone_) parts_.begin();
  co_return true;
}

event::Task<bool> Relay::send(std::string_view bytes) {
  if (client_gone_) {
    has_dropped_ = true;
    co_return false;
  }
  const Result<> sent = parts_.client.write(std::span(&bytes, 1));
  if (sent && parts_.client.is_backed_up()) {
    const int64_t since_ns = parts_.loop.now_ns();
    const Result<> drained = co_await parts_.client.drained();
    parts_.attempt.held_up(parts_.loop.now_ns() - since_ns);
    if (!drained) on_client_gone();
  } else if (!sent) {
    on_client_gone();
  }
  co_return !client_gone_;
}

void Relay::on_client_gone() {
  if (std::exchange(client_gone_, true)) return;
  api::ProgressFacts progress;
  progress.output_tokens = parts_.metering.generated().tokens();
  progress.relayed_bytes = static_cast<int64_t>(parts_.attempt.upstream().body_bytes());
  progress.elapsed_ms = (parts_.loop.now_ns() - started_ns_) / kNsPerMs;
  progress.cost = metered();
  drain_cost_max_ = parts_.on_disconnect(progress).drain_cost_max;
  if (is_drained_out()) parts_.attempt.interrupt();
}

bool Relay::is_drained_out() const {
  return client_gone_ && (!drain_cost_max_ || metered() >= *drain_cost_max_);
}

Money Relay::metered() const {
  // An amount beyond counting is more than any hold.
  return parts_.price.charge(parts_.metering.final().usage).value_or(Money::nanos(INT64_MAX));
}

ledger::Amounts Relay::for_every_wallet(Money amount) const {
  ledger::Amounts amounts;
  for (size_t i = 0; i < parts_.hold.amounts().size(); ++i) amounts.push_back(amount);
  return amounts;
}

void Relay::mark(Money cost) {
  if (!has_begun_) return;  // who got nothing pays nothing, should we die now
  ledger::Mark mark;
  mark.metered = for_every_wallet(cost);
  mark.units = parts_.metering.generated().tokens();
  const Money covered = parts_.hold.amounts()[0];
  const int64_t now = parts_.loop.now_ns();
  const bool is_due =
      now - marked_ns_ >= kMarkEveryNs ||
      (cost - marked_).nanos() >= std::max<int64_t>(1, covered.nanos() / kMarkShare);
  if (!is_due) {
    parts_.hold.meter(mark);
    return;
  }
  parts_.hold.mark(mark);
  marked_ns_ = now;
  marked_ = cost;
}

void Relay::mark_covered() { mark(std::min(metered(), parts_.hold.amounts()[0])); }

event::Task<bool> Relay::keep_covered() {
  const int64_t generated = parts_.metering.seen_tokens();
  if (covered_tokens_ >= 0 && generated - covered_tokens_ < kLookEveryTokens) co_return true;
  covered_tokens_ = generated;
  const Money cost = std::min(metered(), Money::nanos(INT64_MAX / 4));
  mark(cost);
  const Money covered = parts_.hold.amounts()[0];
  // Before it is used up: what arrives while we ask is covered by the rest.
  if (cost.nanos() < covered.nanos() - covered.nanos() / kExtendShare || covered.is_zero())
    co_return true;
  const bool is_more = co_await extend(covered);
  // What is left of the hold lasts until the next look, or the stream ends here.
  co_return is_more || cost.nanos() < covered.nanos() - covered.nanos() / kLastShare;
}

// By as much again, or by what is there.
event::Task<bool> Relay::extend(Money amount) {
  Result<ledger::ExtendOutcome> outcome = co_await parts_.hold.extend(for_every_wallet(amount));
  if (!outcome) co_return false;
  const auto* refusal = std::get_if<ledger::HoldRefusal>(&*outcome);
  if (!refusal) co_return true;
  const Money rest = amount - refusal->short_by;
  if (rest <= Money()) co_return false;
  outcome = co_await parts_.hold.extend(for_every_wallet(rest));
  co_return outcome.has_value() && std::holds_alternative<ledger::Extended>(*outcome);
}

Relayed Relay::ended(Ending ending, Failure failure) const {
  return {ending, std::make_unique<const Failure>(std::move(failure)), has_begun_};
}

Relayed Relay::broke_off(const Error& error) {
  if (client_gone_) return ended(Ending::client_left);
  if (parts_.attempt.was_held_up()) return ended(Ending::client_left);
  return ended(has_begun_ ? Ending::broken : Ending::failed, failure_of(error));
}

}  // namespace mg::gateway
