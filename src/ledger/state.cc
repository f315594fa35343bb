#include "ledger/state.h"

#include <algorithm>

#include "ledger/command.h"

namespace mg::ledger {
namespace {

std::string budget_key(std::string_view name, std::string_view period) {
  std::string key(name);
  key.push_back('\0');
  key.append(period);
  return key;
}

}  // namespace

// ---- open holds

HoldCell* OpenHolds::find(const Id& request) const {
  HoldCell* cell = buckets_[bucket_of(request)];
  while (cell && cell->request.request != request) cell = cell->open.next_in_bucket;
  return cell;
}

void OpenHolds::insert(HoldCell& cell) {
  MG_ASSERT(!cell.open.is_open);
  if (size_ >= buckets_.size()) grow();
  HoldCell*& head = buckets_[bucket_of(cell.request.request)];
  cell.open.next_in_bucket = head;
  cell.open.is_open = true;
  head = &cell;
  ++size_;
}

void OpenHolds::remove(HoldCell& cell) {
  MG_ASSERT(cell.open.is_open);
  HoldCell** link = &buckets_[bucket_of(cell.request.request)];
  while (*link != &cell) {
    MG_ASSERT(*link);
    link = &(*link)->open.next_in_bucket;
  }
  *link = cell.open.next_in_bucket;
  cell.open.next_in_bucket = nullptr;
  cell.open.is_open = false;
  --size_;
}

void OpenHolds::grow() {
  const std::vector<HoldCell*> cells = sorted();
  buckets_.assign(buckets_.size() * 2, nullptr);
  for (HoldCell* cell : cells) {
    HoldCell*& head = buckets_[bucket_of(cell->request.request)];
    cell->open.next_in_bucket = head;
    head = cell;
  }
}

std::vector<HoldCell*> OpenHolds::sorted() const {
  std::vector<HoldCell*> cells;
  cells.reserve(size_);
  for (HoldCell* cell : buckets_)
    for (; cell; cell = cell->open.next_in_bucket) cells.push_back(cell);
  std::sort(cells.begin(), cells.end(),
            [](const HoldCell* a, const HoldCell* b) { return a->open.seq < b->open.seq; });
  return cells;
}

// ---- digests

const Digests::Use* Digests::find(const Digest& digest) const {
  const auto found = uses_.find(digest);
  return found == uses_.end() ? nullptr : &found->second;
}

void Digests::insert(const Digest& digest, const Use& use, int64_t time_ms) {
  const auto [at, is_new] = uses_.try_emplace(digest, use);
  if (!is_new) {
    if (at->second.hold >= use.hold) return;  // a replay meets what a row said already
    at->second = use;
  }
  ages_.push_back({time_ms, use.hold, digest});
}

bool Digests::erase(const Digest& digest, Seq hold) {
  const auto found = uses_.find(digest);
  if (found == uses_.end() || found->second.hold != hold) return false;
  uses_.erase(found);
  return true;
}

// ---- looking

size_t State::NameHash::operator()(const AccountName& name) const {
  const size_t owner = std::hash<std::string_view>()(name.owner.view());
  return owner ^ (std::hash<Id>()(name.seller) + static_cast<size_t>(name.kind) * 0x9e3779b9u);
}

State::~State() {
  for (HoldCell* cell : open_holds_.sorted()) {
    open_holds_.remove(*cell);
    if (!cell->open.is_attached) delete cell;
  }
}

AccountState* State::find(const AccountName& name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : *found;
}

AccountState* State::find(AccountNumber number) {
  return number >= 1 && number <= accounts_.size() ? &accounts_[number - 1] : nullptr;
}

BudgetState* State::find(const BudgetName& name) {
  const auto found = budgets_.find(budget_key(name.name, name.period));
  return found == budgets_.end() ? nullptr : found->second.get();
}

BudgetState* State::find_budget(BudgetNumber number) {
  const auto found = budgets_by_number_.find(number);
  return found == budgets_by_number_.end() ? nullptr : found->second;
}

// ---- the steps of records

// True where the thing has not felt the record yet. A record may touch a thing more than once; the
// number it has seen is then its own, which is why equality passes for things that are linked as
// changed by it.
bool State::feels(Seq seq, Dirty& thing) {
  if (thing.as_of > seq || (thing.as_of == seq && !thing.is_linked())) return false;
  thing.as_of = seq;
  if (!thing.is_linked()) {
    thing.dirty_since = seq;
    dirty_.push_back(thing);
  }
  return true;
}

void State::changed(AccountState& account) {
  if (!account.view || account.view_is_stale) return;
  account.view_is_stale = true;
  stale_views_.push_back(&account);
}

AccountState& State::open_account(Seq seq, const AccountOpened& record) {
  MG_ASSERT(record.account == accounts_.size() + 1);
  Account account;
  account.name = record.name;
  account.floor = record.floor;
  return load_account(record.account, account, seq, 0);
}

void State::set_floor(Seq seq, AccountState& account, Money floor) {
  if (!feels(seq, account)) return;
  account.account.floor = floor;
  changed(account);
}

void State::move(Seq seq, AccountState& debit, AccountState& credit, Money amount) {
  MG_ASSERT(amount > Money() && &debit != &credit);
  if (feels(seq, debit)) {
    debit.account.posted -= amount;
    debit.account.lifetime_out += amount;
    debit.last_entry = seq;
    changed(debit);
  }
  if (feels(seq, credit)) {
    credit.account.posted += amount;
    credit.account.lifetime_in += amount;
    credit.last_entry = seq;
    changed(credit);
  }
}

BudgetState& State::open_budget(Seq seq, const BudgetOpened& record) {
  Budget budget;
  budget.name = {std::string(record.name), std::string(record.period)};
  return load_budget(record.budget, budget, record.keep_until_ms, seq);
}

void State::forget_budget(BudgetState& budget) {
  MG_ASSERT(budget.budget.held.is_zero());
  budgets_by_number_.erase(budget.number);
  budgets_.erase(budget_key(budget.budget.name.name, budget.budget.name.period));
}

void State::open_hold(Seq seq, HoldCell& cell) {
  cell.open.seq = seq;
  for (const HeldWallet& wallet : cell.open.wallets) hold_more(seq, *wallet.account, wallet.amount);
  for (const HeldBudget& budget : cell.open.budgets)
    hold_more(seq, *budget.budget, cell.open.wallets[0].amount);
  MG_ASSERT(feels(seq, cell.open));
  open_holds_.insert(cell);
}

void State::hold_more(Seq seq, AccountState& account, Money amount) {
  if (!feels(seq, account)) return;
  account.account.held += amount;
  changed(account);
}

void State::hold_more(Seq seq, BudgetState& budget, Money amount) {
  if (feels(seq, budget)) budget.budget.held += amount;
}

void State::release(Seq seq, AccountState& account, Money amount) {
  if (!feels(seq, account)) return;
  MG_ASSERT(amount <= account.account.held);
  account.account.held -= amount;
  changed(account);
}

void State::release(Seq seq, BudgetState& budget, Money released, Money spent) {
  if (!feels(seq, budget)) return;
  MG_ASSERT(released <= budget.budget.held && spent <= released);
  budget.budget.held -= released;
  budget.budget.spent += spent;
}

void State::grow_hold(Seq seq, HoldCell& cell, size_t wallet, Money amount) {
  if (feels(seq, cell.open)) cell.open.wallets[wallet].amount += amount;
}

void State::set_mark(Seq seq, HoldCell& cell, const Mark& mark) {
  if (feels(seq, cell.open)) cell.open.mark = mark;
}

void State::close_hold(HoldCell& cell) {
  open_holds_.remove(cell);
  cell.open.unlink();
}

// ---- loading

AccountState& State::load_account(AccountNumber number, const Account& account, Seq as_of,
                                  Seq last_entry) {
  MG_ASSERT(number == accounts_.size() + 1);
  AccountState& state = accounts_.emplace_back();
  state.number = number;
  state.account = account;
  state.as_of = as_of;
  state.last_entry = last_entry;
  MG_ASSERT(by_name_.insert(&state).second);
  if (account.name.kind == AccountKind::wallet) {
    state.view = views_.of(account.name);
    changed(state);
  }
  return state;
}

BudgetState& State::load_budget(BudgetNumber number, const Budget& budget, int64_t keep_until_ms,
                                Seq as_of) {
  auto owned = std::make_unique<BudgetState>();
  BudgetState& state = *owned;
  state.number = number;
  state.budget = budget;
  state.keep_until_ms = keep_until_ms;
  state.as_of = as_of;
  MG_ASSERT(budgets_by_number_.emplace(number, &state).second);
  MG_ASSERT(
      budgets_.emplace(budget_key(budget.name.name, budget.name.period), std::move(owned)).second);
  set_next_budget(number + 1);
  return state;
}

void State::load_hold(std::unique_ptr<HoldCell> cell) { open_holds_.insert(*cell.release()); }

// ---- the checkpoint

Seq State::replay_from(Seq last) {
  if (dirty_.empty()) return last + 1;
  return static_cast<Dirty*>(dirty_.front())->dirty_since;
}

void State::refresh_views() {
  for (AccountState* account : stale_views_) {
    account->view_is_stale = false;
    account->view->posted_.store(account->account.posted.nanos(), std::memory_order_relaxed);
    account->view->available_.store(account->account.available().nanos(),
                                    std::memory_order_relaxed);
  }
  stale_views_.clear();
}

}  // namespace mg::ledger
