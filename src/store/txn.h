// Transactions. A reader sees the store as it was when it began, for as long as it lives; hold one
// over no co_await, and not for long beside a writer, because the pages it sees cannot be reused
// meanwhile. There is one writer at a time.
//
// What a transaction hands out points into the map: valid until it ends, or, in a write
// transaction, until its next write. Every value handed out was unsealed, and so is whole.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "store/env.h"

struct MDB_txn;
struct MDB_cursor;

namespace mg::store {

// Walks one table in key order. Dies before its transaction.
class Cursor {
 public:
  Cursor(Cursor&& other) noexcept;
  Cursor& operator=(Cursor&&) = delete;
  ~Cursor();

  // Each moves, and says whether it stands on an entry now.
  // Errors: invalid, for a damaged value or page; io.
  Result<bool> first();
  Result<bool> last();
  Result<bool> seek(std::string_view key);  // the first entry not below the key
  Result<bool> next();
  Result<bool> previous();

  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }

 private:
  friend class ReadTxn;
  friend class WriteTxn;
  explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
  Result<bool> move(int operation, std::string_view to);
  MDB_cursor* cursor_;
  std::string_view key_;
  std::string_view value_;
};

class ReadTxn {
 public:
  // Errors: overloaded, when all reader slots are taken; io.
  static Result<ReadTxn> begin(Env& env);
  ReadTxn(ReadTxn&& other) noexcept;
  ReadTxn& operator=(ReadTxn&&) = delete;
  ~ReadTxn();

  // Errors: invalid, for a damaged value; io.
  Result<std::optional<std::string_view>> get(Table table, std::string_view key) const;
  Result<Cursor> cursor(Table table) const;
  Result<uint64_t> count(Table table) const;

 private:
  explicit ReadTxn(MDB_txn* txn) : txn_(txn) {}
  MDB_txn* txn_;
};

// Ends without effect unless committed.
class WriteTxn {
 public:
  static Result<WriteTxn> begin(Env& env);
  WriteTxn(WriteTxn&& other) noexcept;
  WriteTxn& operator=(WriteTxn&&) = delete;
  ~WriteTxn();

  Result<std::optional<std::string_view>> get(Table table, std::string_view key) const;
  // Seals and stores. Errors: too_large for a key over store_key_bytes_max or a full map; io.
  Result<> put(Table table, std::string_view key, std::string_view value);
  // Behind the last key of the table, without a search. Errors: conflict, when it is not.
  Result<> append(Table table, std::string_view key, std::string_view value);
  // True when there was something to erase.
  Result<bool> erase(Table table, std::string_view key);
  // Durable on return. After an error nothing of it happened, or, when the disk failed in the last
  // step, it may have: stop, and let the next start find out.
  Result<> commit() &&;

 private:
  explicit WriteTxn(MDB_txn* txn) : txn_(txn) {}
  Result<> store(Table table, std::string_view key, std::string_view value, unsigned flags);
  MDB_txn* txn_;
};

}  // namespace mg::store
