// Accounts, transfers, budgets, starts, records of others.
#include "ledger/audit_proof.h"

namespace mg::ledger::proof {
namespace {

// As they stand in the journal; written down here once more, on purpose.
enum Kind : uint8_t {
  kBoot = 1,
  kAccountOpened = 2,
  kFloorSet = 3,
  kTransferred = 4,
  kBudgetOpened = 5,
  kBudgetForgotten = 6,
  kHoldOpened = 7,
  kHoldExtended = 8,
  kHoldMarked = 9,
  kHoldPosted = 10,
  kHoldVoided = 11,
  kRecordPut = 12,
  kRecordErased = 13,
};
constexpr uint8_t kKindLast = 6;
constexpr uint8_t kReversal = 3;
constexpr uint8_t kCredit = 1;
constexpr Wide kWrap = Wide{9'200'000'000'000'000'000};

std::string text(Wide value) {
  if (value < 0) return "-" + text(-value);
  std::string out;
  do {
    out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(value % 10)));
    value /= 10;
  } while (value != 0);
  return out;
}

}  // namespace

void Proof::violate(uint8_t rule, uint64_t seq, std::string what) {
  ++report_.violations;
  if (seq != 0 && (report_.first_broken == 0 || seq < report_.first_broken))
    report_.first_broken = seq;
  if (counts_[rule]++ < limits::audit_violations_max)
    report_.list.push_back({rule, seq, std::move(what)});
}

void Proof::damaged(uint64_t seq, const std::string& what) {
  violate(0, seq, what);
  lost_ = true;
}

uint64_t Proof::begin(uint64_t pinned) {
  pinned_ = pinned;
  if (!head_.seen) {
    violate(16, 0, "the head row is missing");
    lost_ = true;
  } else if (head_.last != pinned) {
    violate(16, 0,
            "the journal ends at " + std::to_string(pinned) + ", its head says " +
                std::to_string(head_.last));
  }
  if (fast_) {
    seq_ = head_.replay_from > 0 ? head_.replay_from - 1 : 0;
    epoch_ = 0;
    report_.first = seq_ + 1;
    return report_.first;
  }
  const auto by_as_of = [](const auto& a, const auto& b) { return a.as_of < b.as_of; };
  std::stable_sort(account_rows_.begin(), account_rows_.end(), by_as_of);
  std::stable_sort(limit_rows_.begin(), limit_rows_.end(), by_as_of);
  std::stable_sort(promise_rows_.begin(), promise_rows_.end(), by_as_of);
  report_.first = 1;
  return 1;
}

void Proof::record(uint64_t seq, std::string_view bytes) {
  if (seq != seq_ + 1) {
    violate(16, seq, "follows record " + std::to_string(seq_));
    lost_ = true;
  }
  seq_ = seq;
  report_.last = seq;
  Bytes b(bytes);
  const uint8_t version = b.u8();
  const uint8_t kind = b.u8();
  const uint16_t zero = b.u16();
  const int64_t time = b.i64();
  if (version != 1 || zero != 0 || kind < kBoot || kind > kRecordErased) {
    violate(kind > kRecordErased ? 7 : 0, seq, "is of no known kind");
    lost_ = true;
    return;
  }
  if (time < time_) violate(16, seq, "is older than the record before it");
  time_ = std::max(time_, time);
  if (lost_) return;
  check_epoch_close(kind);
  switch (kind) {
    case kBoot:
      boot(b);
      break;
    case kAccountOpened:
      account_opened(b);
      break;
    case kFloorSet:
      floor_set(b);
      break;
    case kTransferred:
      transferred(b);
      break;
    case kBudgetOpened:
      budget_opened(b);
      break;
    case kBudgetForgotten:
      budget_forgotten(b);
      break;
    case kHoldOpened:
      hold_opened(b);
      break;
    case kHoldExtended:
      hold_extended(b);
      break;
    case kHoldMarked:
      hold_marked(b);
      break;
    case kHoldPosted:
      hold_posted(b);
      break;
    case kHoldVoided:
      hold_voided(b);
      break;
    default:
      directory_changed(b, kind == kRecordErased);
      break;
  }
  if (!b.whole()) violate(0, seq, "does not end where its fields end");
  if (!fast_) compare_rows(seq);
}

// Right after a start, the request holds of the processes before it end, and nothing else happens.
void Proof::check_epoch_close(uint8_t kind) {
  if (stale_requests_ == 0) return;
  if (kind == kHoldPosted || kind == kHoldVoided || kind == kHoldExtended || kind == kAccountOpened)
    return;
  violate(8, seq_,
          std::to_string(stale_requests_) + " request holds of an earlier start are still open");
  stale_requests_ = 0;
}

void Proof::boot(Bytes& b) {
  const uint64_t epoch = b.u64();
  if (epoch == 0 || (epoch_ != 0 && epoch != epoch_ + 1) || (!fast_ && epoch_ == 0 && epoch != 1))
    violate(8, seq_, "opens epoch " + std::to_string(epoch) + " after " + std::to_string(epoch_));
  epoch_ = epoch;
  stale_requests_ = 0;
  if (fast_) return;  // its rows are of a later moment
  for (const auto& [seq, held] : promises_)
    if (held.kind == 1) ++stale_requests_;
}

