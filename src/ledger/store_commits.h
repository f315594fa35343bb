// The commit queue of production: one default-sync LMDB transaction per batch, the journal under
// rising keys.
#pragma once

#include "ledger/commit_queue.h"
#include "store/txn.h"

namespace mg::ledger {

class StoreCommits final : public CommitQueue {
 public:
  explicit StoreCommits(store::Env& env);
  void commit(const CommitBatch& batch, CommitDone& done) override;

 private:
  Result<> write(const CommitBatch& batch);
  store::Env& env_;
  store::Table tables_[kStoreTables];
};

}  // namespace mg::ledger
