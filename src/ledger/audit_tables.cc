// The derived tables: read at one moment, held against the journal where each row says it is true.
#include <algorithm>

#include "ledger/audit_proof.h"

namespace mg::ledger::proof {
namespace {

std::string account_text(uint32_t number) { return "the row of account " + std::to_string(number); }

}  // namespace

void Proof::head(std::string_view value) {
  Bytes b(value);
  const uint8_t format = b.u8();
  head_.last = b.u64();
  head_.replay_from = b.u64();
  head_.next_budget = b.u32();
  head_.epoch = b.u64();
  head_.time = b.i64();
  head_.seen = true;
  if (format != 1 || !b.whole()) violate(0, 0, "the head row has no known form");
  if (head_.replay_from == 0 || head_.replay_from > head_.last + 1)
    violate(16, 0, "the head row lets a replay begin at " + std::to_string(head_.replay_from));
}

void Proof::account_row(uint64_t number, std::string_view value) {
  Bytes b(value);
  AccountRow row{};
  row.number = static_cast<uint32_t>(number);
  const uint8_t version = b.u8();
  row.book.kind = b.u8();
  const uint8_t currency = b.u8();
  row.book.seller = seller_of(b.id());
  row.book.owner = std::string(b.text());
  row.as_of = b.u64();
  row.book.last_entry = b.u64();
  row.book.posted = b.i64();
  row.book.held = b.i64();
  row.book.floor = b.i64();
  row.book.in = b.i64();
  row.book.out = b.i64();
  if (!b.whole() || version != 1)
    return violate(0, 0, account_text(row.number) + " has no known form");
  if (currency != 1) violate(18, 0, account_text(row.number) + " is in no known currency");
  if (row.book.in - row.book.out != row.book.posted || row.book.in < 0 || row.book.out < 0)
    violate(19, 0, account_text(row.number) + " has lifetimes that do not make its balance");
  account_as_of_[row.number] = row.as_of;
  if (!fast_) {
    account_rows_.push_back(std::move(row));
    return;
  }
  if (number != books_.size() + 1)
    return violate(18, 0, account_text(static_cast<uint32_t>(books_.size() + 1)) + " is missing");
  row.book.base = row.as_of;
  sellers_[row.book.seller].accounts[{row.book.kind, row.book.owner}] = row.number;
  books_.push_back(std::move(row.book));
  ++report_.accounts;
}

void Proof::budget_row(uint64_t number, std::string_view value) {
  Bytes b(value);
  LimitRow row{};
  row.number = static_cast<uint32_t>(number);
  const uint8_t version = b.u8();
  row.limit.name = std::string(b.text());
  row.limit.period = std::string(b.text());
  b.i64();
  row.as_of = b.u64();
  row.limit.spent = b.i64();
  row.limit.held = b.i64();
  if (!b.whole() || version != 1)
    return violate(0, 0, "the row of budget " + std::to_string(number) + " has no known form");
  limit_as_of_[row.number] = row.as_of;
  if (number >= head_.next_budget) violate(18, 0, "a budget has a number not given yet");
  if (!fast_) {
    limit_rows_.push_back(std::move(row));
    return;
  }
  row.limit.base = row.as_of;
  limits_[row.number] = std::move(row.limit);
  ++report_.budgets;
}

void Proof::hold_row(uint64_t seq, std::string_view value) {
  Bytes b(value);
  PromiseRow row{};
  row.seq = seq;
  const uint8_t version = b.u8();
  Promise& held = row.promise;
  held.kind = b.u8();
  held.request = b.id();
  held.tenant = b.id();
  held.key = b.id();
  held.epoch = b.u64();
  b.i64();  // when
  row.as_of = b.u64();
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) {
    const uint32_t account = b.u32();
    held.wallets.push_back({account, b.i64()});
  }
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) {
    const uint32_t number = b.u32();
    held.budgets.emplace_back(number, b.i64());
  }
  if (b.u8() == 1) {
    held.mark.emplace();
    for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) held.mark->push_back(b.i64());
    held.mark_units = b.i64();
  }
  if (b.u8() == 1) held.digest = std::string(b.some(32));
  if (!b.whole() || version != 1)
    return violate(0, seq, "the row of hold " + std::to_string(seq) + " has no known form");
  promise_as_of_[seq] = row.as_of;
  if (!fast_) {
    promise_rows_.push_back(std::move(row));
    return;
  }
  held.base = row.as_of;
  open_requests_.insert(held.request);
  promises_[seq] = std::move(held);
}

