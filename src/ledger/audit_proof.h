// The books made again from the journal alone, by other means than the ledger's, and held against
// the tables. Internal to the audit. Rules are named by their numbers in the list of invariants:
//
//    0 bytes are whole           1 legs balance              2 a book sums to zero
//    3 balance = its legs        4 held = its open holds     5 floors hold at every record
//    6 a hold ends once, within  7 nothing expires           8 no request outlives its process
//    9 ids move money once      10 settlement = its hold    11 a line = its product
//   12 legs are those of the price chain                    15 budgets hold
//   16 numbers and times rise   17 reversals, once, within  18 everything named exists
//   19 lifetimes = balance      20 nothing wraps            21 adjustments say who
//   22 the directory's records = their last change
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ledger/audit.h"
#include "ledger/audit_bytes.h"

namespace mg::ledger::proof {

using Id16 = std::array<char, 16>;

// As they stand in the journal; written down here once more, on purpose.
inline constexpr uint8_t kWallet = 1;
inline constexpr int64_t kDayMs = 86'400'000;

// The record that the row has felt last; 0 without a row.
inline uint64_t as_of(const std::unordered_map<uint64_t, uint64_t>& rows, uint64_t key) {
  const auto row = rows.find(key);
  return row == rows.end() ? 0 : row->second;
}

// What a row of a table must not miss: its first change behind the row, which a replay has to see.
struct Checked {
  uint64_t base = 0;    // in a fast audit: the row it began from has felt the records up to here
  uint64_t unseen = 0;  // the first change that its row has not felt
};

struct Book : Checked {
  uint32_t seller = 0;  // its place among the sellers
  uint8_t kind = 0;
  std::string owner;
  Wide posted = 0, held = 0, in = 0, out = 0;
  int64_t floor = 0;
  uint64_t last_entry = 0;
};

struct Seller {
  Id16 id;
  std::map<std::pair<uint8_t, std::string>, uint32_t> accounts;
  Wide sum = 0;
};

struct Limit : Checked {
  std::string name, period;
  Wide spent = 0, held = 0;
};

struct Share {
  uint32_t account;
  int64_t amount;
  bool operator==(const Share&) const = default;
};

struct Promise : Checked {  // an open hold
  Id16 request{}, tenant{}, key{};
  uint8_t kind = 0;
  uint64_t epoch = 0;
  std::vector<Share> wallets;
  std::vector<std::pair<uint32_t, int64_t>> budgets;  // number, limit
  std::optional<std::vector<int64_t>> mark;
  int64_t mark_units = 0;
  std::string digest;
};

class Proof {
 public:
  Proof(AuditReport& report, AuditDepth depth)
      : report_(report), fast_(depth == AuditDepth::fast) {}

  // What the proof asks of the store while it reads records: raw values, or nothing.
  std::function<std::optional<std::string>(std::string_view id)> transfer_row;
  std::function<std::optional<std::string>(uint64_t seq)> journal_row;

  // The tables, as of one commit, before the journal.
  void head(std::string_view value);
  void account_row(uint64_t number, std::string_view value);
  void budget_row(uint64_t number, std::string_view value);
  void hold_row(uint64_t seq, std::string_view value);
  void digest_row(uint64_t seq, std::string_view value);
  void count_transfer_row(std::string_view value);
  void record_row(std::string_view key, std::string_view value);
  // Where the journal has to be read from, and up to where.
  uint64_t begin(uint64_t pinned);

  void record(uint64_t seq, std::string_view bytes);
  // A record whose bytes are not what was written; nothing is concluded behind it.
  void damaged(uint64_t seq, const std::string& what);
  void end();

  void violate(uint8_t rule, uint64_t seq, std::string what);

 private:
  // Rows of the tables, waiting for the journal to come to where they are true.
  struct AccountRow {
    uint64_t as_of;
    uint32_t number;
    Book book;
  };
  struct LimitRow {
    uint64_t as_of;
    uint32_t number;
    Limit limit;
  };
  struct PromiseRow {
    uint64_t as_of;
    uint64_t seq;
    Promise promise;
  };
  struct Use {  // of a digest
    uint64_t hold;
    Id16 request;
    int64_t time;
  };
  struct Version {  // of a directory record
    uint64_t seq;
    uint32_t crc;
    size_t size;
    bool operator==(const Version&) const = default;
  };
  struct LegSeen {
    uint32_t debit, credit;
    int64_t amount;
    uint64_t debit_previous, credit_previous;
  };
  struct Priced {
    std::vector<Wide> by_wallet;
    uint8_t source, outcome;
    size_t lines;
    int64_t cost;
    std::string provider;
  };

