// The words of the ledger: accounts, budgets, holds, settlements, transfers. Values only; what may
// be done with them stands in client.h, and the rules they obey in rules.h.
//
// Money has a sign convention: a credit raises an account and a debit lowers it. A wallet that was
// paid into is positive, what a provider is owed is positive, and the accounts the money came from
// (funding, cost, shortfall) are negative, so that every seller's book sums to zero.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/limits.h"
#include "base/money.h"
#include "ledger/short_text.h"
#include "ledger/small_list.h"

namespace mg::ledger {

// The number of a record in the journal: 1 is the first, 0 names none.
using Seq = uint64_t;

// ---- accounts

enum class AccountKind : uint8_t {
  wallet = 1,  // what a buyer has paid in; the only kind with a floor
  sales,       // what the seller's buyers were charged
  cost,        // what the platform's requests cost it
  payable,     // what a provider is owed; owner: the provider
  funding,     // where money comes from; owner: the way it came ("operator", "stripe")
  shortfall,   // charges that no hold covered
};
std::string_view name(AccountKind kind);

// One account of one seller's book. An account exists from its first use on, with nothing in it;
// nobody has to open it first.
struct AccountName {
  Id seller;
  AccountKind kind = AccountKind::wallet;
  ShortText<limits::account_owner_bytes_max> owner;  // empty where the book has just one

  static AccountName wallet_of(const Id& seller, const Id& tenant) {
    return {seller, AccountKind::wallet, tenant.text(kTenantPrefix)};
  }
  static AccountName sales_of(const Id& seller) { return {seller, AccountKind::sales, {}}; }
  static AccountName cost_of(const Id& seller) { return {seller, AccountKind::cost, {}}; }
  static AccountName shortfall_of(const Id& seller) { return {seller, AccountKind::shortfall, {}}; }
  static AccountName payable_to(const Id& seller, std::string_view provider) {
    return {seller, AccountKind::payable, provider};
  }
  static AccountName funding_from(const Id& seller, std::string_view source) {
    return {seller, AccountKind::funding, source};
  }
  bool operator==(const AccountName&) const = default;
};

struct Account {
  static constexpr std::string_view currency = "USD";

