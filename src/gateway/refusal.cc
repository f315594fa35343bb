#include "gateway/refusal.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/json.h"
#include "http/headers.h"

namespace mg::gateway {
namespace {

enum class Repeat : uint8_t { may_help, is_useless };

struct Kind {
  Code code;
  std::string_view name;
  int status;
  std::string_view type;
  Repeat repeat;
};

constexpr std::string_view kRequest = "invalid_request_error";
constexpr std::string_view kApi = "api_error";

constexpr auto kKinds = std::to_array<Kind>({
    {Code::invalid_json, "invalid_json", 400, kRequest, Repeat::may_help},
    {Code::invalid_value, "invalid_value", 400, kRequest, Repeat::may_help},
    {Code::unsupported_parameter, "unsupported_parameter", 400, kRequest, Repeat::may_help},
    {Code::context_length_exceeded, "context_length_exceeded", 400, kRequest, Repeat::may_help},
    {Code::invalid_request, "invalid_request", 400, kRequest, Repeat::may_help},
    {Code::upstream_refused, "upstream_refused", 400, kRequest, Repeat::may_help},
    {Code::invalid_api_key, "invalid_api_key", 401, "authentication_error", Repeat::may_help},
    {Code::insufficient_quota, "insufficient_quota", 402, "insufficient_quota", Repeat::is_useless},
    {Code::ip_not_allowed, "ip_not_allowed", 403, "permission_error", Repeat::is_useless},
    {Code::model_not_allowed, "model_not_allowed", 403, "permission_error", Repeat::is_useless},
    {Code::tenant_suspended, "tenant_suspended", 403, "permission_error", Repeat::is_useless},
    {Code::key_expired, "key_expired", 403, "permission_error", Repeat::is_useless},
    {Code::model_not_found, "model_not_found", 404, kRequest, Repeat::may_help},
    {Code::not_found, "not_found", 404, kRequest, Repeat::may_help},
    {Code::method_not_allowed, "method_not_allowed", 405, kRequest, Repeat::may_help},
    {Code::request_timeout, "request_timeout", 408, kRequest, Repeat::may_help},
    {Code::request_too_large, "request_too_large", 413, kRequest, Repeat::may_help},
    {Code::unsupported_media_type, "unsupported_media_type", 415, kRequest, Repeat::may_help},
    {Code::headers_too_large, "headers_too_large", 431, kRequest, Repeat::may_help},
    // A moment later the first one's answer is there for both.
    {Code::idempotency_in_flight, "idempotency_in_flight", 409, "idempotency_error",
     Repeat::may_help},
    {Code::idempotency_mismatch, "idempotency_mismatch", 409, "idempotency_error",
     Repeat::is_useless},
    {Code::idempotency_replayed, "idempotency_replayed", 409, "idempotency_error",
     Repeat::is_useless},
    {Code::rate_limit_exceeded, "rate_limit_exceeded", 429, "rate_limit_error", Repeat::may_help},
    {Code::budget_exceeded, "budget_exceeded", 429, "rate_limit_error", Repeat::is_useless},
    {Code::policy_error, "policy_error", 500, kApi, Repeat::is_useless},
    {Code::internal_error, "internal_error", 500, kApi, Repeat::may_help},
    {Code::upstream_error, "upstream_error", 502, kApi, Repeat::may_help},
    {Code::upstream_timeout, "upstream_timeout", 504, kApi, Repeat::may_help},
    {Code::no_channel_available, "no_channel_available", 503, kApi, Repeat::may_help},
    {Code::ledger_unavailable, "ledger_unavailable", 503, kApi, Repeat::may_help},
    {Code::overloaded, "overloaded", 503, kApi, Repeat::may_help},
});

const Kind& kind_of(Code code) {
  const Kind& kind = kKinds[static_cast<size_t>(code)];
  MG_ASSERT(kind.code == code);
  return kind;
}

// What a policy's refusal counts as: its code, or whatever goes with its status.
const Kind& kind_of_policy(int status, std::string_view code) {
  for (const Kind& kind : kKinds)
    if (kind.name == code) return kind;
  for (const Kind& kind : kKinds)
    if (kind.status == status) return kind;
  return kind_of(Code::policy_error);
}

}  // namespace

std::string_view name(Code code) { return kind_of(code).name; }

Refusal refusal(Code code, std::string message, std::string param) {
  const Kind& kind = kind_of(code);
  return {code,
          kind.status,
          kind.type,
          std::string(kind.name),
          std::move(message),
          std::move(param),
          std::nullopt,
          kind.repeat == Repeat::is_useless};
}

Refusal policy_refusal(int status, std::string_view code, std::string message,
                       std::optional<int64_t> retry_after_s) {
  // A limit that says when it will give way may be asked again; any other policy stays as it is.
  const Kind& kind = kind_of_policy(status, code);
  return {kind.code,          status, kind.type,     std::string(code),
          std::move(message), {},     retry_after_s, !retry_after_s.has_value()};
}

std::string Refusal::body() const {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.key("error");
  json.begin_object();
  json.field("message", message);
  json.field("type", type);
  json.key("param");
  if (param.empty()) {
    json.null();
  } else {
    json.value(param);
  }
  json.field("code", code);
  json.end_object();
  json.end_object();
  return out;
}

void Refusal::add_headers(http::Headers& headers) const {
  if (retry_after_s) headers.add("retry-after", std::to_string(*retry_after_s));
  if (final) headers.add("x-should-retry", "false");
}

}  // namespace mg::gateway
