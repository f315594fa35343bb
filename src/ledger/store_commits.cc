#include "ledger/store_commits.h"

#include "ledger/rows.h"
#include "store/codec.h"

namespace mg::ledger {

StoreCommits::StoreCommits(store::Env& env) : env_(env) {
  for (size_t i = 0; i < kStoreTables; ++i)
    tables_[i] = env.table(name(static_cast<StoreTable>(i)));
}

void StoreCommits::commit(const CommitBatch& batch, CommitDone& done) {
  done.on_committed(write(batch));
}

Result<> StoreCommits::write(const CommitBatch& batch) {
  MG_TRY(store::WriteTxn txn, store::WriteTxn::begin(env_));
  const store::Table journal = tables_[static_cast<size_t>(StoreTable::journal)];
  for (size_t i = 0; i < batch.record_count(); ++i)
    MG_CHECK(txn.append(journal, store::NumberKey(batch.first() + i), batch.record(i)));
  for (const CommitBatch::Row& row : batch.rows()) {
    const store::Table table = tables_[static_cast<size_t>(row.table)];
    if (row.erase) {
      MG_CHECK(txn.erase(table, batch.key(row)));
    } else {
      MG_CHECK(txn.put(table, batch.key(row), batch.value(row)));
    }
  }
  const store::Table head = tables_[static_cast<size_t>(StoreTable::head)];
  MG_CHECK(txn.put(head, kHeadKey, head_row(batch.head())));
  return std::move(txn).commit();
}

}  // namespace mg::ledger
