// What an exchange says to its client: refusals, answers of others, and the ends of answers that
// were kept back until they were paid for.
#include "gateway/cors.h"
#include "gateway/exchange.h"

namespace mg::gateway {
namespace {

void add_window(http::Headers& headers, std::string_view unit,
                const std::optional<api::RateWindow>& window) {
  if (!window) return;
  const std::string suffix = "-" + std::string(unit);
  headers.add("x-ratelimit-limit" + suffix, std::to_string(window->limit));
  headers.add("x-ratelimit-remaining" + suffix, std::to_string(window->remaining));
  headers.add("x-ratelimit-reset" + suffix, std::to_string(window->reset_s) + "s");
}

}  // namespace

http::Headers Exchange::answer_headers() const {
  http::Headers headers;
  headers.reserve(512, 12);
  headers.add("x-request-id", id_text_);
  headers.add("x-moongate-generation", std::to_string(serving_->world->generation()));
  if (asked_) headers.add("x-moongate-channel", asked_->id);
  add_window(headers, "requests", admitted_.requests);
  add_window(headers, "tokens", admitted_.tokens);
  add_cors(headers, origin_, services_.settings.cors_origins);
  return headers;
}

void Exchange::refuse(const Refusal& no) {
  record().status = no.status;
  record().code = no.code;
  record().message = no.message;
  record().outcome = "refused";
  services_.metrics.count_refusal(no.kind);
  if (client_.has_begun() || client_.is_gone()) return;
  http::Headers headers = answer_headers();
  headers.add("content-type", kJsonType);
  no.add_headers(headers);
  client_.respond(no.status, headers, no.body());
}

void Exchange::replay(const StoredAnswer& answer) {
  http::Headers headers = answer_headers();
  headers.set("x-request-id", answer.request.text(kRequestPrefix));
  headers.add("x-moongate-channel", answer.channel);
  headers.add("x-moongate-cost", answer.cost);
  headers.add("idempotency-replayed", "true");
  headers.add("content-type", answer.content_type);
  client_.respond(answer.status, headers, answer.body);
  record().status = answer.status;
  record().channel = answer.channel;
  record().outcome = "replayed";
}

void Exchange::pass_fault(const ClientFault& fault) {
  record().status = fault.status;
  record().code = name(Code::upstream_refused);
  record().outcome = "refused by the upstream";
  http::Headers headers = answer_headers();
  headers.add("content-type", fault.content_type);
  client_.respond(fault.status, headers, fault.body);
}

// Before the answer goes out: who has it may use the key again at once, and meet another worker.
// What was not charged may be asked for again.
void Exchange::end_claim(const Relayed& relayed, const Settled& settled) {
  if (!idempotency_) return;
  IdempotencyTable& table = services_.idempotency;
  const int64_t now_ns = services_.loop.now_ns();
  if (settled.no || !settled.is_posted) {
    table.forget(*idempotency_);
  } else if (relayed.ending != Ending::completed || body_.is_stream() || relayed.has_begun) {
    table.charged(*idempotency_, now_ns);
  } else {
    table.keep(*idempotency_,
               {200, content_type_, record().channel, to_short_text(settled.charge), id_,
                static_cast<const PlainRelay&>(*relay_).rest()},
               now_ns);
  }
  idempotency_.reset();  // the key may be another request's from here on
}

void Exchange::release(const Relayed& relayed, const Settled& settled) {
  client_.watch_gone(nullptr);
  end_claim(relayed, settled);
  if (relayed.ending == Ending::completed) attempt_->leave_rest(serving_);
  record().outcome = name(relayed.ending);
  record().status = 200;
  if (relayed.ending == Ending::client_left) services_.metrics.client_left.add();
  if (relayed.ending == Ending::broken) services_.metrics.upstream_broke.add();
  if (relayed.ending == Ending::cut) services_.metrics.hold_used_up.add();
  if (record().usage.source == ledger::UsageSource::counted && !settled.charge.is_zero())
    services_.metrics.counted_usages.add();
  if (settled.no) {
    if (client_.has_begun()) return end_broken(*settled.no, false);
    return refuse(*settled.no);
  }
  switch (relayed.ending) {
    case Ending::completed:
      if (relay_->has_dropped()) {
        client_.abort();  // a good end would make what it has look whole
      } else if (body_.is_stream()) {
        release_stream(settled);
      } else {
        release_plain(settled);
      }
      break;
    case Ending::failed:
      if (fault_) return pass_fault(*fault_);
      return refuse(refusal_for(*relayed.failure));
    case Ending::broken:
      end_broken(refusal_for(*relayed.failure), settled.is_posted);
      break;
    case Ending::cut:
      end_cut_stream();
      break;
    case Ending::client_left:
    case Ending::unsettled:
      record().status = 499;  // nobody is there to see it; the number is the usual one for that
      client_.abort();
      break;
  }
}

// The head of an answer that goes out as it comes.
void Exchange::begin_answer() {
  body_.drop_text();  // nothing is tried again from here on
  client_.release_body();
  first_byte_ms_ = elapsed_ms();
  http::Headers headers = answer_headers();
  headers.add("content-type", body_.is_stream() ? "text/event-stream" : content_type_);
  if (body_.is_stream()) headers.add("cache-control", "no-cache");
  client_.begin(200, headers);
}

void Exchange::release_plain(const Settled& settled) {
  const auto& relay = static_cast<const PlainRelay&>(*relay_);
  if (client_.has_begun()) {
    const std::string_view rest = relay.rest();
    client_.finish(std::span(&rest, 1));
    return;
  }
  first_byte_ms_ = elapsed_ms();
  http::Headers headers = answer_headers();
  headers.add("x-moongate-cost", to_short_text(settled.charge));
  headers.add("content-type", content_type_);
  client_.respond(200, headers, relay.rest());
}

void Exchange::release_stream(const Settled& settled) {
  const auto& relay = static_cast<const StreamRelay&>(*relay_);
  StreamRelay::End end = relay.end(to_short_text(settled.charge));
  if (body_.asks_usage() && !end.has_usage)
    end.events.insert(end.done_at, usage_chunk(settled.charge));
  const std::string_view events = end.events;
  if (!client_.has_begun()) begin_answer();  // all that came was kept back
  client_.finish(std::span(&events, 1));
}

// A chunk of our own in a stream, up to its choices.
void Exchange::begin_chunk(JsonWriter& json) const {
  json.begin_object();
  json.field("id", id_text_);
  json.field("object", operation_ == Operation::chat ? "chat.completion.chunk" : "text_completion");
  json.field("created", wall_ms_ / 1000);
  json.field("model", body_.model());
}

// The usage chunk a client asked for, where the upstream sent none: made of what was settled.
std::string Exchange::usage_chunk(Money charge) const {
  const Usage& usage = record_->usage.usage;
  std::string data;
  JsonWriter json(data);
  begin_chunk(json);
  json.key("choices");
  json.begin_array();
  json.end_array();
  json.key("usage");
  json.begin_object();
  json.field("prompt_tokens", usage.input());
  json.field("completion_tokens", usage.output());
  json.field("total_tokens", usage.input() + usage.output());
  json.field_literal("cost", to_short_text(charge));
  json.end_object();
  json.end_object();
  std::string event;
  http::append_sse_event(event, {}, data);
  return event;
}

// The money ran out in the middle: the answer ends as one that reached its limit does.
void Exchange::end_cut_stream() {
  std::string data;
  JsonWriter json(data);
  begin_chunk(json);
  json.key("choices");
  json.begin_array();
  for (int64_t i = 0; i < body_.choices(); ++i) {
    json.begin_object();
    json.field("index", i);
    if (operation_ == Operation::chat) {
      json.key("delta");
      json.begin_object();
      json.end_object();
    } else {
      json.field("text", "");
    }
    json.field("finish_reason", "length");
    json.end_object();
  }
  json.end_array();
  json.end_object();
  const auto usage =
      body_.asks_usage() ? StreamRelay::UsageEvents::without : StreamRelay::UsageEvents::with;
  std::string events = static_cast<const StreamRelay&>(*relay_).early_end(usage);
  http::append_sse_event(events, {}, data);
  if (body_.asks_usage()) events += usage_chunk(record().cost);
  http::append_sse_event(events, {}, "[DONE]");
  const std::string_view last = events;
  client_.finish(std::span(&last, 1));
}

// An answer that has begun and cannot go on: an error event, and an end that is not taken for one.
// What was kept back goes out before it if it was paid for.
void Exchange::end_broken(const Refusal& no, bool is_paid) {
  record().code = no.code;
  record().message = no.message;
  std::string last;
  if (body_.is_stream()) {
    if (is_paid)
      last = static_cast<const StreamRelay&>(*relay_).early_end(StreamRelay::UsageEvents::with);
    http::append_sse_event(last, {}, no.body());
  }
  client_.break_off(last);
}

}  // namespace mg::gateway
