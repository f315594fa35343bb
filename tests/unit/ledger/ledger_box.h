// A ledger in a directory of its own, driven by the test: opened, crashed and opened again.
#pragma once

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

#include "base/rng.h"
#include "ledger/audit.h"
#include "ledger/client.h"
#include "ledger/ledger.h"
#include "support/temp_dir.h"
#include "support/test_loop.h"

namespace mg::test {

using namespace mg::ledger;
using event::Task;

inline Money usd(int64_t dollars) { return Money::nanos(dollars * Money::kNanosPerUsd); }
inline Money nanos(int64_t n) { return Money::nanos(n); }

inline std::string read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}
inline void write_whole(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class LedgerBox {
 public:
  explicit LedgerBox(uint64_t seed = 1) : LedgerBox(seed, TempDir::On::memory) {}
  // `parent` is a directory or On::memory.
  template <class Parent>
  LedgerBox(uint64_t seed, const Parent& parent) : dir(parent), rng(seed) {
    options.directory = dir / "ledger";
    options.ballast_bytes = 0;
    options.disk_low_bytes = 0;
    platform = id();
    tenant = id();
    key = id();
    wallet = AccountName::wallet_of(platform, tenant);
  }
  ~LedgerBox() { close(); }

  // Fails the test when the store cannot be opened.
  void open() {
    auto opened = Ledger::open(options, clock);
    if (!opened) std::fprintf(stderr, "open: %s\n", opened.error().what.c_str());
    MG_ASSERT(opened);
    ledger = std::move(*opened);
    driver = std::make_unique<InlineLedger>(*ledger, loop);
    client = std::make_unique<Client>(*ledger, loop);
  }
  void open_with_threads() {
    auto opened = Ledger::open(options, clock);
    MG_ASSERT(opened);
    ledger = std::move(*opened);
    threads = std::make_unique<LedgerThreads>(*ledger);
    client = std::make_unique<Client>(*ledger, loop);
  }
  // In good order: what was sent is carried out.
  void close() {
    client.reset();
    if (driver) loop.turns(8);
    driver.reset();
    threads.reset();
    ledger.reset();
  }
  // Like a process that dies: nothing more is carried out. (Inline only.)
  void crash() {
    driver.reset();
    client.reset();
    ledger.reset();
  }

  Id id() { return Id::make(clock, rng); }

  TransferRequest credit_of(Money amount, std::string transfer_id = {}) {
    TransferRequest request;
    request.debit = AccountName::funding_from(platform, "operator");
    request.credit = wallet;
    request.amount = amount;
    request.id = std::move(transfer_id);
    request.actor = "tester";
    return request;
  }
  void fund(Money amount) { fund(wallet, amount); }
  void fund(const AccountName& to, Money amount) {
    TransferRequest request = credit_of(amount);
    request.debit.seller = to.seller;
    request.credit = to;
    const auto outcome = loop.run(client->transfer(request));
    MG_ASSERT(outcome && std::holds_alternative<TransferReceipt>(*outcome));
  }

  HoldRequest ask(Money amount) {
    HoldRequest request;
    request.request = id();
    request.tenant = tenant;
    request.key = key;
    request.wallets.push_back({wallet, amount});
    return request;
  }

  static Task<Result<HoldOutcome>> holding(Client* c, HoldRequest request) {
    HoldAwaiter asked = c->hold(request);
    Result<HoldOutcome> outcome = co_await asked;
    co_return outcome;
  }
  Result<HoldOutcome> hold(const HoldRequest& request) {
    return loop.run(holding(client.get(), request));
  }
  // Of a hold that must be admitted.
  Hold admitted(const HoldRequest& request) {
    auto outcome = hold(request);
    if (!outcome) std::fprintf(stderr, "hold: %s\n", outcome.error().what.c_str());
    MG_ASSERT(outcome && std::holds_alternative<Hold>(*outcome));
    return std::move(std::get<Hold>(*outcome));
  }
  Hold admitted(Money amount) { return admitted(ask(amount)); }
  // Of a hold that must be refused.
  HoldRefusal refused(const HoldRequest& request) {
    auto outcome = hold(request);
    MG_ASSERT(outcome && std::holds_alternative<HoldRefusal>(*outcome));
    return std::get<HoldRefusal>(*outcome);
  }

  static Task<Result<ExtendOutcome>> extending(Hold* hold, Amounts more) {
    ExtendAwaiter asked = hold->extend(more);
    Result<ExtendOutcome> outcome = co_await asked;
    co_return outcome;
  }
  Result<ExtendOutcome> extend(Hold& hold, const Amounts& more) {
    return loop.run(extending(&hold, more));
  }

  static Task<Result<Receipt>> posting(Hold hold, const Settlement* settlement) {
    ResolveAwaiter posted = std::move(hold).post(*settlement);
    Result<Receipt> receipt = co_await posted;
    co_return receipt;
  }
  Result<Receipt> post(Hold hold, const Settlement& settlement) {
    return loop.run(posting(std::move(hold), &settlement));
  }
  // One line of `amount` nanos for the first wallet.
  Result<Receipt> post(Hold hold, Money amount) {
    const PriceLine line = line_of(amount);
    Settlement settlement;
    settlement.lines = {&line, 1};
    return post(std::move(hold), settlement);
  }
  static PriceLine line_of(Money amount, uint8_t wallet_index = 0) {
    PriceLine line;
    line.meter = "request";
    line.units = 1;
    line.rate = *Rate::picos(amount.nanos());
    line.multipliers_ppm = {1000 * kPpmOne};
    line.charge = amount;
    line.wallet = wallet_index;
    return line;
  }

  static Task<Result<Receipt>> releasing(Hold hold, VoidReason reason) {
    ResolveAwaiter released = std::move(hold).release(reason);
    Result<Receipt> receipt = co_await released;
    co_return receipt;
  }
  Result<Receipt> release(Hold hold, VoidReason reason = VoidReason::refused) {
    return loop.run(releasing(std::move(hold), reason));
  }

  static Task<Result<>> waiting(Client* c, Seq seq) {
    DurableAwaiter gate = c->durable(seq);
    const Result<> lasting = co_await gate;
    co_return lasting;
  }
  Result<> durable(Seq seq) { return loop.run(waiting(client.get(), seq)); }

  // What the audit says of the store, open or not.
  AuditReport audited(AuditDepth depth = AuditDepth::full) {
    AuditOptions audit_options;
    audit_options.directory = options.directory;
    audit_options.depth = depth;
    const auto report = audit(audit_options);
    MG_ASSERT(report);
    return *report;
  }
  // Clean by both depths; prints what is not.
  bool is_clean() {
    for (const AuditDepth depth : {AuditDepth::full, AuditDepth::fast}) {
      const AuditReport report = audited(depth);
      if (report.verdict == AuditReport::Verdict::clean) continue;
      std::fprintf(stderr, "%s audit: %s\n", depth == AuditDepth::full ? "full" : "fast",
                   report.json().c_str());
      return false;
    }
    return true;
  }

  Account account(const AccountName& name) {
    const auto account = loop.run(client->account(name));
    if (!account) return Account{name, {}, {}, {}, {}, {}};
    return *account;
  }
  Account account() { return account(wallet); }

  TempDir dir;
  ManualClock clock;
  SeededRng rng;
  TestLoop loop{clock};
  LedgerOptions options;
  Id platform, tenant, key;
  AccountName wallet;
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<InlineLedger> driver;
  std::unique_ptr<LedgerThreads> threads;
  std::unique_ptr<Client> client;
};

}  // namespace mg::test
