// Connections to upstreams, kept open between exchanges. One per worker.
//
// The address that is connected to is the address that was judged: a name is resolved here, every
// address it has is checked against the channel's policy, and one of those is used.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/resolver.h"
#include "event/stream.h"
#include "http/client_connection.h"
#include "http/url.h"
#include "tls/credentials.h"
#include "tls/sessions.h"

namespace mg::http {

// Where a channel's requests go. Immutable, shared by the generations that have the channel.
struct Destination {
  Origin origin;
  OriginPolicy policy;
  std::shared_ptr<const tls::TrustStore> trust;  // for https
  std::string pool_key;                          // what must be equal for a connection to be shared

  static Destination make(Origin origin, OriginPolicy policy,
                          std::shared_ptr<const tls::TrustStore> trust);
};

class Pool;

// A connection lent for one exchange; goes back when it is dropped, if it can be used again. The
// destination must outlive it.
class Lease {
 public:
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  ClientConnection& operator*() const { return *connection_; }
  ClientConnection* operator->() const { return connection_.get(); }

 private:
  friend class Pool;
  Lease(Pool& pool, const Destination& destination, std::unique_ptr<ClientConnection> connection);
  void give_back();

  Pool* pool_;
  const Destination* destination_;
  std::unique_ptr<ClientConnection> connection_;
};

class Pool {
 public:
  Pool(event::Loop& loop, event::Sockets& sockets, event::Resolver& resolver);
  ~Pool();
  Pool(const Pool&) = delete;

  // One that is open already, if there is any.
  std::optional<Lease> take_idle(const Destination& destination);
  // A new one. Errors: refused (also by policy, or for its certificate), not_found (the name),
  // timeout, unavailable, closed, protocol, io. The destination must outlive the task.
  event::Task<Result<Lease>> connect(const Destination& destination, int64_t timeout_ms);

  size_t idle() const;

 private:
  friend class Lease;
  struct Idle {
    std::unique_ptr<ClientConnection> connection;
    int64_t since_ns;
  };

  void give_back(const std::string& key, std::unique_ptr<ClientConnection> connection);
  void sweep();
  event::Task<Result<std::unique_ptr<event::Stream>>> connect_any(std::vector<IpAddress> addresses,
                                                                  uint16_t port,
                                                                  int64_t deadline_ns);

  event::Loop& loop_;
  event::Sockets& sockets_;
  event::Resolver& resolver_;
  tls::ClientSessions sessions_;
  std::unordered_map<std::string, std::vector<Idle>> idle_;  // the latest used at the back
  event::Timer sweeper_;
};

}  // namespace mg::http
