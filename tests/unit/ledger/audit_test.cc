// The audit must find what is wrong and say nothing of what is right. One rich store is made once;
// each case damages a copy of it in its own way, mostly with seals that are right again.
#include "ledger/audit.h"

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "ledger/rows.h"
#include "store/codec.h"
#include "store/txn.h"
#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

using Verdict = AuditReport::Verdict;

// What stands where in the store made below.
struct Rich {
  Rich() {
    box.options.replay_records_goal = 6;
    box.open();
    agent = box.id();
    customer = AccountName::wallet_of(agent, box.tenant);
    agent_wallet = AccountName::wallet_of(box.platform, agent);
    credit = receipt(box.credit_of(usd(50), "order-1"));
    box.fund(customer, usd(50));
    box.fund(agent_wallet, usd(50));
    TransferRequest adjust = box.credit_of(usd(5), "adjust-1");
    adjust.kind = TransferKind::adjustment;
    adjustment = receipt(adjust);
    TransferRequest back = box.credit_of(usd(2), "refund-1");
    std::swap(back.debit, back.credit);
    back.kind = TransferKind::reversal;
    back.reverses = credit;
    reversal = receipt(back);
    REQUIRE(box.loop.run(box.client->set_floor(box.wallet, usd(-1))));
    REQUIRE(box.loop.run(box.client->put("key", "k1", "v1")));
    REQUIRE(box.loop.run(box.client->put("key", "k2", "v2")));
    REQUIRE(box.loop.run(box.client->erase("key", "k2")));
    for (int i = 0; i < 8; ++i) chain(i);
    short_charge();
    HoldRequest request = box.ask(usd(3));
    request.kind = HoldKind::task;
    request.budgets = {{{"key", "d1"}, usd(40), 0}};
    Hold task = box.admitted(request);
    task.keep();
    task_hold = task.seq();
    Hold died = box.admitted(usd(1));
    died.mark({nanos(500), 1});
    Hold unmarked = box.admitted(usd(1));
    for (int i = 0; i < 6; ++i) box.fund(usd(1));  // rows follow
    box.driver.reset();
    { const Hold a = std::move(task), b = std::move(died), c = std::move(unmarked); }
    box.crash();
    box.open();
    boot = box.ledger->status().ordered - 2;
    for (int i = 0; i < 3; ++i) chain(i);
    last = box.ledger->status().ordered;
    REQUIRE(box.durable(last));
    box.close();
  }

  Seq receipt(const TransferRequest& request) {
    const auto outcome = box.loop.run(box.client->transfer(request));
    MG_ASSERT(outcome && std::holds_alternative<TransferReceipt>(*outcome));
    return std::get<TransferReceipt>(*outcome).seq;
  }

  // One settled request over two books, with a budget, a digest, a mark and an extension.
  void chain(int i) {
    HoldRequest request = box.ask(usd(2));
    request.wallets.clear();
    request.wallets.push_back({customer, usd(2)});
    request.wallets.push_back({agent_wallet, usd(1)});
    request.budgets = {{{"key", "d1"}, usd(40), 0}};
    if (i % 4 == 0) {
      request.idempotency.emplace();
      std::memcpy(request.idempotency->data(), request.request.bytes().data(), 16);
    }
    Hold hold = box.admitted(request);
    hold_seq = hold.seq();
    hold.mark({nanos(100), 1});
    const auto grown = box.extend(hold, nanos(1000));
    MG_ASSERT(grown);
    extend_seq = std::get<Extended>(*grown).seq;
    PriceLine lines[] = {LedgerBox::line_of(usd(1), 0), LedgerBox::line_of(nanos(700'000'000), 1)};
    Settlement settlement;
    settlement.lines = lines;
    settlement.cost = nanos(400'000'000);
    settlement.provider = "openai";
    const std::string model = "model-" + std::to_string(i);
    settlement.model = model;
    const auto posted = box.post(std::move(hold), settlement);
    MG_ASSERT(posted);
    post_seq = posted->seq;
    REQUIRE(box.release(box.admitted(nanos(i))));
  }
  void short_charge() {
    HoldRequest request = box.ask(nanos(1));
    request.wallets[0].wallet = AccountName::wallet_of(box.platform, box.id());
    box.fund(request.wallets[0].wallet, nanos(5));
    const auto posted = box.post(box.admitted(request), nanos(9));
    MG_ASSERT(posted && posted->shortfall == nanos(4));
    short_seq = posted->seq;
  }

