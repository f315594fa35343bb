// Holds, from opening to their one end, and the price chain of a settlement.
#include "ledger/audit_proof.h"

namespace mg::ledger::proof {
namespace {

constexpr uint8_t kSales = 2, kCost = 3, kPayable = 4, kShortfall = 6;
constexpr uint8_t kRequest = 1, kTask = 2;
constexpr uint8_t kMarked = 3;  // source
constexpr uint8_t kOutcomeDropped = 5, kOutcomeRecovered = 6;
constexpr uint8_t kVoidDropped = 5, kVoidRecovered = 6, kVoidLast = 7;
constexpr uint16_t kShort = 1, kLegDropped = 2;

}  // namespace

Promise* Proof::promise(uint64_t seq, std::string_view what) {
  const auto found = promises_.find(seq);
  if (found != promises_.end()) return &found->second;
  // A fast audit has not seen the holds that began and were forgotten before it.
  if (!fast_ || seq >= report_.first)
    violate(6, seq_, std::string(what) + " hold " + std::to_string(seq) + ", which is not open");
  return nullptr;
}

std::vector<Share> Proof::shares(Bytes& b) {
  std::vector<Share> out;
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) {
    const uint32_t account = b.u32();
    out.push_back({account, b.i64()});
    if (out.back().amount < 0) violate(20, seq_, "has a share below 0");
  }
  if (out.empty() || out.size() > limits::hold_wallets_max)
    violate(6, seq_, "has " + std::to_string(out.size()) + " wallets");
  return out;
}

std::vector<uint32_t> Proof::budget_numbers(Bytes& b) {
  std::vector<uint32_t> out;
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) out.push_back(b.u32());
  return out;
}

// The wallets and budgets a record names are those of its hold, with or without the amounts.
void Proof::check_shares(const Promise& held, const std::vector<Share>& shares,
                         const std::vector<uint32_t>& budgets, std::string_view doing,
                         bool amounts) {
  bool same = held.wallets.size() == shares.size() && held.budgets.size() == budgets.size();
  for (size_t i = 0; same && i < shares.size(); ++i)
    same = held.wallets[i].account == shares[i].account &&
           (!amounts || held.wallets[i].amount == shares[i].amount);
  for (size_t i = 0; same && i < budgets.size(); ++i) same = held.budgets[i].first == budgets[i];
  if (!same) violate(6, seq_, std::string(doing) + " something else than was held");
}

void Proof::hold_opened(Bytes& b) {
  Promise held;
  held.request = b.id();
  held.tenant = b.id();
  held.key = b.id();
  held.kind = b.u8();
  held.epoch = b.u64();
  held.wallets = shares(b);
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) {
    const uint32_t number = b.u32();
    held.budgets.emplace_back(number, b.i64());
  }
  if (const uint8_t has_digest = b.u8(); has_digest == 1) {
    held.digest = std::string(b.some(32));
  } else if (has_digest != 0) {
    violate(0, seq_, "has a digest that is none");
  }
  if (b.ran_short() || held.wallets.empty()) return violate(0, seq_, "breaks off");
  if (held.kind != kRequest && held.kind != kTask) violate(0, seq_, "is a hold of no known kind");
  if (epoch_ == 0) epoch_ = held.epoch;
  if (held.epoch != epoch_)
    violate(8, seq_, "is of epoch " + std::to_string(held.epoch) + " in " + std::to_string(epoch_));
  const bool has_row = fast_ && promises_.contains(seq_);
  if (!has_row && !open_requests_.insert(held.request).second)
    violate(6, seq_, "holds for request " + hex({held.request.data(), 16}) + " once more");
  for (const Share& share : held.wallets) {
    const Book* of = book(share.account);
    if (of && of->kind != kWallet) violate(18, seq_, "holds what is no wallet");
    change_held(share.account, share.amount);
    if (of) check_floor(share.account);
  }
  for (const auto& [number, limit_nanos] : held.budgets) {
    change_budget(number, held.wallets[0].amount, 0);
    check_limit(number, limit_nanos);
  }
  if (!held.digest.empty()) {
    Use& use = digests_[held.digest];
    if (use.hold != 0 && use.time + kDayMs > time_)
      violate(9, seq_, "uses a digest that record " + std::to_string(use.hold) + " used");
    use = {seq_, held.request, time_};
  }
  if (!has_row) feels(promises_[seq_] = std::move(held), as_of(promise_as_of_, seq_));
}

