// What policies may know about a wallet at any moment, without asking the book: two counters the
// book keeps up to date for all threads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "ledger/types.h"

namespace mg::ledger {

// The figures are of the end of some recent round of the book: good for a decision that a hold
// confirms, not for one that moves money. Any thread; one figure may be a round newer than the
// other.
class WalletView {
 public:
  Money posted() const { return Money::nanos(posted_.load(std::memory_order_relaxed)); }
  Money available() const { return Money::nanos(available_.load(std::memory_order_relaxed)); }

 private:
  friend class State;
  std::atomic<int64_t> posted_{0};
  std::atomic<int64_t> available_{0};
};

// The views by name. Looked up once per wallet by whoever keeps the view (the directory), so a
// mutex does. A name that no record has used yet has a view as well, of nothing.
class WalletViews {
 public:
  std::shared_ptr<WalletView> of(const AccountName& wallet);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<WalletView>> views_;
};

}  // namespace mg::ledger
