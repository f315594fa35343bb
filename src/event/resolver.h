// Names to addresses. The cache serves what it knows while it asks anew, so that a slow or dead
// name server delays nobody who was reachable a minute ago.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "event/loop.h"

namespace mg::event {

class Resolver {
 public:
  virtual ~Resolver() = default;
  // At least one address, in the order to try them. Errors: not_found, unavailable, and timeout
  // when none is known after that time.
  virtual Task<Result<std::vector<IpAddress>>> resolve(std::string name, int64_t timeout_ms) = 0;
};

struct LookupAnswer {
  std::vector<IpAddress> addresses;
  int64_t ttl_ms = 0;
};

// One question to the name servers, without memory.
class Lookup {
 public:
  virtual ~Lookup() = default;
  virtual Task<Result<LookupAnswer>> look_up(std::string name) = 0;
};

struct ResolverOptions {
  std::vector<std::string> servers;  // "1.1.1.1" or "127.0.0.1:5353"; empty: those of the system
  int64_t timeout_ms = 2000;
};

// c-ares on the loop: /etc/hosts, /etc/resolv.conf (or the servers given), no thread.
// Errors: invalid for a server that is no address.
class UvLoop;
Result<std::unique_ptr<Lookup>> make_ares_lookup(UvLoop& loop, const ResolverOptions& options);

// Addresses written as numbers never reach the lookup. An answer is fresh for its TTL (between
// ttl_min_ms and ttl_max_ms); then it is still served, while one look-up runs behind, until it is
// stale_max_ms old. Concurrent questions for one name share one look-up.
class CachingResolver final : public Resolver {
 public:
  static constexpr int64_t ttl_min_ms = 5'000;
  static constexpr int64_t ttl_max_ms = 300'000;
  static constexpr int64_t stale_max_ms = 3'600'000;
  static constexpr size_t names_max = 4096;

  CachingResolver(Loop& loop, Lookup& lookup) : loop_(loop), lookup_(lookup) {}
  Task<Result<std::vector<IpAddress>>> resolve(std::string name, int64_t timeout_ms) override;

 private:
  struct Entry {
    std::vector<IpAddress> addresses;
    int64_t fresh_until_ns = 0;
    int64_t usable_until_ns = 0;
    bool asking = false;
    Error failure{Errc::unavailable, "not asked yet"};
    std::vector<Signal*> waiters;
  };
  class Waiting;

  Task<> refresh(std::string name);
  void forget_oldest();

  Loop& loop_;
  Lookup& lookup_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace mg::event