void Proof::digest_row(uint64_t seq, std::string_view value) {
  Bytes b(value);
  const std::string digest(b.some(32));
  Use use{seq, b.id(), 0};
  use.time = b.i64();
  if (!b.whole()) return violate(0, seq, "the row of its digest has no known form");
  digest_rows_[seq] = use;
  digest_row_bytes_[seq] = digest;
}

void Proof::count_transfer_row(std::string_view value) {
  Bytes b(value);
  const uint64_t seq = b.u64();
  if (!b.whole()) return violate(0, 0, "a row of transfers has no known form");
  if (seq == 0 || seq > head_.last) violate(9, seq, "has an id and is not there");
  ++transfer_rows_;
}

void Proof::record_row(std::string_view key, std::string_view value) {
  Bytes b(value);
  const uint64_t seq = b.u64();
  if (b.ran_short()) return violate(0, 0, "a directory record has no known form");
  const std::string_view content = b.rest();
  directory_rows_[std::string(key)] = {seq, checksum(content), content.size()};
  ++report_.records;
}

// ---- comparing

void Proof::compare_rows(uint64_t seq) {
  for (; next_account_ < account_rows_.size() && account_rows_[next_account_].as_of <= seq;
       ++next_account_)
    compare(account_rows_[next_account_]);
  for (; next_limit_ < limit_rows_.size() && limit_rows_[next_limit_].as_of <= seq; ++next_limit_)
    compare(limit_rows_[next_limit_]);
  for (; next_promise_ < promise_rows_.size() && promise_rows_[next_promise_].as_of <= seq;
       ++next_promise_)
    compare(promise_rows_[next_promise_]);
}

void Proof::compare(const AccountRow& row) {
  if (row.number < 1 || row.number > books_.size())
    return violate(18, row.as_of, account_text(row.number) + " is of no account");
  const Book& made = books_[row.number - 1];
  const Book& said = row.book;
  if (made.seller != said.seller || made.kind != said.kind || made.owner != said.owner)
    violate(18, row.as_of, account_text(row.number) + " has another name");
  if (made.posted != said.posted || made.last_entry != said.last_entry)
    violate(3, row.as_of, account_text(row.number) + " has another balance");
  if (made.held != said.held) violate(4, row.as_of, account_text(row.number) + " holds other");
  if (made.floor != said.floor)
    violate(5, row.as_of, account_text(row.number) + " has another floor");
  if (made.in != said.in || made.out != said.out)
    violate(19, row.as_of, account_text(row.number) + " has other lifetimes");
}

void Proof::compare(const LimitRow& row) {
  const auto found = limits_.find(row.number);
  const std::string name = "the row of budget " + std::to_string(row.number);
  if (found == limits_.end()) return violate(15, row.as_of, name + " is of no budget");
  const Limit& made = found->second;
  if (made.name != row.limit.name || made.period != row.limit.period)
    violate(18, row.as_of, name + " has another name");
  if (made.spent != row.limit.spent || made.held != row.limit.held)
    violate(15, row.as_of, name + " counts other");
}

void Proof::compare(const PromiseRow& row) {
  const auto found = promises_.find(row.seq);
  const std::string name = "the row of hold " + std::to_string(row.seq);
  if (found == promises_.end()) return violate(4, row.as_of, name + " is of no open hold");
  const Promise& made = found->second;
  const Promise& said = row.promise;
  const bool same = made.request == said.request && made.tenant == said.tenant &&
                    made.key == said.key && made.kind == said.kind && made.epoch == said.epoch &&
                    made.digest == said.digest && made.budgets == said.budgets &&
                    made.mark == said.mark && (!made.mark || made.mark_units == said.mark_units) &&
                    made.wallets == said.wallets;
  if (!same) violate(4, row.as_of, name + " says other than its records");
}

// ---- the end

void Proof::end() {
  report_.open_holds = promises_.size();
  if (lost_) return;
  if (seq_ != pinned_)
    violate(16, seq_, "is the last that can be read, of " + std::to_string(pinned_));
  if (time_ != INT64_MIN && head_.time != time_) violate(16, 0, "the head row has another time");
  if (epoch_ != 0 && head_.epoch != epoch_) violate(8, 0, "the head row has another epoch");
  const uint64_t epoch = head_.epoch;
  for (const auto& [seq, held] : promises_) {
    if (held.kind == 1 && held.epoch != epoch)
      violate(8, seq, "is a request hold of epoch " + std::to_string(held.epoch) + ", still open");
  }
  if (!fast_) {
    end_rows();
    end_digests();
    end_records();
  }
  end_sums();
}

