// Requests that carry an Idempotency-Key: while one runs a second is told to wait, and afterwards
// it is given the stored answer, or told which request it was. Shared by all workers. What was
// charged is remembered by the ledger beyond a restart; the answers are not.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/id.h"
#include "ledger/types.h"

namespace mg::gateway {

// A plain answer as it was sent.
struct StoredAnswer {
  int status = 200;
  std::string content_type;
  std::string channel;
  std::string cost;
  Id request;
  std::string body;
};

class IdempotencyTable {
 public:
  // Of key and Idempotency-Key together; and of the request's body.
  using Digest = ledger::Digest;

  struct Claim {
    enum class Verdict : uint8_t {
      fresh,      // ours: end it with keep(), charged() or forget()
      in_flight,  // the same request is running
      mismatch,   // the key was used with another body
      replay,     // `answer` is to be given again
      charged,    // it ran and was charged; its answer is not kept
    };
    Verdict verdict = Verdict::fresh;
    std::shared_ptr<const StoredAnswer> answer;
    Id request;  // the one that came first
  };

  Claim claim(const Digest& key, const Digest& body, const Id& request, int64_t now_ns);
  // The request was answered in full. A body beyond idempotency_answer_bytes_max is not kept.
  void keep(const Digest& key, StoredAnswer answer, int64_t now_ns);
  // It was charged, but there is no answer that could be given again.
  void charged(const Digest& key, int64_t now_ns);
  // It came to nothing: the next attempt is as good as the first.
  void forget(const Digest& key);

 private:
  struct Entry {
    Digest body;
    Id request;
    bool running = true;
    std::shared_ptr<const StoredAnswer> answer;
    int64_t until_ns = 0;
  };
  struct Hash {
    size_t operator()(const Digest& digest) const noexcept;
  };

  void end(const Digest& key, std::shared_ptr<const StoredAnswer> answer, int64_t now_ns);
  void expire(int64_t now_ns);
  void drop_oldest();

  std::mutex mutex_;
  std::unordered_map<Digest, Entry, Hash> entries_;
  std::list<Digest> ended_;  // oldest first
  size_t stored_bytes_ = 0;
};

}  // namespace mg::gateway