// ---- accounts

Book* Proof::book(uint32_t number) {
  if (number >= 1 && number <= books_.size()) return &books_[number - 1];
  violate(18, seq_, "names account " + std::to_string(number) + ", which was never opened");
  return nullptr;
}

void Proof::account_opened(Bytes& b) {
  const uint32_t number = b.u32();
  Book opened;
  opened.seller = seller_of(b.id());
  opened.kind = b.u8();
  opened.owner = std::string(b.text());
  opened.floor = b.i64();
  if (opened.kind < 1 || opened.kind > kKindLast) violate(18, seq_, "opens an unknown kind");
  if (fast_ && number <= books_.size()) return;
  if (number != books_.size() + 1) {
    violate(18, seq_,
            "opens account " + std::to_string(number) + " after " + std::to_string(books_.size()));
    lost_ = true;
    return;
  }
  auto& accounts = sellers_[opened.seller].accounts;
  if (!accounts.emplace(std::make_pair(opened.kind, opened.owner), number).second)
    violate(18, seq_, "opens an account that is open already");
  books_.push_back(std::move(opened));
  ++report_.accounts;
}

uint32_t Proof::seller_of(const Id16& id) {
  const auto [at, is_new] = seller_places_.emplace(id, static_cast<uint32_t>(sellers_.size()));
  if (is_new) sellers_.push_back({id, {}, 0});
  return at->second;
}

uint32_t Proof::number_of(uint32_t seller, uint8_t kind, const std::string& owner) const {
  const auto& accounts = sellers_[seller].accounts;
  const auto found = accounts.find({kind, owner});
  return found == accounts.end() ? 0 : found->second;
}

void Proof::check_floor(uint32_t account) {
  if (fast_) return;  // the rows it began from are of different moments
  const Book& of = books_[account - 1];
  if (of.kind != kWallet) return;
  if (of.posted - of.held < of.floor)
    violate(5, seq_,
            "account " + std::to_string(account) + " is at " + text(of.posted - of.held) +
                ", below its floor of " + text(of.floor));
}

// Whether a change is still to be made to it; and the first one its row does not have is kept.
bool Proof::feels(Checked& thing, uint64_t row_as_of) {
  if (thing.unseen == 0 && seq_ > row_as_of) thing.unseen = seq_;
  return seq_ > thing.base;
}

void Proof::floor_set(Bytes& b) {
  const uint32_t number = b.u32();
  const int64_t floor = b.i64();
  Book* of = book(number);
  if (!of) return;
  if (of->kind != kWallet) violate(18, seq_, "gives a floor to no wallet");
  if (!feels(*of, as_of(account_as_of_, number))) return;
  of->floor = floor;
  check_floor(number);
}

void Proof::change_held(uint32_t account, Wide by) {
  Book* of = book(account);
  if (!of) return;
  if (!feels(*of, as_of(account_as_of_, account))) return;
  of->held += by;
  if (of->held < 0) violate(4, seq_, "account " + std::to_string(account) + " holds less than 0");
}

void Proof::apply_leg(const LegSeen& leg) {
  Book* debit = book(leg.debit);
  Book* credit = book(leg.credit);
  if (!debit || !credit) return;
  if (leg.amount <= 0) violate(1, seq_, "moves " + text(leg.amount));
  if (leg.debit == leg.credit) violate(1, seq_, "moves money from an account to itself");
  if (debit->seller != credit->seller) violate(1, seq_, "moves money between two books");
  if (feels(*debit, as_of(account_as_of_, leg.debit))) {
    debit->posted -= leg.amount;
    debit->out += leg.amount;
    debit->last_entry = seq_;
  }
  if (feels(*credit, as_of(account_as_of_, leg.credit))) {
    credit->posted += leg.amount;
    credit->in += leg.amount;
    credit->last_entry = seq_;
  }
  for (const Book* of : {debit, credit})
    if (of->posted > kWrap || of->posted < -kWrap || of->in > kWrap || of->out > kWrap)
      violate(20, seq_, "takes an account beyond what its numbers can say");
}

// Each leg names the record that moved its account before this one.
void Proof::check_leg_previous(const std::vector<LegSeen>& legs) {
  const auto check = [this](uint32_t account, uint64_t said) {
    if (account < 1 || account > books_.size()) return;
    const Book& of = books_[account - 1];
    if (seq_ <= of.base) return;
    if (of.last_entry != said)
      violate(3, seq_,
              "says account " + std::to_string(account) + " was last moved by " +
                  std::to_string(said) + ", it was " + std::to_string(of.last_entry));
  };
  for (const LegSeen& leg : legs) {
    check(leg.debit, leg.debit_previous);
    check(leg.credit, leg.credit_previous);
  }
}

