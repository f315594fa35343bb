#include "gateway/relay.h"

#include "base/limits.h"
#include "base/log.h"

namespace mg::gateway {

event::Task<Relayed> PlainRelay::run() {
  for (;;) {
    const Result<std::span<const std::string_view>> pieces =
        co_await parts_.attempt.upstream().read(parts_.attempt.wait_ms());
    if (!pieces) co_return broke_off(pieces.error());
    if (pieces->empty()) break;
    for (std::string_view piece : *pieces) kept_.append(piece);
    too_long_ = too_long_ || kept_.size() > limits::plain_answer_bytes_max;
    if (!too_long_) continue;
    const bool goes_on = co_await pass_on();
    if (!goes_on) co_return ended(client_gone_ ? Ending::client_left : Ending::unsettled);
  }
  co_return judge_whole();
}

// Sends all but the last part of a long answer.
event::Task<bool> PlainRelay::pass_on() {
  if (kept_.size() <= limits::plain_answer_tail_bytes) co_return true;
  const bool may_send = co_await open_gate();
  if (!may_send) co_return false;
  const size_t bytes = kept_.size() - limits::plain_answer_tail_bytes;
  const std::string out = kept_.substr(0, bytes);
  kept_.erase(0, bytes);
  count(out);
  const bool is_there = co_await send(out);
  co_return is_there || !is_drained_out();
}

// What a long answer says cannot be told from how it says it, piece by piece; beside so much text
// the few names of members are nothing. Numbers of embeddings are no output at all.
void PlainRelay::count(std::string_view bytes) {
  if (parts_.operation != Operation::embedding) parts_.metering.generated().add(bytes);
}

Relayed PlainRelay::judge_whole() {
  if (too_long_) {
    if (const auto usage = usage_in_tail(kept_)) {
      parts_.metering.take_report(*usage);
    } else {
      count(kept_);
    }
    return ended(Ending::completed);
  }
  const AnswerFacts facts = parts_.reader.read(kept_, parts_.provider, nullptr);
  if (!facts.is_json)
    return ended(
        Ending::failed,
        {api::FailureKind::garbage, 200, {}, "the upstream's answer is not a JSON object"});
  if (facts.is_error)
    return ended(
        Ending::failed,
        {api::FailureKind::server_error, 200, {}, masked(AnswerReader::error_text(kept_))});
  parts_.metering.take_report(facts);
  // Counting the text costs more than all the rest of reading it.
  if (!parts_.metering.has_report())
    parts_.reader.read(kept_, parts_.provider, &parts_.metering.generated());
  return ended(Ending::completed);
}

}  // namespace mg::gateway