// Every account and budget has a row, none is of the future, and what a row has not felt is behind
// the place where a replay begins.
void Proof::end_rows() {
  for (; next_account_ < account_rows_.size(); ++next_account_)
    violate(3, 0, account_text(account_rows_[next_account_].number) + " is of the future");
  for (; next_limit_ < limit_rows_.size(); ++next_limit_)
    violate(15, 0,
            "the row of budget " + std::to_string(limit_rows_[next_limit_].number) +
                " is of the future");
  for (; next_promise_ < promise_rows_.size(); ++next_promise_)
    violate(4, 0,
            "the row of hold " + std::to_string(promise_rows_[next_promise_].seq) +
                " is of the future");
  const auto replayed = [this](const Checked& thing) {
    return thing.unseen == 0 || thing.unseen >= head_.replay_from;
  };
  for (uint32_t number = 1; number <= books_.size(); ++number) {
    if (!account_as_of_.contains(number)) violate(18, 0, account_text(number) + " is missing");
    if (!replayed(books_[number - 1]))
      violate(3, books_[number - 1].unseen, account_text(number) + " would miss this in a replay");
  }
  for (const auto& [number, of] : limits_) {
    const std::string row = "the row of budget " + std::to_string(number);
    if (!limit_as_of_.contains(number)) violate(15, 0, row + " is missing");
    if (!replayed(of)) violate(15, of.unseen, row + " would miss this in a replay");
  }
  for (const auto& [seq, held] : promises_)
    if (!replayed(held))
      violate(4, held.unseen, "hold " + std::to_string(seq) + " would miss this in a replay");
  if (last_limit_ >= head_.next_budget) violate(18, 0, "a number of a budget would be given again");
  if (transfer_ids_ != transfer_rows_)
    violate(9, 0,
            "the table of transfer ids has " + std::to_string(transfer_rows_) + " rows for " +
                std::to_string(transfer_ids_) + " ids");
}

void Proof::end_digests() {
  std::map<uint64_t, std::string> uses;
  for (const auto& [digest, use] : digests_) uses[use.hold] = digest;
  for (const auto& [hold, row] : digest_rows_) {
    const auto use = uses.find(hold);
    // An older use of the same digest may still have its row.
    const auto newer = digests_.find(digest_row_bytes_[hold]);
    if (use == uses.end() && newer != digests_.end() && newer->second.hold > hold &&
        row.time + kDayMs <= time_)
      continue;
    if (use == uses.end() || use->second != digest_row_bytes_[hold] ||
        digests_[use->second].request != row.request || digests_[use->second].time != row.time)
      violate(9, hold, "has a row of a digest it did not use");
  }
  for (const auto& [hold, digest] : uses)
    if (digests_[digest].time + kDayMs > time_ && !digest_rows_.contains(hold))
      violate(9, hold, "used a digest that has no row");
}

void Proof::end_records() {
  for (const auto& [key, made] : directory_) {
    const auto row = directory_rows_.find(key);
    if (row == directory_rows_.end()) {
      violate(22, made.seq, "wrote a directory record that is not there");
    } else if (!(row->second == made)) {
      violate(22, made.seq, "wrote another directory record than is there");
    }
  }
  for (const auto& [key, row] : directory_rows_)
    if (!directory_.contains(key))
      violate(22, row.seq, "did not write the directory record that says so");
}

// Each book sums to zero, and what is held is what the open holds say.
void Proof::end_sums() {
  std::vector<Wide> held(books_.size() + 1);
  std::unordered_map<uint32_t, Wide> budget_held;
  for (const Book& of : books_) sellers_[of.seller].sum += of.posted;
  for (const Seller& seller : sellers_)
    if (seller.sum != 0)
      violate(2, 0, "the book of seller " + hex({seller.id.data(), 16}) + " does not sum to zero");
  for (const auto& [seq, promised] : promises_) {
    for (const Share& share : promised.wallets)
      if (share.account >= 1 && share.account <= books_.size()) held[share.account] += share.amount;
    for (const auto& [number, limit_nanos] : promised.budgets)
      budget_held[number] += promised.wallets[0].amount;
  }
  for (uint32_t number = 1; number <= books_.size(); ++number) {
    const Book& of = books_[number - 1];
    if (of.held != held[number])
      violate(4, 0, "account " + std::to_string(number) + " holds other than its open holds");
    if (of.kind == 1 && of.posted - of.held < of.floor)
      violate(5, 0, "account " + std::to_string(number) + " is below its floor");
    if (of.in - of.out != of.posted)
      violate(19, 0, "account " + std::to_string(number) + " is not what went in and out");
  }
  for (const auto& [number, of] : limits_)
    if (of.held != budget_held[number])
      violate(15, 0, "budget " + std::to_string(number) + " holds other than its open holds");
}

}  // namespace mg::ledger::proof
