#include "gateway/relay.h"

#include "base/limits.h"
#include "base/log.h"

namespace mg::gateway {
namespace {

constexpr size_t kFrontBytes = 4 * limits::KiB;

}  // namespace

event::Task<Relayed> PlainRelay::run() {
  for (;;) {
    const Result<std::span<const std::string_view>> pieces =
        co_await parts_.attempt.upstream().read(parts_.attempt.wait_ms());
    if (!pieces) co_return broke_off(pieces.error());
    if (pieces->empty()) break;
    for (std::string_view piece : *pieces) kept_.append(piece);
    if (!too_long_ && kept_.size() > limits::plain_answer_bytes_max) {
      too_long_ = true;
      look_in_front();
    }
    if (!too_long_) continue;
    const std::optional<Ending> over = co_await pass_on();
    if (over) co_return ended(*over);
  }
  co_return judge_whole();
}

// Sends all but the last part of a long answer; how that ended the answer, if it did.
event::Task<std::optional<Ending>> PlainRelay::pass_on() {
  if (kept_.size() <= limits::plain_answer_tail_bytes) co_return std::nullopt;
  const bool may_send = co_await open_gate();
  if (!may_send) co_return Ending::unsettled;
  const size_t bytes = kept_.size() - limits::plain_answer_tail_bytes;
  const std::string out = kept_.substr(0, bytes);
  kept_.erase(0, bytes);
  count(out);
  const bool is_there = co_await send(out);
  if (!is_there && is_drained_out()) co_return Ending::client_left;
  // Cutting it would save nothing: its provider has written all of it. What it comes to is settled
  // at its end, by the provider's word.
  mark_covered();
  co_return std::nullopt;
}

// Some vendors tell the usage of embeddings before the numbers. Of other answers the beginning may
// be what a model wrote.
void PlainRelay::look_in_front() {
  if (parts_.operation != Operation::embedding) return;
  const auto usage = usage_in_front(std::string_view(kept_).substr(0, kFrontBytes));
  if (usage) parts_.metering.take_report(*usage);
}

void PlainRelay::put_cost(std::string_view cost) {
  if (kept_.find("\"cost") == std::string::npos) return;
  if (auto priced = with_cost(kept_, cost, CostIs::replaced)) kept_ = std::move(*priced);
}

// What a long answer says cannot be told from how it says it, piece by piece; beside so much text
// the few names of members are nothing. Numbers of embeddings are no output at all.
void PlainRelay::count(std::string_view bytes) {
  if (parts_.operation != Operation::embedding) parts_.metering.generated().add(bytes);
}

Relayed PlainRelay::judge_whole() {
  if (too_long_) {
    const auto usage = usage_in_tail(kept_);
    count(kept_);
    if (usage) parts_.metering.take_report(*usage);
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
  // Counting the text costs more than all the rest of reading it. It may bear a report out that
  // was too much to be believed unseen.
  if (!parts_.metering.has_report()) {
    parts_.reader.read(kept_, parts_.provider, &parts_.metering.generated());
    parts_.metering.take_report(facts);
  }
  return ended(Ending::completed);
}

}  // namespace mg::gateway