Proof::LegSeen Proof::leg(Bytes& b) {
  LegSeen out{};
  out.debit = b.u32();
  out.credit = b.u32();
  out.amount = b.i64();
  out.debit_previous = b.u64();
  out.credit_previous = b.u64();
  return out;
}

void Proof::transferred(Bytes& b) {
  const uint8_t kind = b.u8();
  const LegSeen moved = leg(b);
  const uint64_t reverses = b.u64();
  const std::string id(b.text());
  const std::string_view actor = b.text();
  b.text();  // the memo
  ++report_.transfers;
  if (kind < kCredit || kind > kReversal) violate(0, seq_, "is a transfer of no known kind");
  if (kind != kCredit && actor.empty()) violate(21, seq_, "is a correction by nobody");
  check_leg_previous({moved});
  apply_leg(moved);
  if (moved.debit >= 1 && moved.debit <= books_.size()) check_floor(moved.debit);
  const auto claims = [&](const std::string& key, uint8_t rule) {
    ++transfer_ids_;
    const std::optional<std::string> row = transfer_row(key);
    uint64_t said = 0;
    if (row && row->size() == 8) said = Bytes(*row).u64();
    if (said != seq_)
      violate(rule, seq_, "its id belongs to record " + std::to_string(said) + " in the table");
  };
  if (!id.empty()) claims(id, 9);
  if ((kind == kReversal) != (reverses != 0)) violate(17, seq_, "is half a reversal");
  if (reverses == 0) return;
  claims(std::string(1, '\0') + "reversal " + std::to_string(reverses), 17);
  if (!reversed_.insert(reverses).second)
    violate(17, seq_, "reverses record " + std::to_string(reverses) + " once more");
  const std::optional<std::string> original =
      reverses < seq_ ? journal_row(reverses) : std::nullopt;
  Bytes o(original ? std::string_view(*original) : std::string_view());
  o.u8();
  const uint8_t original_kind = o.u8();
  o.some(10);
  const uint8_t transfer_kind = o.u8();
  const LegSeen back = leg(o);
  if (original_kind != kTransferred || transfer_kind == kReversal || back.debit != moved.credit ||
      back.credit != moved.debit || back.amount < moved.amount)
    violate(17, seq_, "does not reverse what record " + std::to_string(reverses) + " did");
}

// ---- budgets

Limit* Proof::limit(uint32_t number) {
  const auto found = limits_.find(number);
  if (found != limits_.end()) return &found->second;
  if (!fast_) violate(18, seq_, "names budget " + std::to_string(number) + ", which is not there");
  return nullptr;
}

void Proof::budget_opened(Bytes& b) {
  const uint32_t number = b.u32();
  Limit opened;
  opened.name = std::string(b.text());
  opened.period = std::string(b.text());
  b.i64();  // until when it is asked for
  if (fast_ && limits_.contains(number)) return;
  if (number <= last_limit_ && !fast_)
    violate(18, seq_,
            "opens budget " + std::to_string(number) + " after " + std::to_string(last_limit_));
  last_limit_ = std::max(last_limit_, number);
  // A fast audit has read the rows first, of which one may be a later budget of that name.
  if (!fast_ && !limit_names_.insert({opened.name, opened.period}).second)
    violate(18, seq_, "opens a budget that is open already");
  limits_[number] = std::move(opened);
  ++report_.budgets;
}

void Proof::budget_forgotten(Bytes& b) {
  const uint32_t number = b.u32();
  Limit* of = limit(number);
  if (!of) return;
  if (of->held != 0) violate(15, seq_, "forgets a budget that open holds count for");
  limit_names_.erase({of->name, of->period});
  limits_.erase(number);
  --report_.budgets;
}

void Proof::change_budget(uint32_t number, Wide held_by, Wide spent_by) {
  Limit* of = limit(number);
  if (!of) return;
  if (!feels(*of, as_of(limit_as_of_, number))) return;
  of->held += held_by;
  of->spent += spent_by;
  if (of->held < 0 || of->spent < 0)
    violate(15, seq_, "budget " + std::to_string(number) + " counts less than 0");
}

void Proof::check_limit(uint32_t number, int64_t limit_nanos) {
  const Limit* of = limit(number);
  if (!of || fast_) return;
  if (of->spent + of->held > limit_nanos)
    violate(15, seq_,
            "budget " + std::to_string(number) + " is at " + text(of->spent + of->held) + " of " +
                text(limit_nanos));
}

// ---- records of others

void Proof::directory_changed(Bytes& b, bool erased) {
  std::string key(b.text());
  if (key.empty() || key.find('\0') != std::string::npos) violate(18, seq_, "names no table");
  key.push_back('\0');
  const std::string_view name = b.text();
  if (name.empty()) violate(18, seq_, "names no record");
  key.append(name);
  if (erased) {
    directory_.erase(key);
    return;
  }
  const std::string_view value = b.rest();
  directory_[key] = {seq_, checksum(value), value.size()};
}

}  // namespace mg::ledger::proof