  // Kinds of records (audit_proof.cc, audit_holds.cc).
  void boot(Bytes& b);
  void account_opened(Bytes& b);
  void floor_set(Bytes& b);
  void transferred(Bytes& b);
  void budget_opened(Bytes& b);
  void budget_forgotten(Bytes& b);
  void hold_opened(Bytes& b);
  void hold_extended(Bytes& b);
  void hold_marked(Bytes& b);
  void hold_posted(Bytes& b);
  void hold_voided(Bytes& b);
  void directory_changed(Bytes& b, bool erased);

  Book* book(uint32_t number);
  Limit* limit(uint32_t number);
  Promise* promise(uint64_t seq, std::string_view what);
  std::vector<Share> shares(Bytes& b);
  std::vector<uint32_t> budget_numbers(Bytes& b);
  LegSeen leg(Bytes& b);
  Priced settlement(Bytes& b, size_t wallets);
  void check_shares(const Promise& held, const std::vector<Share>& shares,
                    const std::vector<uint32_t>& budgets, std::string_view doing, bool amounts);
  void check_legs(const std::vector<LegSeen>& legs, const std::vector<LegSeen>& expected,
                  uint16_t flags);
  void apply_leg(const LegSeen& leg);
  void check_leg_previous(const std::vector<LegSeen>& legs);
  uint32_t seller_of(const Id16& id);
  uint32_t number_of(uint32_t seller, uint8_t kind, const std::string& owner) const;
  bool feels(Checked& thing, uint64_t row_as_of);
  void check_floor(uint32_t account);
  void check_limit(uint32_t number, int64_t limit_nanos);
  void change_held(uint32_t account, Wide by);
  void change_budget(uint32_t number, Wide held_by, Wide spent_by);
  void check_epoch_close(uint8_t kind);
  void forget(uint64_t hold, bool charged);
  void release(const Promise* held, const std::vector<Share>& released,
               const std::vector<uint32_t>& budgets, Wide spent);
  void compare_rows(uint64_t seq);
  void compare(const AccountRow& row);
  void compare(const LimitRow& row);
  void compare(const PromiseRow& row);
  void end_digests();
  void end_records();
  void end_sums();
  void end_rows();

  AuditReport& report_;
  const bool fast_;
  bool lost_ = false;  // behind a damaged record nothing adds up any more

  uint64_t seq_ = 0;
  uint64_t pinned_ = 0;
  int64_t time_ = INT64_MIN;
  uint64_t epoch_ = 0;
  size_t stale_requests_ = 0;  // request holds of epochs before this one, still open
  std::vector<Book> books_;
  std::vector<Seller> sellers_;
  std::map<Id16, uint32_t> seller_places_;
  std::unordered_map<uint32_t, Limit> limits_;
  std::set<std::pair<std::string, std::string>> limit_names_;
  uint32_t last_limit_ = 0;
  std::unordered_map<uint64_t, Promise> promises_;
  std::set<Id16> open_requests_;
  std::unordered_map<std::string, Use> digests_;
  std::unordered_set<uint64_t> reversed_;
  std::map<std::string, Version> directory_;

  struct {
    uint64_t last = 0, replay_from = 1, epoch = 0;
    uint32_t next_budget = 1;
    int64_t time = 0;
    bool seen = false;
  } head_;
  std::vector<AccountRow> account_rows_;
  std::vector<LimitRow> limit_rows_;
  std::vector<PromiseRow> promise_rows_;
  size_t next_account_ = 0, next_limit_ = 0, next_promise_ = 0;
  // As of which record the rows are true; what has none is not in here.
  std::unordered_map<uint64_t, uint64_t> account_as_of_, limit_as_of_, promise_as_of_;
  std::map<uint64_t, Use> digest_rows_;
  std::map<uint64_t, std::string> digest_row_bytes_;
  std::map<std::string, Version> directory_rows_;
  uint64_t transfer_rows_ = 0;
  uint64_t transfer_ids_ = 0;
  std::array<uint32_t, 32> counts_{};  // of violations by rule
};

}  // namespace mg::ledger::proof
