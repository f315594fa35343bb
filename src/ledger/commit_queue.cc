#include "ledger/commit_queue.h"

#include "base/assert.h"

namespace mg::ledger {
namespace {

// What a batch keeps of its memory for the next round.
constexpr size_t kKeepBytes = 1 * limits::MiB;

}  // namespace

std::string_view name(StoreTable table) {
  static constexpr std::string_view kNames[kStoreTables] = {
      "head", "journal", "accounts", "budgets", "holds", "digests", "transfers", "records"};
  return kNames[static_cast<size_t>(table)];
}

std::string_view CommitBatch::record(size_t i) const {
  const size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(records_).substr(begin, ends_[i] - begin);
}

std::string_view CommitBatch::key(const Row& row) const {
  return std::string_view(row_bytes_).substr(row.key_at, row.key_bytes);
}

std::string_view CommitBatch::value(const Row& row) const {
  return std::string_view(row_bytes_).substr(row.value_at, row.value_bytes);
}

std::string& CommitBatch::begin_record(Seq seq) {
  if (ends_.empty()) first_ = seq;
  MG_ASSERT(seq == first_ + ends_.size());
  return records_;
}

std::string& CommitBatch::begin_row(StoreTable table, std::string_view key) {
  Row row{table, false, row_bytes_.size(), key.size(), 0, 0};
  row_bytes_.append(key);
  row.value_at = row_bytes_.size();
  rows_.push_back(row);
  return row_bytes_;
}

void CommitBatch::end_row() {
  Row& row = rows_.back();
  row.value_bytes = row_bytes_.size() - row.value_at;
}

void CommitBatch::put_row(StoreTable table, std::string_view key, std::string_view value) {
  begin_row(table, key).append(value);
  end_row();
}

void CommitBatch::erase_row(StoreTable table, std::string_view key) {
  begin_row(table, key);
  rows_.back().erase = true;
}

void CommitBatch::take(CommitBatch& next) {
  if (next.empty()) return;
  if (empty()) {
    std::swap(*this, next);
    return;
  }
  if (!next.ends_.empty()) {
    if (ends_.empty()) first_ = next.first_;
    MG_ASSERT(next.first_ == first_ + ends_.size());
  }
  const size_t shift = records_.size();
  records_.append(next.records_);
  for (const size_t end : next.ends_) ends_.push_back(shift + end);
  const size_t row_shift = row_bytes_.size();
  row_bytes_.append(next.row_bytes_);
  for (Row row : next.rows_) {
    row.key_at += row_shift;
    row.value_at += row_shift;
    rows_.push_back(row);
  }
  checkpoint_rows_ += next.checkpoint_rows_;
  head_ = next.head_;
  next.clear();
}

void CommitBatch::clear() {
  if (bytes() > kKeepBytes) {
    *this = CommitBatch();
    return;
  }
  records_.clear();
  ends_.clear();
  row_bytes_.clear();
  rows_.clear();
  first_ = 0;
  checkpoint_rows_ = 0;
}

}  // namespace mg::ledger
