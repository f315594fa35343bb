// What `moongate load` is asked to do.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/url.h"

namespace mg::tls {
class TrustStore;
}

namespace mg::lab {

struct LoadOptions {
  std::string url = "http://127.0.0.1:8080/v1";  // base URL; any address, it is the user's own
  std::string key;
  std::vector<std::string> models = {"gpt-4o-mini"};  // in turn
  int64_t requests = 1000;
  int64_t duration_ms = 0;  // no request is begun after it; 0: `requests` alone decides
  int64_t concurrency = 10;
  int64_t stream_percent = 50;  // share of streamed requests
  int64_t hang_up_percent = 0;  // share of clients that leave at a random point
  int64_t prompt_tokens = 50;   // as the lab counts them (tokens.h)
  std::optional<int64_t> max_tokens;
  std::vector<std::pair<std::string, std::string>> metadata;  // "x-lab-fault", "stall"
  int64_t think_ms = 0;                                       // between the requests of one client
  uint64_t seed = 1;  // of what is asked, and who hangs up where
  enum class IdempotencyKeys : uint8_t { none, one_each } idempotency_keys = IdempotencyKeys::none;
  int64_t progress_ms = 1000;
  int64_t timeout_ms = 120'000;  // for a connection, for a head, and between two pieces of a body
  std::shared_ptr<const tls::TrustStore> trust;  // for https
};

// Errors: invalid, naming the option.
Result<http::BaseUrl> check(const LoadOptions& options);

}  // namespace mg::lab
