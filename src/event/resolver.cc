#include "event/resolver.h"

#include <algorithm>

namespace mg::event {

// Puts a signal among an entry's waiters for as long as a caller waits.
class CachingResolver::Waiting {
 public:
  Waiting(CachingResolver& resolver, const std::string& name) : resolver_(resolver), name_(name) {
    resolver_.entries_[name_].waiters.push_back(&answered);
  }
  ~Waiting() {
    auto& waiters = resolver_.entries_[name_].waiters;
    waiters.erase(std::remove(waiters.begin(), waiters.end(), &answered), waiters.end());
  }
  Waiting(const Waiting&) = delete;
  void give_up() { answered.raise(); }
  Signal answered;

 private:
  CachingResolver& resolver_;
  const std::string name_;
};

Task<Result<std::vector<IpAddress>>> CachingResolver::resolve(std::string name,
                                                              int64_t timeout_ms) {
  if (const auto ip = IpAddress::parse(name)) co_return std::vector<IpAddress>{*ip};
  if (entries_.size() >= names_max && !entries_.contains(name)) forget_oldest();
  Entry& entry = entries_[name];
  const int64_t now = loop_.now_ns();
  if (now >= entry.fresh_until_ns && !entry.asking) {
    entry.asking = true;
    loop_.spawn(refresh(name));
  }
  if (entry.asking && now >= entry.usable_until_ns) {
    Waiting waiting(*this, name);
    Timer deadline = Timer::calling<&Waiting::give_up>(loop_.timers(), &waiting);
    deadline.start_ms(timeout_ms);
    co_await waiting.answered.wait();
  }
  const Entry& answered = entries_[name];
  if (loop_.now_ns() < answered.usable_until_ns) co_return answered.addresses;
  if (answered.asking) co_return fail(Errc::timeout, "no name server said where " + name + " is");
  co_return tl::unexpected(answered.failure);
}

Task<> CachingResolver::refresh(std::string name) {
  Result<LookupAnswer> answer = co_await lookup_.look_up(name);
  Entry& entry = entries_[name];
  entry.asking = false;
  if (answer && !answer->addresses.empty()) {
    const int64_t now = loop_.now_ns();
    entry.addresses = std::move(answer->addresses);
    entry.fresh_until_ns = now + std::clamp(answer->ttl_ms, ttl_min_ms, ttl_max_ms) * kNsPerMs;
    entry.usable_until_ns = now + stale_max_ms * kNsPerMs;
  } else {
    entry.failure = answer ? Error{Errc::not_found, name + " has no address"} : answer.error();
    // Ask again no sooner than this, whether or not an old answer is still being served.
    entry.fresh_until_ns = loop_.now_ns() + ttl_min_ms * kNsPerMs;
  }
  // A waiter that goes on may ask again and so change the list.
  std::vector<Signal*> waiters;
  waiters.swap(entry.waiters);
  for (size_t i = 0; i < waiters.size(); ++i) waiters[i]->raise();
}

void CachingResolver::forget_oldest() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (!it->second.asking && it->second.waiters.empty() &&
        (oldest == entries_.end() || it->second.fresh_until_ns < oldest->second.fresh_until_ns))
      oldest = it;
  if (oldest != entries_.end()) entries_.erase(oldest);
}

}  // namespace mg::event