  AccountName name;
  Money posted;        // the balance: lifetime_in - lifetime_out
  Money held;          // of that, promised to open holds
  Money floor;         // a wallet's posted - held never goes below; a credit limit is negative
  Money lifetime_in;   // all credits ever
  Money lifetime_out;  // all debits ever
  Money available() const { return posted - held - floor; }
};

// A spending limit that has no money of its own: what it counts is held and spent together with
// the wallet. The period is any text that is new when counting starts anew ("2026-11-21").
struct BudgetName {
  std::string name;
  std::string period;
  bool operator==(const BudgetName&) const = default;
};

struct Budget {
  BudgetName name;
  Money spent;
  Money held;
};

// ---- holds

enum class HoldKind : uint8_t {
  request = 1,  // ends with its process: posted at its last mark, or voided, at the next start
  task,         // stays open over restarts until somebody resolves it
};

// One amount per wallet of a hold, in the hold's order. A single Money is the first wallet's.
struct Amounts : SmallList<Money, limits::hold_wallets_max> {
  using SmallList::SmallList;
  Amounts(Money first) { push_back(first); }
};

using Digest = std::array<uint8_t, 32>;

struct WalletClaim {
  AccountName wallet;
  Money amount;  // 0 or more
};

struct BudgetClaim {
  BudgetName budget;
  Money limit;  // spent + held of the budget, this hold included, stay within it
  // Wall time after which nobody asks for this budget any more, so that it may be forgotten a day
  // later; 0 keeps it for good.
  int64_t keep_until_ms = 0;
};

struct HoldRequest {
  Id request;
  Id tenant;  // for the record: who asks, with which key
  Id key;
  HoldKind kind = HoldKind::request;
  // Who pays first; then the agents on the way, each in the book of the seller above. One at
  // least, limits::hold_wallets_max at most.
  std::vector<WalletClaim> wallets;
  std::vector<BudgetClaim> budgets;  // counted at the first wallet's amount
  std::optional<Digest> idempotency;
};

// Why a hold, or a larger one, was refused.
struct HoldRefusal {
  enum class Reason : uint8_t {
    wallet_short,  // `wallet` has less available than asked, by `short_by`
    budget_short,  // `budget` has less room than asked, by `short_by`
    digest_used,   // the idempotency digest belongs to `request`, which is open or was charged
    request_open,  // this request id has an open hold already
  };
  Reason reason = Reason::wallet_short;
  AccountName wallet;
  size_t wallet_index = 0;  // its place in the request: 0 pays, the others are agents
  BudgetName budget;
  Money short_by;
  Id request;
};

// What was used so far. Once a hold has a mark, something was relayed, and it is no longer voided
// when it is dropped or its process dies: it is posted at its mark.
struct Mark {
  Amounts metered;    // per wallet, like the hold's amounts; missing ones are 0
  int64_t units = 0;  // so far, in whatever the gateway counts
};

// A hold that is open, for those who list them.
struct OpenHoldView {
  Seq seq = 0;
  Id request;
  Id tenant;
  Id key;
  HoldKind kind = HoldKind::request;
  uint64_t epoch = 0;  // of the process that asked for it
  int64_t time_ms = 0;
  SmallList<WalletClaim, limits::hold_wallets_max> wallets;
  std::optional<Mark> mark;
};

// ---- settlements

struct PriceLine {
  ShortText<limits::meter_bytes_max> meter;  // "input", "output", "image"
  int64_t units = 0;
  Rate rate;
  SmallList<int64_t, limits::price_multipliers_max> multipliers_ppm;
  Money charge;        // units x rate x multipliers, rounded up once
  uint8_t wallet = 0;  // whose price this is: the place of the wallet in the hold
};

enum class UsageSource : uint8_t {
  reported = 1,  // by the provider
  counted,       // by the gateway, from what it relayed
  marked,        // the last mark of a hold nobody settled
};
std::string_view name(UsageSource source);

enum class Outcome : uint8_t {
  completed = 1,
  client_left,
  upstream_failed,  // after something was relayed
  cut,              // the hold was used up and could not grow
  dropped,          // nobody settled: the exchange was dropped
  recovered,        // nobody settled: the process died
};
std::string_view name(Outcome outcome);

// What a request came to. A view: post() reads it during the call, and a journal reader's one is
// valid during its visit only.
struct Settlement {
  std::span<const PriceLine> lines;  // at most price_lines_max; each exactly its own product
  Money cost;                        // owed to the provider
  std::string_view provider;         // who is owed; needed where cost is not 0
  std::string_view channel;
  std::string_view model;
  std::string_view upstream_model;
  UsageSource source = UsageSource::reported;
  Outcome outcome = Outcome::completed;
  uint16_t status = 200;    // of the answer to the client
  uint16_t flags = 0;       // the caller's own
  uint64_t generation = 0;  // of the bundle whose prices these are
};

struct Receipt {
  Seq seq = 0;
  Money charge;     // what the first wallet paid: at most its hold
  Money shortfall;  // what no hold covered, posted to the seller's shortfall account
};

enum class VoidReason : uint8_t {
  upstream_failed = 1,  // before anything was relayed
  refused,              // by policy or upstream, after the hold
  client_left,          // before anything was relayed
  no_candidate,
  dropped,    // nobody resolved it: the exchange was dropped
  recovered,  // nobody resolved it: the process died
  withdrawn,  // an operator, or the task it was for was cancelled
};
std::string_view name(VoidReason reason);

// ---- transfers

enum class TransferKind : uint8_t { credit = 1, adjustment, reversal };
std::string_view name(TransferKind kind);

struct TransferRequest {
  TransferKind kind = TransferKind::credit;
  AccountName debit;
  AccountName credit;
  Money amount;       // more than 0
  std::string id;     // the caller's own, for ever: the same id moves money once. Empty: none.
  std::string actor;  // who asked for it
  std::string memo;
  Seq reverses = 0;  // for a reversal: the transfer it takes back, in whole or in part, once
};

struct TransferReceipt {
  Seq seq = 0;
  Money amount;
  bool repeated = false;  // the id had been used for the same transfer; nothing moved now
};

struct TransferRefusal {
  enum class Reason : uint8_t {
    wallet_short,    // the debited wallet has less available, by `short_by`
    id_used,         // the id belongs to another transfer, `seq`
    not_reversible,  // `reverses` is no durable transfer the other way round, of at least this much
    reversed,        // `reverses` was taken back before, by `seq`
  };
  Reason reason = Reason::wallet_short;
  Money short_by;
  Seq seq = 0;
};

using TransferOutcome = std::variant<TransferReceipt, TransferRefusal>;

// ---- records of others

// The directory's records ride in the ledger's commits. One change replaces or, without a value,
// removes one record; those of one command happen together or not at all.
struct RecordChange {
  std::string table;
  std::string key;
  std::optional<std::string> value;
};

}  // namespace mg::ledger
