#include "gateway/attempt.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"

namespace mg::gateway {
namespace {

// What may follow the last event of a stream, and how long it may take.
constexpr uint64_t kRestBytesMax = 64 * limits::KiB;
constexpr int64_t kRestMs = 1'000;

// A kept connection that was closed when it was used says so at once. One that ends later had taken
// the request, which may be charged for.
constexpr int64_t kStaleMs = 500;

// Of an upstream's words: how many are looked at, and how many are told.
constexpr size_t kSaidBytesMax = 4 * limits::KiB;
constexpr size_t kToldBytesMax = 300;

// A client that holds its answer up for less does so to nobody's harm.
constexpr int64_t kHeldUpNsMin = kNsPerS;

event::Task<> drain([[maybe_unused]] std::shared_ptr<const void> generation, http::Lease lease) {
  const http::Lease rest = std::move(lease);  // goes back to its pool before the channel may go
  const uint64_t most = rest->body_bytes() + kRestBytesMax;
  while (rest->body_bytes() <= most) {
    const Result<std::span<const std::string_view>> pieces = co_await rest->read(kRestMs);
    if (!pieces || pieces->empty()) break;
  }
}

// RFC 9110, section 8.4.1: codings are compared without regard to case. "identity" is none, and
// some servers send the field with nothing in it.
bool is_coded(const http::Headers& headers) {
  const std::string joined = headers.joined("content-encoding");
  const std::vector<std::string_view> codings = split(joined, ',');
  return std::any_of(codings.begin(), codings.end(), [](std::string_view coding) {
    const std::string_view name = trimmed(coding);
    return !name.empty() && !equal_ignoring_case(name, "identity");
  });
}

}  // namespace

Attempt::Attempt(event::Loop& loop, http::Pool& pool, const Candidate& candidate,
                 const BreakerRules& breaker, const RequestBody& body, Operation operation)
    : loop_(loop),
      pool_(pool),
      candidate_(candidate),
      breaker_(breaker),
      body_(body),
      operation_(operation),
      health_(*candidate.channel->health) {}

Attempt::~Attempt() {
  if (pass_ == ChannelHealth::Pass::refused) return;
  if (!has_verdict_) health_.undecided(pass_);
  health_.leave();
}

event::Task<Asked> Attempt::ask() {
  started_ns_ = loop_.now_ns();
  pass_ = health_.enter(started_ns_, breaker_, candidate_.channel->concurrency_max);
  if (pass_ == ChannelHealth::Pass::refused)
    co_return Failure{api::FailureKind::busy, 0, health_.rest_ms(started_ns_, breaker_),
                      "the channel is resting or full"};
  Result<http::ResponseHead> head = co_await exchange_heads();
  if (interrupted_) co_return Interrupted();
  if (!head) {
    Failure failure = failure_of(head.error());
    if (!lease_ && failure.kind != api::FailureKind::busy) failure.kind = api::FailureKind::connect;
    co_return reported(std::move(failure));
  }
  first_byte_ns_ = loop_.now_ns();
  const bool is_answer = judge(*head, {}).blame == Blame::nobody;
  if (is_answer && is_coded(head->headers))
    co_return reported({api::FailureKind::garbage,
                        head->status,
                        {},
                        "the upstream coded its answer although nobody asked"});
  if (is_answer) co_return std::move(*head);
  std::string said = co_await read_error_body();
  // What is coded cannot be read: neither judged by its words, nor searched for our credential.
  if (is_coded(head->headers)) said.clear();
  said = candidate_.channel->without_credential(said);
  Judgement judgement = judge(*head, said);
  if (judgement.blame != Blame::client) co_return reported(std::move(judgement.failure));
  health_.succeeded(pass_);
  has_verdict_ = true;
  co_return client_fault(*head, said);
}

std::string Attempt::for_records(std::string_view said) const {
  // An event with an error can be megabytes long.
  std::string text = masked(candidate_.channel->without_credential(said.substr(0, kSaidBytesMax)));
  if (text.size() > kToldBytesMax) text.resize(kToldBytesMax);
  return text;
}

Failure Attempt::reported(Failure failure) {
  report(failure);
  return failure;
}

// Sends the request and waits for the head. A kept connection may have been closed by the peer at
// the very moment it was used; when it ends without a single byte, the request goes out once more,
// on a new one.
event::Task<Result<http::ResponseHead>> Attempt::exchange_heads() {
  lease_ = pool_.take_idle(candidate_.channel->destination);
  for (bool is_kept = lease_.has_value();; is_kept = false) {
    if (!is_kept) {
      const Result<> connected = co_await connect();
      if (!connected) co_return tl::unexpected(connected.error());
    }
    send();
    const int64_t sent_ns = loop_.now_ns();
    Result<http::ResponseHead> answer =
        co_await upstream().read_head(within_total(candidate_.timeouts.first_byte_ms));
    const bool is_stale = is_kept && !answer && answer.error().code == Errc::closed &&
                          !interrupted_ && loop_.now_ns() - sent_ns < kStaleMs * kNsPerMs;
    if (!is_stale) co_return answer;
    lease_.reset();
  }
}

event::Task<Result<>> Attempt::connect() {
  Result<http::Lease> fresh = co_await pool_.connect(candidate_.channel->destination,
                                                     within_total(candidate_.timeouts.connect_ms));
  if (!fresh) co_return tl::unexpected(std::move(fresh.error()));
  lease_.emplace(std::move(*fresh));
  if (interrupted_) co_return fail(Errc::interrupted, "the client left");
  co_return Result<>();
}

// Nothing of what is sent is kept: waiting may take long, and sending anew is rare.
void Attempt::send() {
  const auto usage = candidate_.channel->provider.takes_stream_usage
                         ? RequestBody::StreamUsage::ask
                         : RequestBody::StreamUsage::remove;
  const std::vector<Splice> splices = body_.splices(candidate_.upstream_model, usage);
  const std::vector<std::string_view> pieces = spliced(body_.text(), splices);
  size_t bytes = 0;
  for (std::string_view piece : pieces) bytes += piece.size();
  const http::PreparedHead& head = candidate_.channel->head(operation_, body_.is_stream());
  upstream().send(http::Method::post, head.with_length(bytes), pieces);
}

event::Task<std::string> Attempt::read_error_body() {
  std::string said;
  while (said.size() < limits::error_answer_bytes_max) {
    const Result<std::span<const std::string_view>> pieces = co_await upstream().read(wait_ms());
    if (!pieces || pieces->empty()) break;
    for (std::string_view piece : *pieces) said.append(piece);
  }
  if (said.size() > limits::error_answer_bytes_max) said.resize(limits::error_answer_bytes_max);
  co_return said;
}

int64_t Attempt::within_total(int64_t ms) const {
  const int64_t spent_ms = (loop_.now_ns() - started_ns_) / kNsPerMs;
  return std::clamp<int64_t>(candidate_.timeouts.total_ms - spent_ms, 0, ms);
}

bool Attempt::was_held_up() const {
  return held_up_ns_ >= std::max(kHeldUpNsMin, (loop_.now_ns() - started_ns_) / 2);
}

void Attempt::finished() {
  health_.succeeded(pass_);
  has_verdict_ = true;
  health_.observe_latency((first_byte_ns_ - started_ns_) / kNsPerMs,
                          (loop_.now_ns() - started_ns_) / kNsPerMs);
}

void Attempt::broke(const Failure& failure) { report(failure); }

void Attempt::report(const Failure& failure) {
  if (has_verdict_ || pass_ == ChannelHealth::Pass::refused) return;
  has_verdict_ = true;
  if (counts_against_channel(failure)) {
    health_.failed(loop_.now_ns(), breaker_, pass_);
    return;
  }
  if (failure.kind == api::FailureKind::rate_limited)
    health_.cool_down(loop_.now_ns() + failure.retry_after_ms.value_or(kRestAfter429Ms) * kNsPerMs);
  health_.undecided(pass_);
}

void Attempt::leave_rest(std::shared_ptr<const void> generation) {
  if (!lease_ || upstream().is_reusable()) return;
  loop_.spawn(drain(std::move(generation), std::move(*lease_)));
  lease_.reset();
}

void Attempt::interrupt() {
  interrupted_ = true;
  if (lease_) upstream().interrupt({Errc::interrupted, "the client left"});
}

}  // namespace mg::gateway
