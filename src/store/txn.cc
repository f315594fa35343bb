#include "store/txn.h"

#include <lmdb.h>

#include <cstring>
#include <utility>

#include "base/assert.h"
#include "store/codec.h"

namespace mg::store {
namespace {

MDB_val value_of(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};  // LMDB only reads it
}

std::string_view view_of(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

Result<std::optional<std::string_view>> look_up(MDB_txn* txn, Table table, std::string_view key) {
  MDB_val k = value_of(key);
  MDB_val v;
  const int code = mdb_get(txn, table.handle(), &k, &v);
  if (code == MDB_NOTFOUND || code == MDB_BAD_VALSIZE) return std::optional<std::string_view>();
  if (code != 0) return tl::unexpected(store_error(code, "read"));
  MG_TRY(const std::string_view value, unsealed(key, view_of(v)));
  return std::optional<std::string_view>(value);
}

}  // namespace

Cursor::Cursor(Cursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)), key_(other.key_), value_(other.value_) {}

Cursor::~Cursor() {
  if (cursor_) mdb_cursor_close(cursor_);
}

Result<bool> Cursor::move(int operation, std::string_view to) {
  MDB_val k = value_of(to);
  MDB_val v{};
  const int code = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(operation));
  key_ = value_ = {};
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return tl::unexpected(store_error(code, "read on"));
  key_ = view_of(k);
  MG_TRY(value_, unsealed(key_, view_of(v)));
  return true;
}

Result<bool> Cursor::first() { return move(MDB_FIRST, {}); }
Result<bool> Cursor::last() { return move(MDB_LAST, {}); }
Result<bool> Cursor::seek(std::string_view key) { return move(MDB_SET_RANGE, key); }
Result<bool> Cursor::next() { return move(MDB_NEXT, {}); }
Result<bool> Cursor::previous() { return move(MDB_PREV, {}); }

Result<ReadTxn> ReadTxn::begin(Env& env) {
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env.handle(), nullptr, MDB_RDONLY, &txn))
    return tl::unexpected(store_error(code, "begin to read"));
  return ReadTxn(txn);
}

ReadTxn::ReadTxn(ReadTxn&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}

ReadTxn::~ReadTxn() {
  if (txn_) mdb_txn_abort(txn_);
}

Result<std::optional<std::string_view>> ReadTxn::get(Table table, std::string_view key) const {
  return look_up(txn_, table, key);
}

Result<Cursor> ReadTxn::cursor(Table table) const {
  MDB_cursor* cursor = nullptr;
  if (const int code = mdb_cursor_open(txn_, table.handle(), &cursor))
    return tl::unexpected(store_error(code, "open a cursor"));
  return Cursor(cursor);
}

Result<uint64_t> ReadTxn::count(Table table) const {
  MDB_stat stat;
  if (const int code = mdb_stat(txn_, table.handle(), &stat))
    return tl::unexpected(store_error(code, "count"));
  return stat.ms_entries;
}

Result<WriteTxn> WriteTxn::begin(Env& env) {
  MG_ASSERT(env.access() == Access::read_write);
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env.handle(), nullptr, 0, &txn))
    return tl::unexpected(store_error(code, "begin to write"));
  return WriteTxn(txn);
}

WriteTxn::WriteTxn(WriteTxn&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}

WriteTxn::~WriteTxn() {
  if (txn_) mdb_txn_abort(txn_);
}

Result<std::optional<std::string_view>> WriteTxn::get(Table table, std::string_view key) const {
  return look_up(txn_, table, key);
}

Result<> WriteTxn::store(Table table, std::string_view key, std::string_view value,
                         unsigned flags) {
  MDB_val k = value_of(key);
  MDB_val v{kSealBytes + value.size(), nullptr};
  if (const int code = mdb_put(txn_, table.handle(), &k, &v, flags | MDB_RESERVE))
    return tl::unexpected(store_error(code, "write"));
  const uint32_t seal = seal_of(key, value);
  auto* out = static_cast<char*>(v.mv_data);
  std::memcpy(out, &seal, kSealBytes);
  if (!value.empty()) std::memcpy(out + kSealBytes, value.data(), value.size());
  return {};
}

Result<> WriteTxn::put(Table table, std::string_view key, std::string_view value) {
  return store(table, key, value, 0);
}

Result<> WriteTxn::append(Table table, std::string_view key, std::string_view value) {
  return store(table, key, value, MDB_APPEND);
}

Result<bool> WriteTxn::erase(Table table, std::string_view key) {
  MDB_val k = value_of(key);
  const int code = mdb_del(txn_, table.handle(), &k, nullptr);
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return tl::unexpected(store_error(code, "erase"));
  return true;
}

Result<> WriteTxn::commit() && {
  MDB_txn* txn = std::exchange(txn_, nullptr);  // gone either way
  if (const int code = mdb_txn_commit(txn)) return tl::unexpected(store_error(code, "commit"));
  return {};
}

}  // namespace mg::store
