#include "lab/load_client.h"

#include "base/json.h"
#include "http/writer.h"
#include "lab/seed.h"
#include "lab/speech.h"

namespace mg::lab {
namespace {

constexpr std::string_view kDone = "[DONE]";
constexpr std::string_view kUsageObject = "\"usage\":{";
constexpr std::string_view kErrorMember = "\"error\":";
constexpr uint64_t kLeaveMsMax = 100;
constexpr uint64_t kLeavePiecesMax = 30;
constexpr size_t kErrorBodyBytesMax = 64 * limits::KiB;

bool draw_percent(SeededRng& rng, int64_t percent) {
  return static_cast<int64_t>(rng.draw() % 100) < percent;
}

}  // namespace

Errand errand(const LoadOptions& options, int64_t index) {
  SeededRng rng(mix(options.seed, static_cast<uint64_t>(index)));
  Errand errand;
  errand.index = index;
  errand.model = options.models[static_cast<size_t>(index) % options.models.size()];
  errand.is_stream = draw_percent(rng, options.stream_percent);
  if (draw_percent(rng, options.hang_up_percent)) {
    if (rng.draw() % 2 == 0) {
      errand.leaves_after_ms = static_cast<int64_t>(rng.draw() % kLeaveMsMax);
    } else {
      errand.leaves_after_pieces = static_cast<int64_t>(rng.draw() % kLeavePiecesMax);
    }
  }
  return errand;
}

std::string request_body(const LoadOptions& options, const Errand& errand) {
  const Subject subject;
  Speech speech =
      Speech::made_up(Speech::Register::answer, {},
                      mix(options.seed, static_cast<uint64_t>(errand.index) + 1'000'003),
                      options.prompt_tokens, Length::exactly);
  std::string prompt;
  for (std::string_view token; speech.next(subject, token);) prompt += token;
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("model", errand.model);
  json.key("messages");
  json.begin_array();
  json.begin_object();
  json.field("role", "user");
  json.field("content", prompt);
  json.end_object();
  json.end_array();
  if (options.max_tokens) json.field("max_tokens", *options.max_tokens);
  if (errand.is_stream) {
    json.field("stream", true);
    json.key("stream_options");
    json.begin_object();
    json.field("include_usage", true);
    json.end_object();
  }
  if (!options.metadata.empty()) {
    json.key("metadata");
    json.begin_object();
    for (const auto& [name, value] : options.metadata) json.field(name, value);
    json.end_object();
  }
  json.end_object();
  return out;
}

http::Headers request_headers(const LoadOptions& options, const Errand& errand) {
  http::Headers headers;
  headers.add("content-type", "application/json");
  if (!options.key.empty()) headers.add("authorization", "Bearer " + options.key);
  if (options.idempotency_keys == LoadOptions::IdempotencyKeys::one_each)
    headers.add("idempotency-key",
                made_up_id("load-", mix(options.seed, static_cast<uint64_t>(errand.index)), 32));
  return headers;
}

event::Task<> Load::Client::run() {
  while (load_.may_begin()) {
    const int64_t started_ns = load_.loop_.now_ns();
    const Errand next = errand(load_.options_, load_.progress_.begun++);
    const Outcome outcome = co_await ask(next);
    if (outcome.first_byte_us > 0) load_.progress_.first_byte.add(outcome.first_byte_us);
    if (outcome.told.heard == Heard::complete)
      load_.progress_.latency.add((load_.loop_.now_ns() - started_ns) / 1000);
    load_.note(outcome.told, outcome.error);
    co_await event::sleep_ms(load_.loop_, load_.options_.think_ms);
  }
  lease_.reset();
  load_.client_ended();
}

event::Task<Load::Client::Outcome> Load::Client::ask(Errand errand) {
  const int64_t started_ns = load_.loop_.now_ns();
  Outcome outcome;
  outcome.told.is_stream = errand.is_stream;
  const Result<http::ResponseHead> head = co_await exchange_heads(errand, outcome.told);
  if (!head) {
    give_up(outcome, errand, head.error());
    lease_.reset();
    co_return outcome;
  }
  Told& told = outcome.told;
  told.status = static_cast<uint16_t>(head->status);
  if (const auto id = head->headers.find("x-request-id"))
    told.request = Id::parse(kRequestPrefix, *id).value_or(Id());
  if (const auto cost = head->headers.find("x-moongate-cost")) told.take_cost(*cost);
  outcome.first_byte_us = std::max<int64_t>(1, (load_.loop_.now_ns() - started_ns) / 1000);
  const bool is_good = head->status >= 200 && head->status < 300;
  if (errand.is_stream && is_good) {
    co_await read_stream(errand, outcome, started_ns);
  } else {
    co_await read_plain(errand, outcome);
  }
  if (lease_ && !(*lease_)->is_reusable()) lease_.reset();
  if (lease_) (*lease_)->rest();
  co_return outcome;
}

event::Task<Result<>> Load::Client::connect() {
  Result<http::Lease> lease =
      co_await load_.pool_.connect(load_.destination_, load_.options_.timeout_ms);
  if (!lease) co_return tl::unexpected(std::move(lease.error()));
  lease_ = std::move(*lease);
  co_return Result<>();
}

event::Task<Result<http::ResponseHead>> Load::Client::exchange_heads(const Errand& errand,
                                                                     Told& told) {
  const std::string body = request_body(load_.options_, errand);
  std::string head;
  MG_CO_CHECK(http::write_request_head(
      head, http::Method::post, load_.base_.path_prefix + "/chat/completions",
      load_.base_.origin.host_field(), request_headers(load_.options_, errand),
      http::Framing::length(body.size())));
  const int64_t wait_ms = errand.leaves_after_ms.value_or(load_.options_.timeout_ms);
  for (;;) {
    const bool is_kept = lease_.has_value();
    if (!is_kept) {
      const Result<> connected = co_await connect();
      if (!connected) co_return tl::unexpected(connected.error());
    }
    const std::string_view piece = body;
    (*lease_)->send(http::Method::post, head, std::span(&piece, 1));
    Result<http::ResponseHead> answer =
        co_await (*lease_)->read_head(std::max<int64_t>(1, wait_ms));
    if (answer || !is_kept || answer.error().code != Errc::closed) co_return answer;
    lease_.reset();
    ++told.retries;
  }
}

void Load::Client::give_up(Outcome& outcome, const Errand& errand, const Error& error) const {
  if (errand.leaves_after_ms && error.code == Errc::timeout) {
    outcome.told.heard = Heard::hung_up;
    return;
  }
  outcome.told.heard = outcome.told.status == 0 ? Heard::failed : Heard::cut;
  outcome.error = std::string(name(outcome.told.heard)) + ": " + std::string(name(error.code));
}

event::Task<> Load::Client::read_plain(const Errand& errand, Outcome& outcome) {
  Told& told = outcome.told;
  const bool is_good = told.status >= 200 && told.status < 300;
  std::string body;
  for (int64_t pieces_read = 0;; ++pieces_read) {
    if (is_good && errand.leaves_after_pieces && pieces_read >= *errand.leaves_after_pieces) {
      told.heard = Heard::hung_up;
      lease_.reset();
      co_return;
    }
    const Result<std::span<const std::string_view>> pieces =
        co_await (*lease_)->read(load_.options_.timeout_ms);
    if (!pieces) {
      told.heard = Heard::cut;
      outcome.error = "cut: " + std::string(name(pieces.error().code));
      co_return;
    }
    if (pieces->empty()) break;
    for (std::string_view piece : *pieces)
      if (is_good || body.size() < kErrorBodyBytesMax) body += piece;
  }
  if (!is_good) {
    told.heard = Heard::refused;
    const std::string code = error_code(body);
    outcome.error = code.empty() ? "status " + std::to_string(told.status) : code;
    co_return;
  }
  told.may_lack_cost = body.size() > limits::plain_answer_bytes_max;
  const Told by_header = told;
  take_usage(body, told);
  if (by_header.has_cost() || by_header.is_cost_unreadable) {
    told.cost_nanos = by_header.cost_nanos;
    told.is_cost_unreadable = by_header.is_cost_unreadable;
  }
  told.heard = is_error(body) ? Heard::cut : Heard::complete;
  if (told.heard == Heard::cut) outcome.error = "cut: " + error_code(body);
}

event::Task<> Load::Client::read_stream(const Errand& errand, Outcome& outcome,
                                        int64_t started_ns) {
  Told& told = outcome.told;
  http::SseReader reader;
  told.heard = Heard::cut;
  for (int64_t pieces_read = 0;; ++pieces_read) {
    if (errand.leaves_after_pieces && pieces_read >= *errand.leaves_after_pieces) {
      told.heard = Heard::hung_up;
      lease_.reset();
      co_return;
    }
    const Result<std::span<const std::string_view>> pieces =
        co_await (*lease_)->read(load_.options_.timeout_ms);
    if (!pieces) {
      // A stream that said it was done lacks nothing but its framing.
      if (told.heard == Heard::complete) outcome.error = "cut behind its end";
      told.heard = Heard::cut;
      if (outcome.error.empty()) outcome.error = "cut: " + std::string(name(pieces.error().code));
      co_return;
    }
    if (pieces_read == 0)
      outcome.first_byte_us = std::max<int64_t>(1, (load_.loop_.now_ns() - started_ns) / 1000);
    if (pieces->empty()) break;
    for (std::string_view piece : *pieces) {
      if (take_events(piece, reader, outcome)) continue;
      lease_.reset();
      co_return;
    }
  }
  if (told.heard != Heard::complete && outcome.error.empty()) outcome.error = "cut: no [DONE]";
}

// False where the stream cannot be read any further.
bool Load::Client::take_events(std::string_view bytes, http::SseReader& reader, Outcome& outcome) {
  http::SseEvent event;
  for (;;) {
    const http::SseStep step = reader.next(bytes, event);
    if (step == http::SseStep::need_more) return true;
    if (step == http::SseStep::too_large) {
      outcome.error = "cut: too_large";
      return false;
    }
    if (event.data == kDone && outcome.error.empty()) outcome.told.heard = Heard::complete;
    // An event of text is not worth a parser.
    if (event.data.find(kUsageObject) != std::string_view::npos)
      take_usage(event.data, outcome.told);
    if (event.data.find(kErrorMember) != std::string_view::npos && is_error(event.data))
      outcome.error = "cut: " + error_code(event.data);
  }
}

}  // namespace mg::lab
