#include "gateway/relay.h"

#include "base/limits.h"
#include "base/text.h"

namespace mg::gateway {
namespace {

// Of a long answer, to see whether it is one: what else it could be begins otherwise. Some vendors
// send blanks while they think.
bool begins_as_object(std::string_view json) {
  json = without_byte_order_mark(json);
  const size_t from = json.find_first_not_of(" \t\r\n");
  return from != std::string_view::npos && json[from] == '{';
}

}  // namespace

event::Task<Relayed> PlainRelay::run() {
  for (;;) {
    const Result<std::span<const std::string_view>> pieces =
        co_await parts_.attempt.upstream().read(parts_.attempt.wait_ms());
    if (!pieces) co_return broke_off(pieces.error());
    if (pieces->empty()) break;
    for (std::string_view piece : *pieces) kept_.append(piece);
    if (!too_long_ && kept_.size() > limits::plain_answer_bytes_max) {
      if (!begins_as_object(kept_)) break;
      too_long_ = true;
      parts_.metering.count_roughly();
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
  // Some vendors tell the usage before the rest: it is looked for wherever it may pass. What is
  // kept overlaps, so that it is whole at some time.
  if (auto usage = usage_in_part(kept_)) usage_ = std::move(usage);
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

// What a long answer says cannot be told from how it says it, piece by piece; beside so much text
// the few names of members are nothing. Numbers of embeddings are no output at all.
void PlainRelay::count(std::string_view bytes) {
  if (parts_.operation != Operation::embedding) parts_.metering.generated().add(bytes);
}

Relayed PlainRelay::judge_whole() {
  if (too_long_) {
    count(kept_);
    if (auto usage = usage_in_part(kept_)) usage_ = std::move(usage);
    if (usage_) parts_.metering.take_report(*usage_);  // of all of it, wherever it stands
    return ended(Ending::completed);
  }
  AnswerFacts facts = parts_.reader.read(kept_, parts_.provider, nullptr);
  if (!facts.is_json)
    return ended(
        Ending::failed,
        {api::FailureKind::garbage, 200, {}, "the upstream's answer is not a JSON object"});
  if (facts.is_error)
    return ended(Ending::failed, {api::FailureKind::server_error,
                                  200,
                                  {},
                                  parts_.attempt.for_records(AnswerReader::error_text(kept_))});
  if (!facts.has_answer && !facts.usage)
    return ended(Ending::failed, {api::FailureKind::garbage,
                                  200,
                                  {},
                                  "the upstream's answer has neither an answer in it nor usage"});
  parts_.metering.take_report(facts);
  // Counting the text costs more than all the rest of reading it. It may bear a report out that
  // was too much to be believed unseen.
  if (!parts_.metering.has_report()) {
    facts = parts_.reader.read(kept_, parts_.provider, &parts_.metering.generated(),
                               parts_.metering.echo());
    parts_.metering.take_report(facts);
  }
  return ended(Ending::completed);
}

}  // namespace mg::gateway