  LedgerBox box;
  Id agent;
  AccountName customer, agent_wallet;
  Seq credit = 0, adjustment = 0, reversal = 0, hold_seq = 0, extend_seq = 0, post_seq = 0;
  Seq short_seq = 0, task_hold = 0, boot = 0, last = 0;
};

const Rich& rich() {
  static const Rich made;
  return made;
}

// A copy of the store, to be cut open.
class Patient {
 public:
  Patient() {
    std::filesystem::copy(rich().box.options.directory, dir / "ledger",
                          std::filesystem::copy_options::recursive);
    options.directory = dir / "ledger";
    std::filesystem::remove(options.directory + "/lock.mdb");
  }

  void cut(const std::function<void(store::WriteTxn&, store::Env&)>& knife) {
    store::EnvOptions store_options;
    store_options.directory = options.directory;
    store_options.tables = store_tables();
    auto env = store::Env::open(store_options);
    MG_ASSERT(env);
    auto txn = store::WriteTxn::begin(**env);
    MG_ASSERT(txn);
    knife(*txn, **env);
    MG_ASSERT(std::move(*txn).commit());
  }
  // Rewrites one record, decoded and encoded again.
  template <class R>
  void rewrite(Seq seq, const std::function<void(R&)>& change) {
    cut([&](store::WriteTxn& txn, store::Env& env) {
      const store::Table journal = env.table("journal");
      const std::string bytes(**txn.get(journal, store::NumberKey(seq)));
      EntryScratch scratch;
      auto entry = decode(seq, bytes, scratch);
      MG_ASSERT(entry);
      R& record = std::get<R>(entry->record);
      change(record);
      std::string out;
      if constexpr (std::is_same_v<R, HoldPosted>) {
        std::string settled;
        encode_settlement(settled, record.settlement);
        encode(out, entry->time_ms, record, settled);
      } else {
        encode(out, entry->time_ms, record);
      }
      MG_ASSERT(txn.put(journal, store::NumberKey(seq), out));
    });
  }
  void set_bytes(std::string_view table, std::string_view key,
                 const std::function<void(std::string&)>& change) {
    cut([&](store::WriteTxn& txn, store::Env& env) {
      std::string bytes(**txn.get(env.table(table), key));
      change(bytes);
      MG_ASSERT(txn.put(env.table(table), key, bytes));
    });
  }
  void erase(std::string_view table, std::string_view key) {
    cut([&](store::WriteTxn& txn, store::Env& env) {
      const auto was_there = txn.erase(env.table(table), key);
      MG_ASSERT(was_there && *was_there);
    });
  }
  // The first key of a table.
  std::string first_key(std::string_view table) {
    store::EnvOptions store_options;
    store_options.directory = options.directory;
    store_options.access = store::Access::read_only;
    store_options.tables = store_tables();
    auto env = store::Env::open(store_options);
    auto txn = store::ReadTxn::begin(**env);
    auto cursor = txn->cursor((*env)->table(table));
    const auto there = cursor->first();
    MG_ASSERT(there && *there);
    return std::string(cursor->key());
  }

  AuditReport audited(AuditDepth depth = AuditDepth::full) {
    options.depth = depth;
    const auto report = audit(options);
    MG_ASSERT(report);
    return *report;
  }
  bool finds(uint8_t rule, Seq seq = 0) {
    const AuditReport report = audited();
    for (const AuditViolation& violation : report.list)
      if (violation.rule == rule && (seq == 0 || violation.seq == seq)) return true;
    std::fprintf(stderr, "wanted I%d at %lu: %s\n", rule, static_cast<unsigned long>(seq),
                 report.json().c_str());
    return false;
  }

  TempDir dir{TempDir::On::memory};
  AuditOptions options;
};

