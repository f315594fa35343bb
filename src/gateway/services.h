// What a worker lends to every exchange it runs. All of it lives as long as the worker and belongs
// to its thread, unless it says that it is shared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/policies.h"
#include "base/address.h"
#include "base/rng.h"
#include "event/loop.h"
#include "gateway/answer_reader.h"
#include "gateway/idempotency.h"
#include "gateway/metrics.h"
#include "gateway/record.h"
#include "gateway/world.h"
#include "http/pool.h"
#include "ledger/client.h"

namespace mg::gateway {

enum class Durability : uint8_t {
  strict,   // the end of an answer goes out when its charge is on disk
  relaxed,  // ... when its charge is ordered
};

// Of the configuration; shared, immutable.
struct Settings {
  Durability durability = Durability::strict;
  std::vector<IpNetwork> trusted_proxies;
  std::vector<std::string> cors_origins;         // "https://app.example"; "*" for any
  size_t offload_bytes_min = 256 * limits::KiB;  // larger bodies are read in the pool
};

// A generation in this worker: what was decided once for all workers, and this worker's own state
// of its scripts. Exchanges keep it alive.
struct Serving {
  std::shared_ptr<const World> world;
  // Empty once too many generations are alive: late hooks then run on the newest.
  std::shared_ptr<api::Policies> policies;
};

// Takes decision records: gathers them for a turn, then hands them on in one go.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void add(const DecisionRecord& record) = 0;
};

struct Services {
  event::Loop& loop;
  Rng& rng;
  ledger::Client& ledger;
  http::Pool& pool;
  AnswerReader& reader;
  RecordSink& records;
  Metrics& metrics;
  IdempotencyTable& idempotency;  // shared
  const Settings& settings;
  std::shared_ptr<const Serving> serving;  // the newest; replaced between turns
};

}  // namespace mg::gateway
