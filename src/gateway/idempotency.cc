#include "gateway/idempotency.h"

#include <cstring>

#include "base/clock.h"
#include "base/limits.h"

namespace mg::gateway {

size_t IdempotencyTable::Hash::operator()(const Digest& digest) const noexcept {
  size_t out;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

IdempotencyTable::Claim IdempotencyTable::claim(const Digest& key, const Digest& body,
                                                const Id& request, int64_t now_ns) {
  std::lock_guard lock(mutex_);
  expire(now_ns);
  const auto [found, is_new] = entries_.try_emplace(key);
  Entry& entry = found->second;
  if (is_new) {
    entry.body = body;
    entry.request = request;
    return {Claim::Verdict::fresh, nullptr, request};
  }
  if (entry.body != body) return {Claim::Verdict::mismatch, nullptr, entry.request};
  if (entry.running) return {Claim::Verdict::in_flight, nullptr, entry.request};
  if (entry.answer) return {Claim::Verdict::replay, entry.answer, entry.request};
  return {Claim::Verdict::charged, nullptr, entry.request};
}

void IdempotencyTable::keep(const Digest& key, StoredAnswer answer, int64_t now_ns) {
  std::shared_ptr<const StoredAnswer> kept;
  if (answer.body.size() <= limits::idempotency_answer_bytes_max)
    kept = std::make_shared<const StoredAnswer>(std::move(answer));
  end(key, std::move(kept), now_ns);
}

void IdempotencyTable::charged(const Digest& key, int64_t now_ns) { end(key, nullptr, now_ns); }

void IdempotencyTable::forget(const Digest& key) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end() && found->second.running) entries_.erase(found);
}

void IdempotencyTable::end(const Digest& key, std::shared_ptr<const StoredAnswer> answer,
                           int64_t now_ns) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.running) return;
  Entry& entry = found->second;
  entry.running = false;
  entry.until_ns = now_ns + limits::idempotency_keep_ms * kNsPerMs;
  if (answer) stored_bytes_ += answer->body.size();
  entry.answer = std::move(answer);
  ended_.push_back(key);
  while (stored_bytes_ > limits::idempotency_stored_bytes_max ||
         ended_.size() > limits::idempotency_entries_max)
    drop_oldest();
}

void IdempotencyTable::expire(int64_t now_ns) {
  while (!ended_.empty() && entries_.at(ended_.front()).until_ns <= now_ns) drop_oldest();
}

void IdempotencyTable::drop_oldest() {
  const auto found = entries_.find(ended_.front());
  if (found->second.answer) stored_bytes_ -= found->second.answer->body.size();
  entries_.erase(found);
  ended_.pop_front();
}

}  // namespace mg::gateway
