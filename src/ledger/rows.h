// The derived tables, row by row: what stands in the store so that a start need not read the whole
// journal. Each row says as of which record it is true. All of them can be thrown away and made
// again from the journal; the audit does so in its own way and compares.
//
//   head       "head"           u8 version, u64 last, u64 replay_from, u32 next budget, u64 epoch,
//                               i64 wall ms
//   accounts   u32 number       u8 version, u8 kind, u8 currency (1 USD), id seller, text owner,
//                               u64 as_of, u64 last entry, i64 posted held floor lifetime in, out
//   budgets    u32 number       u8 version, text name, text period, i64 keep_until, u64 as_of,
//                               i64 spent, held
//   holds      u64 number       u8 version, u8 kind, id request tenant key, u64 epoch, i64 wall ms,
//                               u64 as_of, list of (u32 account, i64), list of (u32 budget, i64
//                               limit), u8 has mark [list of i64, i64 units], u8 has digest [32]
//   digests    u64 hold         32 bytes digest, id request, i64 wall ms
//   transfers  the id           u64 number
//   records    table NUL key    u64 number, the value
//
// Numbers in keys are as in NumberKey (store/codec.h), in values little-endian; a text has a 16-bit
// length, a list an 8-bit one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/commit_queue.h"
#include "ledger/journal.h"
#include "ledger/state.h"

namespace mg::store {
class Env;
class Table;
}  // namespace mg::store

namespace mg::ledger {

inline constexpr uint8_t kFormat = 1;
inline constexpr uint8_t kCurrencyUsd = 1;
inline constexpr std::string_view kHeadKey = "head";

// The names of all tables, for store::EnvOptions.
std::vector<std::string_view> store_tables();
store::Table table_of(store::Env& env, StoreTable table);

struct DigestRow {
  Digest digest;
  Id request;
  int64_t time_ms = 0;
};

std::string head_row(const Head& head);
void put_account(CommitBatch& batch, const AccountState& account);
void put_budget(CommitBatch& batch, const BudgetState& budget);
void put_hold(CommitBatch& batch, const HoldCell& cell);
void put_digest(CommitBatch& batch, Seq hold, const DigestRow& row);
void put_transfer(CommitBatch& batch, std::string_view id, Seq seq);
void put_record(CommitBatch& batch, std::string_view key, Seq seq, std::string_view value);
std::string record_key(std::string_view table, std::string_view key);

// Errors: invalid, for bytes that are not exactly such a row.
Result<Head> read_head(std::string_view value);
struct AccountRow {
  AccountNumber number = 0;
  Account account;
  Seq as_of = 0;
  Seq last_entry = 0;
};
Result<AccountRow> read_account(std::string_view key, std::string_view value);
struct BudgetRow {
  BudgetNumber number = 0;
  Budget budget;
  int64_t keep_until_ms = 0;
  Seq as_of = 0;
};
Result<BudgetRow> read_budget(std::string_view key, std::string_view value);
// The accounts and budgets it names must have been loaded.
Result<std::unique_ptr<HoldCell>> read_hold(std::string_view key, std::string_view value,
                                            State& state);
Result<DigestRow> read_digest(std::string_view value);
Result<Seq> read_transfer(std::string_view value);
struct RecordRow {
  Seq seq = 0;
  std::string_view value;
};
Result<RecordRow> read_record(std::string_view value);

}  // namespace mg::ledger
