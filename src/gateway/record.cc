#include "gateway/record.h"

#include "base/calendar.h"
#include "base/json.h"

namespace mg::gateway {
namespace {

std::string_view text_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kept:
      return "kept";
    case Verdict::left_out:
      return "left out by policy";
    case Verdict::unaffordable:
      return "unaffordable";
  }
  return "kept";
}

void write_candidate(JsonWriter& json, const Candidate& candidate) {
  json.begin_object();
  json.field<"channel">(candidate.channel->id);
  json.field<"provider">(candidate.channel->provider.name);
  json.field<"upstream_model">(candidate.upstream_model);
  json.field<"priority">(candidate.channel->priority);
  json.field<"weight">(candidate.channel->weight);
  json.field<"ceiling">(to_text(candidate.ceiling));
  json.field<"verdict">(text_of(candidate.verdict));
  json.end_object();
}

void write_attempt(JsonWriter& json, const AttemptRecord& attempt) {
  json.begin_object();
  json.field<"channel">(attempt.channel);
  json.field<"upstream_model">(attempt.upstream_model);
  json.field<"started_ms">(attempt.started_ms);
  json.field<"took_ms">(attempt.took_ms);
  json.field<"status">(attempt.status);
  if (!attempt.failure.empty()) {
    json.field<"failure">(attempt.failure);
    json.field<"what">(attempt.what);
    if (!attempt.recovery.empty()) json.field<"then">(attempt.recovery);
  }
  json.end_object();
}

void write_usage(JsonWriter& json, const FinalUsage& usage) {
  json.key("usage");
  json.begin_object();
  for (Meter meter : kMeters)
    if (usage.usage[meter]) json.field(name(meter), usage.usage[meter]);
  json.end_object();
  json.field<"usage_source">(ledger::name(usage.source));
  if (usage.was_implausible) json.field<"usage_implausible">(true);
  if (usage.damaged_events > 0) json.field<"damaged_events">(usage.damaged_events);
}

template <JsonName kName, class T>
void optional_field(JsonWriter& json, const T& value) {
  if (!value.empty()) json.field<kName>(value);
}

}  // namespace

void DecisionRecord::write(std::string& out) const {
  JsonWriter json(out);
  json.begin_object();
  json.field<"id">(request.text(kRequestPrefix));
  json.field<"time">(format_time_ms(time_ms));
  json.field<"generation">(generation);
  json.field<"tenant">(tenant);
  json.field<"key">(key);
  json.field<"ip">(ip);
  json.field<"operation">(operation);
  json.field<"model">(model);
  json.field<"stream">(stream);
  json.field<"status">(status);
  json.field<"outcome">(outcome);
  optional_field<"code">(json, code);
  optional_field<"message">(json, message);
  optional_field<"module">(json, module);
  json.key("candidates");
  json.begin_array();
  for (const Candidate& candidate : candidates) write_candidate(json, candidate);
  json.end_array();
  json.key("attempts");
  json.begin_array();
  for (const AttemptRecord& attempt : attempts) write_attempt(json, attempt);
  json.end_array();
  optional_field<"channel">(json, channel);
  optional_field<"upstream_model">(json, upstream_model);
  json.field<"input_tokens_bound">(input_tokens_bound);
  json.field<"output_tokens_bound">(output_tokens_bound);
  write_usage(json, usage);
  json.field<"held">(to_text(held));
  json.field<"cost">(to_text(cost));
  if (!shortfall.is_zero()) json.field<"shortfall">(to_text(shortfall));
  json.field<"hold_seq">(hold_seq);
  json.field<"settlement_seq">(settlement_seq);
  json.field<"latency_ms">(latency_ms);
  json.field<"first_byte_ms">(first_byte_ms);
  if (!tags.empty()) {
    json.key("tags");
    json.begin_array();
    for (const std::string& tag : tags) json.value(tag);
    json.end_array();
  }
  json.end_object();
  out.push_back('\n');
}

}  // namespace mg::gateway