template <class T>
void put_at(std::string& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <class T>
T get_at(const std::string& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The five amounts at the end of an account's row.
constexpr size_t kPosted = 40, kHeld = 32, kFloor = 24, kIn = 16, kOut = 8;

AccountNumber number_of(const AccountName& name) {
  store::EnvOptions options;
  options.directory = rich().box.options.directory;
  options.access = store::Access::read_only;
  options.tables = store_tables();
  auto env = store::Env::open(options);
  MG_ASSERT(env);
  return *JournalReader(**env).account_number(name);
}

}  // namespace

TEST_CASE("what nobody touched is clean, in full and fast") {
  Patient patient;
  const AuditReport full = patient.audited();
  INFO(full.json());
  CHECK(full.verdict == Verdict::clean);
  CHECK(full.violations == 0);
  CHECK(full.list.empty());
  CHECK(full.first == 1);
  CHECK(full.last == rich().last);
  CHECK(full.settlements == 8 + 1 + 1 + 3);
  CHECK(full.open_holds == 1);
  CHECK(full.records == 1);
  const AuditReport fast = patient.audited(AuditDepth::fast);
  INFO(fast.json());
  CHECK(fast.verdict == Verdict::clean);
  CHECK(fast.first > 1);
  CHECK(fast.accounts == full.accounts);
}

TEST_CASE("every seeded corruption is found, and named") {
  const Rich& r = rich();
  struct Case {
    const char* what;
    uint8_t rule;
    Seq seq;
    std::function<void(Patient&)> damage;
  };
  const auto account_row = [](const AccountName& name, size_t from_end) {
    return [name, from_end](Patient& p) {
      p.set_bytes("accounts", store::NumberKey(number_of(name)), [&](std::string& row) {
        const size_t at = row.size() - from_end;
        put_at(row, at, get_at<int64_t>(row, at) + 1);
      });
    };
  };
  const std::vector<Case> cases = {
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
         p.rewrite<HoldPosted>(r.post_seq,
                               [](HoldPosted& post) { post.flags |= kPostLegDropped; });
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
         p.rewrite<HoldPosted>(
             r.post_seq, [](HoldPosted& post) { post.wallets[0].released -= nanos(1); });
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
      {"a credit is more than it was", 3, 0,
       [&](Patient& p) {
         p.rewrite<Transferred>(r.credit, [](Transferred& t) { t.leg.amount += usd(1); });
       }},
      {"a transfer goes to another book", 1, r.adjustment,
       [&](Patient& p) {
         p.rewrite<Transferred>(
             r.adjustment, [&](Transferred& t) { t.leg.credit = number_of(r.customer); });
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
      {"a digest's row is of another", 9, 0,
       [&](Patient& p) {
         p.set_bytes("digests", p.first_key("digests"), [](std::string& row) { row[0] ^= 1; });
       }},
      {"a digest's row is gone", 9, 0,
       [&](Patient& p) { p.erase("digests", p.first_key("digests")); }},
      {"a directory record is edited", 22, 0,
       [&](Patient& p) {
         p.set_bytes("records", record_key("key", "k1"), [](std::string& row) { row.back() = '2'; });
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
  size_t found = 0;
  for (const Case& each : cases) {
    INFO(each.what);
    Patient patient;
    each.damage(patient);
    const AuditReport report = patient.audited();
    CHECK(report.verdict == Verdict::violated);
    const bool named = patient.finds(each.rule, each.seq);
    CHECK(named);
    if (each.seq != 0) CHECK(report.first_broken <= each.seq);
    if (named) ++found;
  }
  std::printf("seeded corruptions: %zu of %zu found\n", found, cases.size());
}

TEST_CASE("every flipped byte of a record or row is found") {
  // Values as they stand in the file, seals included: flipped wherever they stand.
  std::vector<std::string> values;
  {
    store::EnvOptions options;
    options.directory = rich().box.options.directory;
    options.access = store::Access::read_only;
    options.tables = store_tables();
    auto env = store::Env::open(options);
    REQUIRE(env);
    auto txn = store::ReadTxn::begin(**env);
    for (const std::string_view table : store_tables()) {
      auto cursor = txn->cursor((*env)->table(table));
      auto there = cursor->first();
      while (there && *there) {
        values.push_back(store::sealed(cursor->key(), cursor->value()));
        there = cursor->next();
      }
    }
  }
  SeededRng rng(5);
  size_t flips = 0, found = 0;
  for (const std::string& value : values) {
    Patient patient;
    const std::string path = patient.options.directory + "/data.mdb";
    std::string file = read_whole(path);
    const size_t at = rng.draw() % value.size();
    size_t places = 0;
    for (size_t i = file.find(value); i != std::string::npos; i = file.find(value, i + 1)) {
      file[i + at] = static_cast<char>(file[i + at] ^ (1 << (rng.draw() % 8)));
      ++places;
    }
    if (places == 0) continue;  // it spans pages
    write_whole(path, file);
    ++flips;
    if (patient.audited().verdict != Verdict::clean) ++found;
  }
  CHECK(flips > values.size() / 2);
  CHECK(found == flips);
  std::printf("flipped bytes: %zu of %zu found\n", found, flips);
}

TEST_CASE("a damaged file is a finding, never our crash") {
  SeededRng rng(11);
  size_t clean = 0, violated = 0, unreadable = 0;
  const std::string whole = read_whole(rich().box.options.directory + "/data.mdb");
  for (int i = 0; i < 120; ++i) {
    Patient patient;
    const std::string path = patient.options.directory + "/data.mdb";
    std::string file = whole;
    switch (i % 3) {
      case 0: {
        const size_t at = rng.draw() % file.size();
        file[at] = static_cast<char>(file[at] ^ (1 << (rng.draw() % 8)));
        break;
      }
      case 1:
        file.replace((rng.draw() % (file.size() / 512)) * 512, 512, std::string(512, '\0'));
        break;
      default:
        file.resize(rng.draw() % file.size());
        break;
    }
    write_whole(path, file);
    const AuditReport report = patient.audited();
    if (report.verdict == Verdict::clean) ++clean;
    if (report.verdict == Verdict::violated) ++violated;
    if (report.verdict == Verdict::unreadable) {
      ++unreadable;
      CHECK(!report.unreadable_why.empty());
    }
  }
  CHECK(violated > 0);
  CHECK(unreadable > 0);
  std::printf("damaged files: %zu hit nothing alive, %zu violated, %zu unreadable\n", clean, violated,
              unreadable);
}

TEST_CASE("an audit needs a store") {
  const TempDir dir;
  AuditOptions options;
  options.directory = dir / "nowhere";
  CHECK(audit(options).error().code == Errc::not_found);
}

TEST_CASE("an empty store is clean") {
  LedgerBox box;
  box.open();
  CHECK(box.is_clean());
  CHECK(box.audited().last == 1);
}

TEST_CASE("a report is one JSON object, with no more violations than it may name") {
  Patient patient;
  patient.cut([&](store::WriteTxn& txn, store::Env& env) {
    for (size_t i = 0; i < limits::audit_violations_max + 5; ++i)
      MG_ASSERT(txn.put(env.table("records"), record_key("t", std::to_string(i)), "12345678x"));
  });
  const AuditReport report = patient.audited();
  CHECK(report.violations == limits::audit_violations_max + 5);
  CHECK(report.list.size() == limits::audit_violations_max);
  const std::string json = report.json();
  CHECK(json.find("{\"verdict\":\"violated\",") == 0);
  CHECK(json.find("\"rule\":\"I22\"") != std::string::npos);
  CHECK(json.find('\n') == std::string::npos);
}

TEST_CASE("an audit beside a running ledger sees one moment") {
  LedgerBox box;
  box.options.replay_records_goal = 20;
  box.open_with_threads();
  box.fund(usd(100));
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    TestLoop loop(box.clock);
    Client client(*box.ledger, loop);
    SeededRng rng(9);
    while (!stop) {
      HoldRequest request = box.ask(nanos(5));
      request.request = Id::make(box.clock, rng);
      auto outcome = loop.run(LedgerBox::holding(&client, request));
      MG_ASSERT(outcome && std::holds_alternative<Hold>(*outcome));
      const PriceLine line = LedgerBox::line_of(nanos(2));
      Settlement settlement;
      settlement.lines = {&line, 1};
      const auto receipt =
          loop.run(LedgerBox::posting(std::move(std::get<Hold>(*outcome)), &settlement));
      MG_ASSERT(receipt);
    }
  });
  for (int i = 0; i < 10; ++i) CHECK(box.is_clean());
  stop = true;
  busy.join();
  box.close();
  CHECK(box.is_clean());
}
