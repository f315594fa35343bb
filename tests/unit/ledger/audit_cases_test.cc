// One damage per rule and more, each of which the audit must find and name.
#include <catch2/catch.hpp>
#include <functional>

#include "unit/ledger/audit_patient.h"

using namespace mg;
using namespace mg::test;

namespace {

using Verdict = AuditReport::Verdict;

struct Case {
  const char* what;
  uint8_t rule;
  Seq seq;
  std::function<void(Patient&)> damage;
};
using Cases = std::vector<Case>;

// Adds one to one of the amounts at the end of an account's row.
std::function<void(Patient&)> account_row(const AccountName& name, size_t from_end) {
  return [name, from_end](Patient& p) {
    p.set_bytes("accounts", store::NumberKey(number_of(name)), [&](std::string& row) {
      const size_t at = row.size() - from_end;
      put_at(row, at, get_at<int64_t>(row, at) + 1);
    });
  };
}

Cases settlement_cases() {
  const Rich& r = rich();
  return {
      {"a leg is dropped", 12, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) {
           auto legs = post.legs;
           post.legs.clear();
           for (size_t i = 1; i < legs.size(); ++i) post.legs.push_back(legs[i]);
         });
       }},
      {"a leg is said to be dropped and is not", 12, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) { post.flags |= kPostLegDropped; });
       }},
      {"a hold is settled twice", 6, r.last + 1,
       [&](Patient& p) {
         p.cut([&](store::WriteTxn& txn, store::Env& env) {
           const store::Table journal = env.table("journal");
           const std::string post(**txn.get(journal, store::NumberKey(r.post_seq)));
           MG_ASSERT(txn.append(journal, store::NumberKey(r.last + 1), post));
           std::string head(**txn.get(env.table("head"), kHeadKey));
           put_at<uint64_t>(head, 1, r.last + 1);
           MG_ASSERT(txn.put(env.table("head"), kHeadKey, head));
         });
       }},
      {"more is charged than held", 6, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) { post.wallets[0].paid = usd(9); });
       }},
      {"less is released than held", 6, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq,
                               [](HoldPosted& post) { post.wallets[0].released -= nanos(1); });
       }},
      {"two amounts are swapped", 12, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) {
           std::swap(post.legs[0].amount, post.legs[1].amount);
         });
       }},
      {"a line's charge is edited", 11, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) {
           const_cast<PriceLine&>(post.settlement.lines[0]).charge += nanos(1);
         });
       }},
      {"a line's rate is edited", 11, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [](HoldPosted& post) {
           const_cast<PriceLine&>(post.settlement.lines[0]).rate = *Rate::picos(1);
         });
       }},
      {"the cost is edited", 12, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq,
                               [](HoldPosted& post) { post.settlement.cost += nanos(1); });
       }},
      {"a settlement is of another request", 10, r.post_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.post_seq, [&](HoldPosted& post) { post.request = post.tenant; });
       }},
      {"a shortfall is hidden", 6, r.short_seq,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.short_seq, [&](HoldPosted& post) { post.flags = 0; });
       }},
  };
}

Cases table_cases() {
  const Rich& r = rich();
  return {
      {"the last record is gone", 16, 0,
       [&](Patient& p) { p.erase("journal", store::NumberKey(r.last)); }},
      {"a record in the middle is gone", 16, r.credit + 1,
       [&](Patient& p) { p.erase("journal", store::NumberKey(r.credit)); }},
      {"a record is older than the one before", 16, r.credit,
       [&](Patient& p) {
         p.set_bytes("journal", store::NumberKey(r.credit),
                     [](std::string& bytes) { put_at<int64_t>(bytes, 4, 1); });
       }},
      {"a balance is edited", 3, 0, account_row(r.customer, kPosted)},
      {"what is held is edited", 4, 0, account_row(r.box.wallet, kHeld)},
      {"a floor is edited", 5, 0, account_row(r.box.wallet, kFloor)},
      {"a lifetime is edited", 19, 0, account_row(r.customer, kIn)},
      {"another lifetime is edited", 19, 0, account_row(r.customer, kOut)},
      {"an account's row is gone", 18, 0,
       [&](Patient& p) { p.erase("accounts", store::NumberKey(number_of(r.customer))); }},
  };
}

Cases transfer_cases() {
  const Rich& r = rich();
  return {
      {"a credit is more than it was", 3, 0,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.credit, [](Transferred& t) { t.leg.amount += usd(1); });
       }},
      {"a transfer goes to another book", 1, r.adjustment,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.adjustment,
                                [&](Transferred& t) { t.leg.credit = number_of(r.customer); });
       }},
      {"a transfer is negative", 1, r.credit,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.credit, [](Transferred& t) { t.leg.amount = usd(-1); });
       }},
      {"a transfer's id is used again", 9, r.adjustment,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.adjustment, [](Transferred& t) { t.id = "order-1"; });
       }},
      {"a transfer's id is forgotten", 9, r.credit,
       [&](Patient& p) { p.erase("transfers", "order-1"); }},
      {"an adjustment is nobody's", 21, r.adjustment,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.adjustment, [](Transferred& t) { t.actor = ""; });
       }},
      {"a reversal takes back more than there was", 17, r.reversal,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.reversal, [](Transferred& t) { t.leg.amount = usd(51); });
       }},
      {"a history skips a record", 3, r.reversal,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.reversal, [](Transferred& t) { t.leg.debit_previous -= 1; });
       }},
  };
}

