// The ways to say no to a client: status, type and code as the documents for clients list them,
// and the body in which the OpenAI protocol carries them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mg::http {
class Headers;
}

namespace mg::gateway {

inline constexpr std::string_view kJsonType = "application/json";

enum class Code : uint8_t {
  invalid_json,
  invalid_value,
  unsupported_parameter,
  context_length_exceeded,
  invalid_request,   // not HTTP as it should be
  upstream_refused,  // the request, in words that are no JSON; the status is the upstream's
  invalid_api_key,
  insufficient_quota,
  ip_not_allowed,
  model_not_allowed,
  tenant_suspended,
  key_expired,
  model_not_found,
  not_found,
  method_not_allowed,
  request_timeout,
  request_too_large,
  unsupported_media_type,
  headers_too_large,
  idempotency_in_flight,
  idempotency_mismatch,
  idempotency_replayed,
  rate_limit_exceeded,
  budget_exceeded,
  policy_error,
  internal_error,
  upstream_error,
  upstream_timeout,
  no_channel_available,
  ledger_unavailable,
  overloaded,
};

std::string_view name(Code code);

struct Refusal {
  Code kind = Code::internal_error;
  int status = 500;
  std::string_view type;
  std::string code;
  std::string message;
  std::string param;  // the request field at fault; empty: none
  std::optional<int64_t> retry_after_s;
  // Money and policy do not change their mind within an SDK's retries.
  bool final = false;

  // {"error":{"message","type","param","code"}}
  std::string body() const;
  // retry-after, x-should-retry and what else goes with it.
  void add_headers(http::Headers& headers) const;
};

// A refusal, or none. Apart from its words, because every step of a request has room for one and
// hardly any needs it.
class No {
 public:
  No() = default;
  No(std::nullopt_t) {}
  No(Refusal refusal) : refusal_(std::make_unique<Refusal>(std::move(refusal))) {}

  explicit operator bool() const { return refusal_ != nullptr; }
  const Refusal& operator*() const { return *refusal_; }
  const Refusal* operator->() const { return refusal_.get(); }

 private:
  std::unique_ptr<const Refusal> refusal_;
};

// With the status and type that belong to the code.
Refusal refusal(Code code, std::string message, std::string param = {});

// What a policy said: its status, code and words.
Refusal policy_refusal(int status, std::string_view code, std::string message,
                       std::optional<int64_t> retry_after_s);

}  // namespace mg::gateway
