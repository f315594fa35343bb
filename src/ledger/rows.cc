#include "ledger/rows.h"

#include "base/bytes.h"
#include "ledger/command.h"
#include "store/codec.h"
#include "store/env.h"

namespace mg::ledger {
namespace {

constexpr uint8_t kRowVersion = 1;

Error damaged(StoreTable table) {
  return {Errc::invalid, "a row of " + std::string(name(table)) + " has no known form"};
}

void write_id(ByteWriter& w, const Id& id) { w.raw(id.bytes()); }

Id read_id(ByteReader& r) {
  const std::string_view raw = r.raw(Id::kBytes);
  return raw.size() == Id::kBytes ? Id::from_bytes(raw) : Id();
}

Money read_money(ByteReader& r) { return Money::nanos(r.number<int64_t>()); }

std::string_view raw(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest read_digest_bytes(ByteReader& r) {
  Digest digest{};
  const std::string_view bytes = r.raw(digest.size());
  if (bytes.size() == digest.size()) std::memcpy(digest.data(), bytes.data(), digest.size());
  return digest;
}

}  // namespace

std::vector<std::string_view> store_tables() {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < kStoreTables; ++i) names.push_back(name(static_cast<StoreTable>(i)));
  return names;
}

store::Table table_of(store::Env& env, StoreTable table) { return env.table(name(table)); }

std::string record_key(std::string_view table, std::string_view key) {
  std::string out(table);
  out.push_back('\0');
  out.append(key);
  return out;
}

std::string head_row(const Head& head) {
  std::string out;
  ByteWriter w(out);
  w.number(kFormat);
  w.number(head.last);
  w.number(head.replay_from);
  w.number(head.next_budget);
  w.number(head.epoch);
  w.number(head.time_ms);
  return out;
}

Result<Head> read_head(std::string_view value) {
  ByteReader r(value);
  if (const auto format = r.number<uint8_t>(); format != kFormat)
    return fail(Errc::invalid, "the store has format " + std::to_string(format) +
                                   ", this program reads " + std::to_string(kFormat));
  Head head;
  head.last = r.number<Seq>();
  head.replay_from = r.number<Seq>();
  head.next_budget = r.number<BudgetNumber>();
  head.epoch = r.number<uint64_t>();
  head.time_ms = r.number<int64_t>();
  if (!r.complete()) return tl::unexpected(damaged(StoreTable::head));
  return head;
}

void put_account(CommitBatch& batch, const AccountState& state) {
  const Account& account = state.account;
  ByteWriter w(batch.begin_row(StoreTable::accounts, store::NumberKey(state.number)));
  w.number(kRowVersion);
  w.number(static_cast<uint8_t>(account.name.kind));
  w.number(kCurrencyUsd);
  write_id(w, account.name.seller);
  w.text(account.name.owner);
  w.number(state.as_of);
  w.number(state.last_entry);
  for (const Money amount :
       {account.posted, account.held, account.floor, account.lifetime_in, account.lifetime_out})
    w.number(amount.nanos());
  batch.end_row();
}

Result<AccountRow> read_account(std::string_view key, std::string_view value) {
  MG_TRY(const uint64_t number, store::number_of(key));
  ByteReader r(value);
  const auto version = r.number<uint8_t>();
  const auto kind = r.number<uint8_t>();
  const auto currency = r.number<uint8_t>();
  AccountRow row;
  row.number = static_cast<AccountNumber>(number);
  row.account.name.seller = read_id(r);
  row.account.name.kind = static_cast<AccountKind>(kind);
  const std::string_view owner = r.text();
  row.as_of = r.number<Seq>();
  row.last_entry = r.number<Seq>();
  row.account.posted = read_money(r);
  row.account.held = read_money(r);
  row.account.floor = read_money(r);
  row.account.lifetime_in = read_money(r);
  row.account.lifetime_out = read_money(r);
  if (!r.complete() || version != kRowVersion || currency != kCurrencyUsd || kind < 1 ||
      kind > static_cast<uint8_t>(AccountKind::shortfall) || number == 0 || number > UINT32_MAX ||
      owner.size() > limits::account_owner_bytes_max)
    return tl::unexpected(damaged(StoreTable::accounts));
  row.account.name.owner = owner;
  return row;
}

void put_budget(CommitBatch& batch, const BudgetState& state) {
  ByteWriter w(batch.begin_row(StoreTable::budgets, store::NumberKey(state.number)));
  w.number(kRowVersion);
  w.text(state.budget.name.name);
  w.text(state.budget.name.period);
  w.number(state.keep_until_ms);
  w.number(state.as_of);
  w.number(state.budget.spent.nanos());
  w.number(state.budget.held.nanos());
  batch.end_row();
}

Result<BudgetRow> read_budget(std::string_view key, std::string_view value) {
  MG_TRY(const uint64_t number, store::number_of(key));
  ByteReader r(value);
  const auto version = r.number<uint8_t>();
  BudgetRow row;
  row.number = static_cast<BudgetNumber>(number);
  row.budget.name.name = r.text();
  row.budget.name.period = r.text();
  row.keep_until_ms = r.number<int64_t>();
  row.as_of = r.number<Seq>();
  row.budget.spent = read_money(r);
  row.budget.held = read_money(r);
  if (!r.complete() || version != kRowVersion || number == 0 || number > UINT32_MAX)
    return tl::unexpected(damaged(StoreTable::budgets));
  return row;
}

void put_hold(CommitBatch& batch, const HoldCell& cell) {
  const OpenHold& open = cell.open;
  ByteWriter w(batch.begin_row(StoreTable::holds, store::NumberKey(open.seq)));
  w.number(kRowVersion);
  w.number(static_cast<uint8_t>(cell.request.kind));
  write_id(w, cell.request.request);
  write_id(w, cell.request.tenant);
  write_id(w, cell.request.key);
  w.number(open.epoch);
  w.number(open.time_ms);
  w.number(open.as_of);
  w.number(static_cast<uint8_t>(open.wallets.size()));
  for (const HeldWallet& wallet : open.wallets) {
    w.number(wallet.account->number);
    w.number(wallet.amount.nanos());
  }
  w.number(static_cast<uint8_t>(open.budgets.size()));
  for (const HeldBudget& budget : open.budgets) {
    w.number(budget.budget->number);
    w.number(budget.limit.nanos());
  }
  w.number(static_cast<uint8_t>(open.mark ? 1 : 0));
  if (open.mark) {
    w.number(static_cast<uint8_t>(open.mark->metered.size()));
    for (const Money amount : open.mark->metered) w.number(amount.nanos());
    w.number(open.mark->units);
  }
  w.number(static_cast<uint8_t>(cell.request.idempotency ? 1 : 0));
  if (cell.request.idempotency) w.raw(raw(*cell.request.idempotency));
  batch.end_row();
}

namespace {

bool read_hold_lists(ByteReader& r, HoldCell& cell, State& state) {
  const auto wallets = r.number<uint8_t>();
  if (wallets < 1 || wallets > limits::hold_wallets_max) return false;
  for (uint8_t i = 0; i < wallets; ++i) {
    AccountState* account = state.find(r.number<AccountNumber>());
    const Money amount = read_money(r);
    if (!account) return false;
    cell.open.wallets.push_back({account, amount});
    cell.request.wallets.push_back({account->account.name, amount});
  }
  const auto budgets = r.number<uint8_t>();
  if (budgets > limits::hold_budgets_max) return false;
  for (uint8_t i = 0; i < budgets; ++i) {
    BudgetState* budget = state.find_budget(r.number<BudgetNumber>());
    const Money limit = read_money(r);
    if (!budget) return false;
    cell.open.budgets.push_back({budget, limit});
  }
  const auto has_mark = r.number<uint8_t>();
  if (has_mark > 1) return false;
  if (has_mark == 1) {
    Mark& mark = cell.open.mark.emplace();
    const auto amounts = r.number<uint8_t>();
    if (amounts > wallets) return false;
    for (uint8_t i = 0; i < amounts; ++i) mark.metered.push_back(read_money(r));
    mark.units = r.number<int64_t>();
  }
  const auto has_digest = r.number<uint8_t>();
  if (has_digest == 1) cell.request.idempotency = read_digest_bytes(r);
  return has_digest <= 1;
}

}  // namespace

Result<std::unique_ptr<HoldCell>> read_hold(std::string_view key, std::string_view value,
                                            State& state) {
  MG_TRY(const uint64_t number, store::number_of(key));
  ByteReader r(value);
  auto cell = std::make_unique<HoldCell>();
  const auto version = r.number<uint8_t>();
  const auto kind = r.number<uint8_t>();
  cell->request.kind = static_cast<HoldKind>(kind);
  cell->request.request = read_id(r);
  cell->request.tenant = read_id(r);
  cell->request.key = read_id(r);
  cell->open.seq = number;
  cell->open.epoch = r.number<uint64_t>();
  cell->open.time_ms = r.number<int64_t>();
  cell->open.as_of = r.number<Seq>();
  cell->open.has_row = true;
  if (version != kRowVersion || kind < 1 || kind > static_cast<uint8_t>(HoldKind::task) ||
      !read_hold_lists(r, *cell, state) || !r.complete())
    return tl::unexpected(damaged(StoreTable::holds));
  return cell;
}

void put_digest(CommitBatch& batch, Seq hold, const DigestRow& row) {
  ByteWriter w(batch.begin_row(StoreTable::digests, store::NumberKey(hold)));
  w.raw(raw(row.digest));
  write_id(w, row.request);
  w.number(row.time_ms);
  batch.end_row();
}

Result<DigestRow> read_digest(std::string_view value) {
  ByteReader r(value);
  DigestRow row;
  row.digest = read_digest_bytes(r);
  row.request = read_id(r);
  row.time_ms = r.number<int64_t>();
  if (!r.complete()) return tl::unexpected(damaged(StoreTable::digests));
  return row;
}

void put_transfer(CommitBatch& batch, std::string_view id, Seq seq) {
  ByteWriter(batch.begin_row(StoreTable::transfers, id)).number(seq);
  batch.end_row();
}

Result<Seq> read_transfer(std::string_view value) {
  ByteReader r(value);
  const auto seq = r.number<Seq>();
  if (!r.complete()) return tl::unexpected(damaged(StoreTable::transfers));
  return seq;
}

void put_record(CommitBatch& batch, std::string_view key, Seq seq, std::string_view value) {
  ByteWriter w(batch.begin_row(StoreTable::records, key));
  w.number(seq);
  w.raw(value);
  batch.end_row();
}

Result<RecordRow> read_record(std::string_view value) {
  ByteReader r(value);
  RecordRow row;
  row.seq = r.number<Seq>();
  if (!r.good()) return tl::unexpected(damaged(StoreTable::records));
  row.value = value.substr(sizeof(Seq));
  return row;
}

}  // namespace mg::ledger
