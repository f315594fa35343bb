// A rich store, made once, and copies of it to be cut open: mostly with seals that are right again
// afterwards, so that only what the bytes mean is wrong.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ledger/rows.h"
#include "store/codec.h"
#include "store/txn.h"
#include "unit/ledger/ledger_box.h"

namespace mg::test {

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

inline const Rich& rich() {
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

inline AccountNumber number_of(const AccountName& name) {
  store::EnvOptions options;
  options.directory = rich().box.options.directory;
  options.access = store::Access::read_only;
  options.tables = store_tables();
  auto env = store::Env::open(options);
  MG_ASSERT(env);
  return *JournalReader(**env).account_number(name);
}

}  // namespace mg::test
