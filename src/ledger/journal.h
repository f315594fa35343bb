// The journal's records. They are never changed, their numbers have no gaps and their times never
// go back, and the balances are what they add up to: each says in full what it does to which
// account and budget, so that a replay repeats no decision.
//
// On disk, sealed with a crc over number and bytes (store/codec.h), little-endian:
//   u8 version (1), u8 kind, u16 zero, i64 wall ms, then the kind's own fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "ledger/types.h"

namespace mg::ledger {

using AccountNumber = uint32_t;  // from 1, in the order of opening
using BudgetNumber = uint32_t;   // likewise

inline constexpr uint8_t kRecordVersion = 1;

enum class RecordKind : uint8_t {
  boot = 1,
  account_opened,
  floor_set,
  transferred,
  budget_opened,
  budget_forgotten,
  hold_opened,
  hold_extended,
  hold_marked,
  hold_posted,
  hold_voided,
  record_put,
  record_erased,
  // Kept for the seal of a commit: a SHA-256 over the seal before it and every record since. None
  // is written yet, and a reader that meets one refuses the journal.
  seal,
};
std::string_view name(RecordKind kind);

// A start of a process; request holds of earlier epochs are resolved right behind it.
struct Boot {
  uint64_t epoch = 0;
};

struct AccountOpened {
  AccountNumber account = 0;
  AccountName name;
  Money floor;
};

struct FloorSet {
  AccountNumber account = 0;
  Money floor;
};

// One debit and one credit of the same amount. `previous` is the record before this one that moved
// the account, so that an account's history is read backward without an index.
struct Leg {
  AccountNumber debit = 0;
  AccountNumber credit = 0;
  Money amount;
  Seq debit_previous = 0;
  Seq credit_previous = 0;
};

struct Transferred {
  TransferKind kind = TransferKind::credit;
  Leg leg;
  Seq reverses = 0;
  std::string_view id;
  std::string_view actor;
  std::string_view memo;
};

struct BudgetOpened {
  BudgetNumber budget = 0;
  std::string_view name;
  std::string_view period;
  int64_t keep_until_ms = 0;
};

struct BudgetForgotten {
  BudgetNumber budget = 0;
};

struct WalletShare {
  AccountNumber account = 0;
  Money amount;
};
using WalletShares = SmallList<WalletShare, limits::hold_wallets_max>;

struct BudgetShare {
  BudgetNumber budget = 0;
  Money limit;
};

struct HoldOpened {
  Id request;
  Id tenant;
  Id key;
  HoldKind kind = HoldKind::request;
  uint64_t epoch = 0;
  WalletShares wallets;
  SmallList<BudgetShare, limits::hold_budgets_max> budgets;  // each held at the first share
  std::optional<Digest> digest;
};

using BudgetNumbers = SmallList<BudgetNumber, limits::hold_budgets_max>;

enum class ExtendCause : uint8_t { asked = 1, settlement };

struct HoldExtended {
  Seq hold = 0;
  ExtendCause cause = ExtendCause::asked;
  WalletShares wallets;  // by how much more
  BudgetNumbers budgets;
};

struct HoldMarked {
  Seq hold = 0;
  Mark mark;
};

struct WalletPost {
  AccountNumber account = 0;
  Money released;  // all that was held
  Money price;     // what the lines come to, or the mark
  Money paid;      // at most released
};

enum PostFlags : uint16_t {
  kPostShort = 1,       // some price was more than what was paid: see the legs of shortfall
  kPostLegDropped = 2,  // an account was too full to book a leg; the price still stands here
};

struct HoldPosted {
  Seq hold = 0;
  Id request;
  Id tenant;
  Id key;
  HoldKind kind = HoldKind::request;
  uint16_t flags = 0;
  SmallList<WalletPost, limits::hold_wallets_max> wallets;
  BudgetNumbers budgets;  // each releases and spends what the first wallet does
  SmallList<Leg, 2 * limits::hold_wallets_max + 1> legs;
  Settlement settlement;
};

struct HoldVoided {
  Seq hold = 0;
  Id request;
  VoidReason reason = VoidReason::dropped;
  WalletShares wallets;  // all that was held
  BudgetNumbers budgets;
};

struct RecordPut {
  std::string_view table;
  std::string_view key;
  std::string_view value;
};

struct RecordErased {
  std::string_view table;
  std::string_view key;
};

using Record = std::variant<Boot, AccountOpened, FloorSet, Transferred, BudgetOpened,
                            BudgetForgotten, HoldOpened, HoldExtended, HoldMarked, HoldPosted,
                            HoldVoided, RecordPut, RecordErased>;

struct Entry {
  Seq seq = 0;
  int64_t time_ms = 0;
  Record record;
};

// What a decoded settlement points to. One per reader, reused.
struct EntryScratch {
  std::vector<PriceLine> lines;
};

// Appends the record's bytes. The settlement of a HoldPosted is given as its bytes, which the
// worker made (encode_settlement), so that the book need not.
void encode(std::string& out, int64_t time_ms, const Boot& record);
void encode(std::string& out, int64_t time_ms, const AccountOpened& record);
void encode(std::string& out, int64_t time_ms, const FloorSet& record);
void encode(std::string& out, int64_t time_ms, const Transferred& record);
void encode(std::string& out, int64_t time_ms, const BudgetOpened& record);
void encode(std::string& out, int64_t time_ms, const BudgetForgotten& record);
void encode(std::string& out, int64_t time_ms, const HoldOpened& record);
void encode(std::string& out, int64_t time_ms, const HoldExtended& record);
void encode(std::string& out, int64_t time_ms, const HoldMarked& record);
void encode(std::string& out, int64_t time_ms, const HoldPosted& record,
            std::string_view settlement_bytes);
void encode(std::string& out, int64_t time_ms, const HoldVoided& record);
void encode(std::string& out, int64_t time_ms, const RecordPut& record);
void encode(std::string& out, int64_t time_ms, const RecordErased& record);

void encode_settlement(std::string& out, const Settlement& settlement);

// The entry's views point into `bytes` and `scratch`. Errors: invalid, for bytes that are not
// exactly one record of a known version and kind.
Result<Entry> decode(Seq seq, std::string_view bytes, EntryScratch& scratch);

}  // namespace mg::ledger
