#include "gateway/relay.h"

#include "base/limits.h"
#include "base/text.h"

namespace mg::gateway {
namespace {

constexpr std::string_view kDone = "[DONE]";

std::unique_ptr<const Failure> failure(api::FailureKind kind, std::string what) {
  return std::make_unique<const Failure>(Failure{kind, 0, {}, std::move(what)});
}

std::unique_ptr<const Failure> garbage(std::string what) {
  return failure(api::FailureKind::garbage, std::move(what));
}

// A CRLF that was split between two reads ends the event before: its LF goes out whatever becomes
// of the event that carries it.
std::string_view rest_of_line_end(std::string_view raw) {
  return raw.substr(0, raw.starts_with('\n') ? 1 : 0);
}

}  // namespace

event::Task<Relayed> StreamRelay::run() {
  for (;;) {
    const Result<std::span<const std::string_view>> pieces =
        co_await parts_.attempt.upstream().read(parts_.attempt.wait_ms());
    if (!pieces && is_finished() && !client_gone_) co_return upstream_ended();
    if (!pieces) co_return broke_off(pieces.error());
    if (pieces->empty()) co_return upstream_ended();
    for (std::string_view piece : *pieces)
      if (!done_) take(piece);
    if (failure_ && !has_begun_) co_return ended(Ending::failed, *failure_);
    if (!out_.empty()) {
      const bool may_send = co_await open_gate();
      if (!may_send) co_return ended(Ending::unsettled);
      const bool is_there = co_await send(out_);
      std::string().swap(out_);  // the next event may be seconds away
      if (!is_there && is_drained_out()) co_return ended(Ending::client_left);
    }
    if (failure_) co_return ended(client_gone_ ? Ending::client_left : Ending::broken, *failure_);
    if (done_) co_return ended(Ending::completed);
    const bool is_covered = co_await keep_covered();
    if (is_covered || (is_finished() && !goes_on_after_its_end())) continue;
    bool may_send = true;
    if (!client_gone_) may_send = co_await open_gate();
    if (!may_send) co_return ended(Ending::unsettled);
    co_return ended(client_gone_ ? Ending::client_left : Ending::cut);
  }
}

bool StreamRelay::goes_on_after_its_end() const {
  return parts_.metering.generated().tokens() > finished_tokens_;
}

void StreamRelay::take(std::string_view bytes) {
  http::SseEvent event;
  for (;;) {
    const http::SseStep step = events_.next(bytes, event);
    if (step == http::SseStep::too_large) failure_ = garbage("an event passed its bound");
    if (step != http::SseStep::event || failure_) return;
    take_event(event);
    if (done_) return;  // nothing may follow the end
  }
}

void StreamRelay::take_event(const http::SseEvent& event) {
  if (!event.has_data || event.data.empty()) {
    if (saw_event_ && kept_.empty()) out_.append(event.raw);
    return;
  }
  if (trimmed(event.data) == kDone) {
    done_ = true;
    kept_.push_back({std::string(event.raw), {}, false});
    return;
  }
  TokenCounter& generated = parts_.metering.generated();
  const int64_t before = generated.tokens();
  const AnswerFacts facts =
      parts_.reader.read(event.data, parts_.provider, &generated, parts_.metering.echo());
  parts_.metering.take_report(facts);
  if (facts.is_error) {
    failure_ = failure(api::FailureKind::server_error,
                       parts_.attempt.for_records(AnswerReader::error_text(event.data)));
    return;
  }
  if (!saw_event_ && !facts.is_json) {
    failure_ = garbage("the first event is not JSON");
    return;
  }
  saw_event_ = true;
  finished_ |= facts.finished;
  if (is_finished() && finished_tokens_ < 0) finished_tokens_ = generated.tokens();
  const bool is_usage_only = facts.has_usage && !facts.has_choices;
  if (is_usage_only && usage_chunk_ == UsageChunk::hidden) {
    const std::string_view rest = rest_of_line_end(event.raw);
    if (kept_.empty()) {
      out_.append(rest);
    } else {
      kept_.back().raw.append(rest);
    }
    return;
  }
  // What looked like the end was none, if something more is being said.
  const bool goes_on = facts.has_choices && (!facts.is_finished || generated.tokens() > before);
  if (goes_on || !facts.is_json) {
    for (const Kept& kept : kept_) out_.append(kept.raw);
    kept_.clear();
    kept_bytes_ = 0;
  }
  // With a choice that goes on the end cannot have come: usage that is told all along goes out.
  const bool may_be_end = facts.has_usage && (!facts.has_choices || facts.is_finished);
  if (may_be_end || !kept_.empty()) {
    keep(event, facts);
  } else {
    out_.append(event.raw);
  }
}

void StreamRelay::keep(const http::SseEvent& event, const AnswerFacts& facts) {
  kept_.push_back({std::string(event.raw), facts.has_usage ? std::string(event.data) : "",
                   facts.has_usage && !facts.has_choices});
  kept_bytes_ += event.raw.size();
  if (kept_.size() > 1 && kept_bytes_ > limits::stream_end_bytes_max)
    failure_ = garbage("a stream that does not end");
}

// The stream ended by itself: in good order if it had said that it was through.
Relayed StreamRelay::upstream_ended() const {
  if (is_finished() || done_) return ended(Ending::completed);
  if (client_gone_ || parts_.attempt.was_held_up()) return ended(Ending::client_left);
  Failure cut{api::FailureKind::reset, 0, {}, "the upstream's stream ended before its answer did"};
  if (!saw_event_) {
    cut.kind = api::FailureKind::garbage;
    cut.what = "the upstream's answer to a stream held no event";
  }
  return ended(has_begun_ ? Ending::broken : Ending::failed, std::move(cut));
}

StreamRelay::End StreamRelay::end(std::string_view cost) const {
  End out{{}, false, 0};
  size_t last_usage = kept_.size();
  for (size_t i = 0; i < kept_.size(); ++i)
    if (!kept_[i].data.empty()) last_usage = i;
  for (size_t i = 0; i < kept_.size(); ++i) {
    out.done_at = out.events.size();  // in the end that of the last one
    std::optional<std::string> priced;
    if (i == last_usage && usage_chunk_ == UsageChunk::shown)
      priced = with_cost(kept_[i].data, cost);
    if (priced) {
      out.events.append(rest_of_line_end(kept_[i].raw));
      http::append_sse_event(out.events, {}, *priced);
      out.has_usage = true;
    } else {
      out.events.append(kept_[i].raw);
    }
  }
  if (!done_) out.done_at = out.events.size();
  return out;
}

std::string StreamRelay::early_end(UsageEvents usage) const {
  std::string out;
  for (const Kept& kept : kept_) {
    const bool is_left_out = usage == UsageEvents::without && kept.is_usage_only;
    out.append(is_left_out ? rest_of_line_end(kept.raw) : std::string_view(kept.raw));
  }
  return out;
}

}  // namespace mg::gateway
