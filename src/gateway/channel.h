// A way to a provider: vendor, credential, address and limits, as one generation sees it.
// Immutable; only its health is shared with the generations before and after.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/decision.h"
#include "api/provider.h"
#include "gateway/health.h"
#include "http/pool.h"

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
  std::string path_prefix;         // of the base URL: "/v1"
  std::string authorization;       // the header that carries the credential, ready to send ...
  std::string authorization_name;  // ... and its name; both empty where none is needed
  int priority = 1;
  int weight = 1;
  std::string region;
  int64_t concurrency_max = 0;  // 0: no limit
  int64_t cost_ppm = kPpmOne;   // what it costs us, as a part of the catalogue's price
  api::Timeouts timeouts;       // complete: no zero in it
  std::vector<ModelMapping> models;
  std::shared_ptr<ChannelHealth> health;
};

}  // namespace mg::gateway