void Proof::hold_extended(Bytes& b) {
  const uint64_t seq = b.u64();
  const uint8_t cause = b.u8();
  const std::vector<Share> more = shares(b);
  const std::vector<uint32_t> budgets = budget_numbers(b);
  if (b.ran_short() || more.empty()) return violate(0, seq_, "breaks off");
  if (cause < 1 || cause > 2) violate(0, seq_, "grows for no known cause");
  Promise* held = promise(seq, "grows");
  if (held) check_shares(*held, more, budgets, "grows", false);
  const bool feeling = held && feels(*held, as_of(promise_as_of_, seq));
  for (size_t i = 0; i < more.size(); ++i) {
    change_held(more[i].account, more[i].amount);
    if (feeling && i < held->wallets.size()) held->wallets[i].amount += more[i].amount;
    if (more[i].account >= 1 && more[i].account <= books_.size()) check_floor(more[i].account);
  }
  for (size_t i = 0; i < budgets.size(); ++i) {
    change_budget(budgets[i], more[0].amount, 0);
    if (held && i < held->budgets.size()) check_limit(budgets[i], held->budgets[i].second);
  }
}

void Proof::hold_marked(Bytes& b) {
  const uint64_t seq = b.u64();
  std::vector<int64_t> metered;
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) metered.push_back(b.i64());
  const int64_t units = b.i64();
  for (const int64_t amount : metered)
    if (amount < 0) violate(20, seq_, "marks less than 0");
  Promise* held = promise(seq, "marks");
  if (!held) return;
  if (metered.size() > held->wallets.size()) violate(6, seq_, "marks a wallet that is not held");
  if (!feels(*held, as_of(promise_as_of_, seq))) return;
  held->mark = std::move(metered);
  held->mark_units = units;
}

Proof::Priced Proof::settlement(Bytes& b, size_t wallets) {
  Priced out{std::vector<Wide>(wallets), 0, 0, 0, 0, {}};
  out.source = b.u8();
  out.outcome = b.u8();
  b.u16();  // the answer's status
  b.u16();  // the caller's flags
  b.u64();  // the generation
  out.cost = b.i64();
  out.provider = std::string(b.text());
  b.text();  // channel, model, upstream model
  b.text();
  b.text();
  out.lines = b.u8();
  if (out.source < 1 || out.source > kMarked || out.outcome < 1 || out.outcome > kOutcomeRecovered)
    violate(0, seq_, "has an outcome that is none");
  if (out.cost < 0) violate(11, seq_, "has a cost below 0");
  for (size_t i = 0; i < out.lines && !b.ran_short(); ++i) {
    const std::string meter(b.some(b.u8()));
    const uint8_t wallet = b.u8();
    const int64_t units = b.i64();
    const int64_t rate = b.i64();
    std::vector<int64_t> multipliers;
    for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) multipliers.push_back(b.i64());
    const int64_t charge = b.i64();
    if (b.ran_short()) break;
    const std::optional<int64_t> price = price_of(units, rate, multipliers);
    if (!price || *price != charge)
      violate(11, seq_,
              "its line " + meter + " says " + std::to_string(charge) + " and comes to " +
                  (price ? std::to_string(*price) : "nothing"));
    if (wallet >= wallets) {
      violate(11, seq_, "prices a wallet that is not held");
    } else {
      out.by_wallet[wallet] += charge;
    }
  }
  return out;
}

// The legs must be those, in that order; one that had no room may be missing, if the record says
// so.
void Proof::check_legs(const std::vector<LegSeen>& legs, const std::vector<LegSeen>& expected,
                       uint16_t flags) {
  size_t at = 0;
  size_t missing = 0;
  for (const LegSeen& want : expected) {
    const bool there = at < legs.size() && legs[at].debit == want.debit &&
                       legs[at].credit == want.credit && legs[at].amount == want.amount;
    if (there) {
      ++at;
    } else {
      ++missing;
    }
  }
  if (at != legs.size()) violate(12, seq_, "moves money its prices do not ask for");
  const bool says_dropped = (flags & kLegDropped) != 0;
  if (missing > 0 && !says_dropped) violate(12, seq_, "lacks a leg its prices ask for");
  if (missing == 0 && says_dropped) violate(12, seq_, "says it lacks a leg, and does not");
}

void Proof::release(const Promise* held, const std::vector<Share>& released,
                    const std::vector<uint32_t>& budgets, Wide spent) {
  if (held) check_shares(*held, released, budgets, "releases", true);
  for (const Share& share : released) change_held(share.account, -Wide{share.amount});
  for (const uint32_t number : budgets) change_budget(number, -Wide{released[0].amount}, spent);
}