Cases hold_cases() {
  const Rich& r = rich();
  return {
      {"a hold is more than the wallet has", 5, r.hold_seq,
       [&](Patient& p) {
         p.rewrite<HoldOpened>(r.hold_seq, [](HoldOpened& h) { h.wallets[0].amount = usd(500); });
       }},
      {"a hold is over its budget", 15, r.hold_seq,
       [&](Patient& p) {
         p.rewrite<HoldOpened>(r.hold_seq, [](HoldOpened& h) { h.budgets[0].limit = usd(3); });
       }},
      {"an extension grows another hold", 6, r.extend_seq,
       [&](Patient& p) {
         p.rewrite<HoldExtended>(r.extend_seq, [](HoldExtended& e) { e.hold -= 1; });
       }},
      {"a budget's count is edited", 15, 0,
       [&](Patient& p) {
         p.set_bytes("budgets", p.first_key("budgets"), [](std::string& row) {
           put_at(row, row.size() - 16, get_at<int64_t>(row, row.size() - 16) - 1);
         });
       }},
      {"an open hold's row is edited", 4, 0,
       [&](Patient& p) {
         p.set_bytes("holds", store::NumberKey(r.task_hold), [](std::string& row) {
           const size_t at = 2 + 48 + 24 + 1 + 4;
           put_at(row, at, get_at<int64_t>(row, at) - 1);
         });
       }},
      {"an open hold's row is gone", 4, r.task_hold,
       [&](Patient& p) { p.erase("holds", store::NumberKey(r.task_hold)); }},
      {"a closed hold has a row", 4, 0,
       [&](Patient& p) {
         p.cut([&](store::WriteTxn& txn, store::Env& env) {
           const store::Table holds = env.table("holds");
           const std::string row(**txn.get(holds, store::NumberKey(r.task_hold)));
           MG_ASSERT(txn.put(holds, store::NumberKey(r.hold_seq), row));
         });
       }},
  };
}

Cases start_cases() {
  const Rich& r = rich();
  return {
      {"an epoch is skipped", 8, r.boot,
       [&](Patient& p) { p.rewrite<Boot>(r.boot, [](Boot& b) { b.epoch += 1; }); }},
      {"a request hold outlives its process", 8, 0,
       [&](Patient& p) {
         // The first record behind the boot ended a request hold; now it marks it.
         p.cut([&](store::WriteTxn& txn, store::Env& env) {
           const store::Table journal = env.table("journal");
           const std::string bytes(**txn.get(journal, store::NumberKey(r.boot + 1)));
           EntryScratch scratch;
           const auto entry = decode(r.boot + 1, bytes, scratch);
           std::string out;
           encode(out, entry->time_ms,
                  HoldMarked{std::get<HoldPosted>(entry->record).hold, Mark{nanos(1), 1}});
           MG_ASSERT(txn.put(journal, store::NumberKey(r.boot + 1), out));
         });
       }},
      {"a recovered charge is not what the mark said", 10, r.boot + 1,
       [&](Patient& p) {
         p.rewrite<HoldPosted>(r.boot + 1, [](HoldPosted& post) {
           post.wallets[0].price = post.wallets[0].paid = post.legs[0].amount = nanos(400);
         });
       }},
  };
}

Cases other_cases() {
  const Rich& r = rich();
  return {
      {"a digest's row is of another", 9, 0,
       [&](Patient& p) {
         p.set_bytes("digests", p.first_key("digests"), [](std::string& row) { row[0] ^= 1; });
       }},
      {"a digest's row is gone", 9, 0,
       [&](Patient& p) { p.erase("digests", p.first_key("digests")); }},
      {"a directory record is edited", 22, 0,
       [&](Patient& p) {
         p.set_bytes("records", record_key("key", "k1"),
                     [](std::string& row) { row.back() = '2'; });
       }},
      {"a directory record is gone", 22, 0,
       [&](Patient& p) { p.erase("records", record_key("key", "k1")); }},
      {"a directory record is nobody's", 22, 0,
       [&](Patient& p) {
         p.cut([&](store::WriteTxn& txn, store::Env& env) {
           MG_ASSERT(txn.put(env.table("records"), record_key("key", "k3"),
                             **txn.get(env.table("records"), record_key("key", "k1"))));
         });
       }},
      {"something expires", 7, r.credit,
       [&](Patient& p) {
         p.set_bytes("journal", store::NumberKey(r.credit),
                     [](std::string& bytes) { bytes[1] = 14; });
       }},
      {"a record has bytes to spare", 0, r.credit,
       [&](Patient& p) {
         p.set_bytes("journal", store::NumberKey(r.credit),
                     [](std::string& bytes) { bytes.push_back('x'); });
       }},
      {"an account nobody opened is moved", 18, r.credit,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.credit, [](Transferred& t) { t.leg.credit = 999; });
       }},
      {"a start would replay too little", 3, 0,
       [&](Patient& p) {
         p.set_bytes("head", kHeadKey,
                     [&](std::string& head) { put_at<uint64_t>(head, 9, r.last + 1); });
       }},
      {"the head is gone", 16, 0, [&](Patient& p) { p.erase("head", kHeadKey); }},
  };
}

}  // namespace

TEST_CASE("every seeded corruption is found, and named") {
  size_t found = 0, all = 0;
  for (const auto& cases : {settlement_cases(), table_cases(), transfer_cases(), hold_cases(),
                            start_cases(), other_cases()}) {
    for (const Case& each : cases) {
      INFO(each.what);
      Patient patient;
      each.damage(patient);
      const AuditReport report = patient.audited();
      CHECK(report.verdict == Verdict::violated);
      const bool named = patient.finds(each.rule, each.seq);
      CHECK(named);
      if (each.seq != 0) CHECK(report.first_broken <= each.seq);
      ++all;
      if (named) ++found;
    }
  }
  CHECK(all >= 10);
  std::printf("seeded corruptions: %zu of %zu found\n", found, all);
}
