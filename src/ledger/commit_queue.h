// The seam between the ledger and its disk: batches of records that become durable whole or not at
// all. The store's own (store_commits.h) writes one synced LMDB transaction per batch; a simulation
// puts a slow or failing one around it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/types.h"

namespace mg::ledger {

// The tables of the store.
enum class StoreTable : uint8_t {
  head,       // one row: format, last number, where a replay begins
  journal,    // number -> record; everything else follows from it
  accounts,   // account -> balances as of a number
  budgets,    // budget -> counters as of a number
  holds,      // number -> a hold that has been open for a while, as of a number
  digests,    // number of a hold -> its idempotency digest, for a day
  transfers,  // the caller's id -> number
  records,    // the directory's
};
inline constexpr size_t kStoreTables = 8;
std::string_view name(StoreTable table);

// The one row that says what the others add up to.
struct Head {
  Seq last = 0;         // the last record
  Seq replay_from = 1;  // the first record that some row has not felt
  uint32_t next_budget = 1;
  uint64_t epoch = 0;   // of the last start
  int64_t time_ms = 0;  // of the last record
};

// What one commit writes: records under numbers without a gap, and rows of the derived tables. The
// bytes are not sealed yet; the store does that.
class CommitBatch {
 public:
  struct Row {
    StoreTable table;
    bool erase;
    size_t key_at;
    size_t key_bytes;
    size_t value_at;
    size_t value_bytes;
  };

  bool empty() const { return ends_.empty() && rows_.empty(); }
  const Head& head() const { return head_; }
  // Rows that only move the checkpoint forward: at most dirty_accounts_per_commit in a commit.
  size_t checkpoint_rows() const { return checkpoint_rows_; }
  size_t bytes() const { return records_.size() + row_bytes_.size(); }
  size_t record_count() const { return ends_.size(); }
  Seq first() const { return first_; }
  Seq last() const { return first_ + ends_.size() - 1; }
  std::string_view record(size_t i) const;
  const std::vector<Row>& rows() const { return rows_; }
  std::string_view key(const Row& row) const;
  std::string_view value(const Row& row) const;

  // Building. The record's bytes are appended to what begin_record returns, then end_record.
  std::string& begin_record(Seq seq);
  void end_record() { ends_.push_back(records_.size()); }
  // The value's bytes are appended to what begin_row returns, then end_row.
  std::string& begin_row(StoreTable table, std::string_view key);
  void end_row();
  void put_row(StoreTable table, std::string_view key, std::string_view value);
  void erase_row(StoreTable table, std::string_view key);

  void count_checkpoint_row() { ++checkpoint_rows_; }
  void set_head(const Head& head) { head_ = head; }

  // Appends everything of the batch that follows this one, and leaves that one empty.
  void take(CommitBatch& next);
  void clear();

 private:
  std::string records_;
  std::vector<size_t> ends_;
  std::string row_bytes_;
  std::vector<Row> rows_;
  Seq first_ = 0;
  size_t checkpoint_rows_ = 0;
  Head head_;
};

class CommitDone {
 public:
  virtual void on_committed(Result<> result) = 0;

 protected:
  ~CommitDone() = default;
};

class CommitQueue {
 public:
  virtual ~CommitQueue() = default;
  // Makes the batch durable and says so exactly once, from inside or later on the same thread. The
  // batch stays as it is until then, and no other is handed in.
  virtual void commit(const CommitBatch& batch, CommitDone& done) = 0;
};

}  // namespace mg::ledger
