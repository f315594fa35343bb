#include "gateway/cors.h"

#include <algorithm>

namespace mg::gateway {

void add_cors(http::Headers& headers, std::string_view origin,
              const std::vector<std::string>& allowed) {
  if (origin.empty() || allowed.empty()) return;
  const bool is_allowed = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
    return one == "*" || one == origin;
  });
  if (!is_allowed) return;
  headers.add("access-control-allow-origin", origin);
  headers.add("vary", "origin");
  headers.add("access-control-expose-headers",
              "x-request-id, x-moongate-channel, x-moongate-cost, x-moongate-generation, "
              "idempotency-replayed, retry-after, x-should-retry, x-ratelimit-limit-requests, "
              "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
              "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens");
}

http::Headers preflight_headers(std::string_view origin, const std::vector<std::string>& allowed) {
  http::Headers headers;
  add_cors(headers, origin, allowed);
  if (headers.empty()) return headers;
  headers.add("access-control-allow-methods", "GET, POST, OPTIONS");
  // What SDKs send today, by name. They add to it with every version: by the Fetch standard "*"
  // stands for every field but Authorization where no cookies are sent, which none are here.
  headers.add("access-control-allow-headers",
              "authorization, content-type, x-api-key, api-key, idempotency-key, x-session-id, "
              "x-moongate-constraints, user-agent, "
              "openai-organization, openai-project, x-stainless-arch, x-stainless-helper-method, "
              "x-stainless-lang, x-stainless-os, x-stainless-package-version, "
              "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, "
              "x-stainless-timeout, *");
  headers.add("access-control-max-age", "86400");
  return headers;
}

}  // namespace mg::gateway
