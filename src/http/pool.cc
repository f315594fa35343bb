#include "http/pool.h"

#include <algorithm>

#include "tls/stream.h"

namespace mg::http {
namespace {

constexpr int64_t kIdleMaxNs = 30 * kNsPerS;
constexpr int64_t kSweepMs = 5'000;

}  // namespace

Destination Destination::make(Origin origin, OriginPolicy policy,
                              std::shared_ptr<const tls::TrustStore> trust) {
  Destination made{std::move(origin), policy, std::move(trust), {}};
  made.pool_key =
      (made.origin.scheme == Scheme::https ? "https://" : "http://") + made.origin.authority();
  // Channels with different rules for addresses never share a connection.
  if (policy.private_addresses == PrivateAddresses::allow) made.pool_key += " private";
  if (policy.plain_http == PlainHttp::allow) made.pool_key += " plain";
  if (made.trust) made.pool_key += " trust " + std::to_string(made.trust->generation());
  return made;
}

Lease::Lease(Pool& pool, const Destination& destination,
             std::unique_ptr<ClientConnection> connection)
    : pool_(&pool), destination_(&destination), connection_(std::move(connection)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  give_back();
  pool_ = other.pool_;
  destination_ = other.destination_;
  connection_ = std::move(other.connection_);
  return *this;
}

Lease::~Lease() { give_back(); }

void Lease::give_back() {
  if (connection_ && connection_->is_reusable())
    pool_->give_back(destination_->pool_key, std::move(connection_));
}

Pool::Pool(event::Loop& loop, event::Sockets& sockets, event::Resolver& resolver)
    : loop_(loop),
      sockets_(sockets),
      resolver_(resolver),
      sweeper_(event::Timer::calling<&Pool::sweep>(loop.timers(), this)) {}

Pool::~Pool() = default;

std::optional<Lease> Pool::take_idle(const Destination& destination) {
  const auto found = idle_.find(destination.pool_key);
  if (found == idle_.end()) return std::nullopt;
  std::vector<Idle>& list = found->second;
  while (!list.empty()) {
    std::unique_ptr<ClientConnection> connection = std::move(list.back().connection);
    list.pop_back();
    if (connection->is_reusable()) return Lease(*this, destination, std::move(connection));
  }
  return std::nullopt;
}

event::Task<Result<Lease>> Pool::connect(const Destination& destination, int64_t timeout_ms) {
  const Origin& origin = destination.origin;
  const int64_t deadline_ns = loop_.now_ns() + timeout_ms * kNsPerMs;
  MG_CO_CHECK(check_origin(origin, destination.policy));
  std::vector<IpAddress> addresses;
  if (origin.address) {
    addresses.push_back(*origin.address);
  } else {
    MG_CO_TRY(addresses, co_await resolver_.resolve(origin.host, timeout_ms));
  }
  MG_CO_CHECK(check_addresses(origin, addresses, destination.policy));
  MG_CO_TRY(std::unique_ptr<event::Stream> stream,
            co_await connect_any(std::move(addresses), origin.port, deadline_ns));
  if (origin.scheme == Scheme::https) {
    const int64_t left_ms = std::max<int64_t>(1, (deadline_ns - loop_.now_ns()) / kNsPerMs);
    MG_CO_TRY(stream, co_await tls::connect(loop_, std::move(stream), destination.trust, sessions_,
                                            origin.host, origin.authority(), left_ms));
  }
  auto connection = std::make_unique<ClientConnection>(loop_, std::move(stream));
  co_return Lease(*this, destination, std::move(connection));
}

// Tries one address after the other; each gets its share of the time that is left.
event::Task<Result<std::unique_ptr<event::Stream>>> Pool::connect_any(
    std::vector<IpAddress> addresses, uint16_t port, int64_t deadline_ns) {
  Error last{Errc::timeout, "no time left to connect"};
  for (size_t i = 0; i < addresses.size(); ++i) {
    const int64_t left_ms = (deadline_ns - loop_.now_ns()) / kNsPerMs;
    if (left_ms <= 0) break;
    const int64_t share_ms = std::max<int64_t>(1, left_ms / int64_t(addresses.size() - i));
    Result<std::unique_ptr<event::Stream>> stream =
        co_await sockets_.connect({addresses[i], port}, share_ms);
    if (stream) co_return std::move(*stream);
    last = std::move(stream.error());
  }
  co_return tl::unexpected(std::move(last));
}

void Pool::give_back(const std::string& key, std::unique_ptr<ClientConnection> connection) {
  std::vector<Idle>& list = idle_[key];
  if (list.size() >= limits::idle_upstreams_max) return;
  connection->rest();
  list.push_back({std::move(connection), loop_.now_ns()});
  if (!sweeper_.is_armed()) sweeper_.start_ms(kSweepMs);
}

void Pool::sweep() {
  const int64_t oldest_ns = loop_.now_ns() - kIdleMaxNs;
  for (auto at = idle_.begin(); at != idle_.end();) {
    std::erase_if(at->second, [&](const Idle& idle) {
      return idle.since_ns <= oldest_ns || !idle.connection->is_reusable();
    });
    at = at->second.empty() ? idle_.erase(at) : std::next(at);
  }
  if (!idle_.empty()) sweeper_.start_ms(kSweepMs);
}

size_t Pool::idle() const {
  size_t count = 0;
  for (const auto& [key, list] : idle_) count += list.size();
  return count;
}

}  // namespace mg::http
