// Who is calling: the key in the request's head, whom it belongs to, and from where it comes.
#pragma once

#include <memory>
#include <tl/expected.hpp>

#include "api/facts.h"
#include "base/address.h"
#include "directory/snapshot.h"
#include "gateway/refusal.h"
#include "http/head.h"

namespace mg::gateway {

struct Caller {
  std::shared_ptr<const directory::ApiKey> key;
  std::shared_ptr<const directory::TenantEntry> tenant;
};

// Keys travel as "Authorization: Bearer KEY", "x-api-key: KEY" or "api-key: KEY"; where several
// are given they must agree. Refusals: invalid_api_key, key_expired, tenant_suspended.
tl::expected<Caller, Refusal> authenticate(const http::Headers& headers,
                                           const directory::Snapshot& directory, int64_t now_ms);

// Whose request it is, as policies see it. `key_id` is the key's id as text; it, and the caller,
// must outlive the facts.
void describe_caller(const Caller& caller, std::string_view key_id, api::RequestFacts& facts);

// The digest under which a secret is stored.
directory::SecretDigest secret_digest(std::string_view secret);

}  // namespace mg::gateway
