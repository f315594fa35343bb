// A way to a provider: vendor, credential, address and limits, as one generation sees it.
// Immutable; only its health is shared with the generations before and after.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "api/decision.h"
#include "api/provider.h"
#include "gateway/health.h"
#include "gateway/request_body.h"
#include "http/pool.h"
#include "http/writer.h"

namespace mg::gateway {

// What the channel calls one of our models.
struct ModelMapping {
  std::string model;           // as clients ask for it: an id or alias of the catalogue, or "*"
  std::string upstream_model;  // empty: the same
};

struct Channel {
  std::string id;
  api::Provider provider;
  http::Destination destination;
  int priority = 1;
  int weight = 1;
  std::string region;
  int64_t concurrency_max = 0;  // 0: no limit
  int64_t cost_ppm = kPpmOne;   // what it costs us, as a part of the catalogue's price
  api::Timeouts timeouts;       // complete: no zero in it
  std::vector<ModelMapping> models;
  std::shared_ptr<ChannelHealth> health;

  // The field that carries the credential; all empty where none is needed.
  struct Authorization {
    std::string name;
    std::string scheme;  // what stands before the credential: "Bearer "
    std::string credential;
  };
  // Once, when the destination is known; `path_prefix` is the base URL's: "/v1". Errors: invalid,
  // for what no head can carry.
  Result<> prepare_heads(std::string_view path_prefix, const Authorization& authorization);

  // What the upstream said, without this channel's credential, should it quote it. Every text of
  // the upstream's that a client or a record is to have passes through here first, still uncut.
  std::string without_credential(std::string_view said) const;

  // What a request begins with, credential and all.
  const http::PreparedHead& head(Operation operation, bool is_stream) const {
    return heads_[static_cast<size_t>(operation)][is_stream];
  }

 private:
  std::string credential_;  // as it was sent; empty where there is none to hide
  std::array<std::array<http::PreparedHead, 2>, kOperations.size()> heads_;
};

}  // namespace mg::gateway
