// A commit queue around the store's: fails at the n-th commit, or keeps commits waiting until told.
#pragma once

#include <functional>
#include <memory>

#include "ledger/commit_queue.h"
#include "unit/ledger/ledger_box.h"

namespace mg::test {

// What the test says and sees; outlives the ledger.
struct CommitScript {
  enum class Failure : uint8_t {
    before,  // nothing was written
    after,   // all was written, and the disk said no
  };
  int fail_at = 0;  // the n-th commit of this ledger, from 1; 0 never
  Failure failure = Failure::before;
  bool hold_back = false;
  int commits = 0;
  std::function<void()> inside;  // called in the middle of each commit

  // Lets the commit that is held back happen.
  void release() {
    if (auto go = std::exchange(waiting, nullptr)) go();
  }
  std::function<void()> waiting;
};

class SeamCommits final : public CommitQueue, private CommitDone {
 public:
  SeamCommits(CommitScript& script, std::unique_ptr<CommitQueue> store)
      : script_(script), store_(std::move(store)) {}

  void commit(const CommitBatch& batch, CommitDone& done) override {
    const int n = ++script_.commits;
    if (script_.inside) script_.inside();
    const auto go = [this, &batch, &done, n] {
      const bool fails = n == script_.fail_at;
      if (fails && script_.failure == CommitScript::Failure::before)
        return done.on_committed(fail(Errc::io, "the test's disk failed"));
      store_->commit(batch, *this);
      if (fails) return done.on_committed(fail(Errc::io, "the test's disk failed late"));
      done.on_committed(std::move(result_));
    };
    if (script_.hold_back) {
      script_.waiting = go;
    } else {
      go();
    }
  }

 private:
  void on_committed(Result<> result) override { result_ = std::move(result); }
  CommitScript& script_;
  std::unique_ptr<CommitQueue> store_;
  Result<> result_;
};

inline void use_script(LedgerBox& box, CommitScript& script) {
  box.options.wrap_commits = [&script](std::unique_ptr<CommitQueue> store) {
    return std::make_unique<SeamCommits>(script, std::move(store));
  };
}

}  // namespace mg::test
