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

// What one commit writes. The bytes are values yet to be sealed, one after another.
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

  bool empty() const { return records_.empty() && rows_.empty(); }
  size_t bytes() const { return bytes_.size(); }
  Seq first() const { return first_; }
  Seq last() const { return first_ + records_.size() - 1; }
  Seq replay_from() const { return replay_from_; }
  size_t record_count() const { return records_.size(); }
  std::string_view record(size_t i) const;
  const std::vector<Row>& rows() const { return rows_; }
  std::string_view key(const Row& row) const { return at(row.key_at, row.key_bytes); }
  std::string_view value(const Row& row) const { return at(row.value_at, row.value_bytes); }

  // Building: a record begins here and ends where the next one begins.
  std::string& begin_record(Seq seq);
  void put_row(StoreTable table, std::string_view key, std::string_view value);
  void erase_row(StoreTable table, std::string_view key);
  void set_replay_from(Seq seq) { replay_from_ = seq; }
  size_t row_count(StoreTable) const;
  // Appends everything of a later batch.
  void take(CommitBatch& later);
  void clear();

 private:
  std::string_view at(size_t offset, size_t size) const {
    return std::string_view(bytes_).substr(offset, size);
  }
  std::string bytes_;
  std::vector<std::pair<size_t, size_t>> records_;  // where each begins, and its size
  std::vector<Row> rows_;
  Seq first_ = 0;
  Seq replay_from_ = 0;
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