void Proof::hold_posted(Bytes& b) {
  const uint64_t seq = b.u64();
  const Id16 request = b.id();
  const Id16 tenant = b.id();
  const Id16 key = b.id();
  const uint8_t kind = b.u8();
  const uint16_t flags = b.u16();
  std::vector<Share> released;
  std::vector<int64_t> prices, paid;
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) {
    const uint32_t account = b.u32();
    released.push_back({account, b.i64()});
    prices.push_back(b.i64());
    paid.push_back(b.i64());
  }
  const std::vector<uint32_t> budgets = budget_numbers(b);
  std::vector<LegSeen> legs;
  for (uint8_t n = b.u8(); n > 0 && !b.ran_short(); --n) legs.push_back(leg(b));
  const Priced priced = settlement(b, released.size());
  ++report_.settlements;
  if (b.ran_short() || released.empty()) return violate(0, seq_, "breaks off");

  const Promise* held = promise(seq, "settles");
  if (held && (held->request != request || held->tenant != tenant || held->key != key ||
               held->kind != kind))
    violate(10, seq_, "settles another request than its hold's");
  bool any_short = false;
  std::vector<LegSeen> expected;
  for (size_t i = 0; i < released.size(); ++i) {
    const Book* wallet = book(released[i].account);
    if (paid[i] < 0 || paid[i] > released[i].amount || paid[i] > prices[i])
      violate(6, seq_,
              "charges " + std::to_string(paid[i]) + " of a hold of " +
                  std::to_string(released[i].amount));
    any_short = any_short || paid[i] < prices[i];
    const bool marked = priced.source == kMarked && priced.lines == 0;
    if (!marked && priced.by_wallet[i] != prices[i])
      violate(11, seq_, "asks " + std::to_string(prices[i]) + ", its lines come to less or more");
    if (marked && held && priced.outcome == kOutcomeRecovered) {
      const int64_t last = held->mark && i < held->mark->size() ? (*held->mark)[i] : 0;
      if (!held->mark || last != prices[i]) violate(10, seq_, "is not what its last mark said");
    }
    if (!wallet) continue;
    const uint32_t sales = number_of(wallet->seller, kSales, "");
    if (paid[i] > 0) expected.push_back({released[i].account, sales, paid[i], 0, 0});
    const int64_t missing = prices[i] - paid[i];
    if (missing > 0)
      expected.push_back({number_of(wallet->seller, kShortfall, ""), sales, missing, 0, 0});
  }
  if (const Book* nearest = book(released.back().account); nearest && priced.cost > 0)
    expected.push_back({number_of(nearest->seller, kCost, ""),
                        number_of(nearest->seller, kPayable, priced.provider), priced.cost, 0, 0});
  if (any_short != ((flags & kShort) != 0)) violate(6, seq_, "does not say whether it fell short");
  if (priced.outcome == kOutcomeRecovered && held && held->epoch == epoch_)
    violate(8, seq_, "recovers a hold of its own process");
  if ((priced.outcome == kOutcomeDropped || priced.outcome == kOutcomeRecovered) &&
      priced.source != kMarked)
    violate(10, seq_, "was settled by nobody, and says it was counted");
  check_legs(legs, expected, flags);
  check_leg_previous(legs);
  release(held, released, budgets, paid[0]);
  for (const LegSeen& moved : legs) apply_leg(moved);
  for (const Share& share : released)
    if (share.account >= 1 && share.account <= books_.size()) check_floor(share.account);
  forget(seq, true);
}

void Proof::hold_voided(Bytes& b) {
  const uint64_t seq = b.u64();
  const Id16 request = b.id();
  const uint8_t reason = b.u8();
  const std::vector<Share> released = shares(b);
  const std::vector<uint32_t> budgets = budget_numbers(b);
  if (b.ran_short() || released.empty()) return violate(0, seq_, "breaks off");
  if (reason < 1 || reason > kVoidLast) violate(10, seq_, "is voided for no known reason");
  const Promise* held = promise(seq, "voids");
  if (held && held->request != request) violate(10, seq_, "voids another request than its hold's");
  if (held && held->mark && (reason == kVoidDropped || reason == kVoidRecovered))
    violate(10, seq_, "voids what was relayed and never settled");
  if (reason == kVoidRecovered && held && held->epoch == epoch_)
    violate(8, seq_, "recovers a hold of its own process");
  release(held, released, budgets, 0);
  forget(seq, false);
}

void Proof::forget(uint64_t hold, bool charged) {
  const auto found = promises_.find(hold);
  if (found == promises_.end()) return;
  const Promise& held = found->second;
  if (promise_as_of_.contains(hold) && !fast_)
    violate(4, seq_, "ends hold " + std::to_string(hold) + ", which has a row still");
  if (held.epoch != epoch_ && held.kind == kRequest && stale_requests_ > 0) --stale_requests_;
  open_requests_.erase(held.request);
  if (!held.digest.empty() && !charged) {
    const auto use = digests_.find(held.digest);
    if (use != digests_.end() && use->second.hold == hold) digests_.erase(use);
  }
  promises_.erase(found);
}

}  // namespace mg::ledger::proof
