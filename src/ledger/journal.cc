#include "ledger/journal.h"

#include "base/assert.h"
#include "base/bytes.h"

namespace mg::ledger {
namespace {

// Numbers as they are in memory, texts behind a 16-bit length, lists behind an 8-bit count.
class Writer {
 public:
  Writer(std::string& out, RecordKind kind, int64_t time_ms) : bytes_(out) {
    bytes_.number(kRecordVersion);
    bytes_.number(static_cast<uint8_t>(kind));
    bytes_.number(uint16_t{0});
    bytes_.number(time_ms);
  }
  explicit Writer(std::string& out) : bytes_(out) {}

  template <std::integral T>
  Writer& number(T value) {
    bytes_.number(value);
    return *this;
  }
  template <class T>
  requires std::is_enum_v<T> Writer& number(T value) {
    bytes_.number(static_cast<uint8_t>(value));
    return *this;
  }
  Writer& money(Money amount) { return number(amount.nanos()); }
  Writer& id(const Id& id) {
    bytes_.raw(id.bytes());
    return *this;
  }
  Writer& text(std::string_view text) {
    bytes_.text(text);
    return *this;
  }
  Writer& count(size_t n) {
    MG_ASSERT(n <= 255);
    return number(static_cast<uint8_t>(n));
  }
  Writer& raw(std::string_view bytes) {
    bytes_.raw(bytes);
    return *this;
  }
  Writer& shares(const WalletShares& shares) {
    count(shares.size());
    for (const WalletShare& share : shares) number(share.account).money(share.amount);
    return *this;
  }
  Writer& budgets(const BudgetNumbers& budgets) {
    count(budgets.size());
    for (const BudgetNumber budget : budgets) number(budget);
    return *this;
  }
  Writer& leg(const Leg& leg) {
    return number(leg.debit)
        .number(leg.credit)
        .money(leg.amount)
        .number(leg.debit_previous)
        .number(leg.credit_previous);
  }

 private:
  ByteWriter bytes_;
};

}  // namespace

std::string_view name(RecordKind kind) {
  switch (kind) {
    case RecordKind::boot:
      return "boot";
    case RecordKind::account_opened:
      return "account_opened";
    case RecordKind::floor_set:
      return "floor_set";
    case RecordKind::transferred:
      return "transferred";
    case RecordKind::budget_opened:
      return "budget_opened";
    case RecordKind::budget_forgotten:
      return "budget_forgotten";
    case RecordKind::hold_opened:
      return "hold_opened";
    case RecordKind::hold_extended:
      return "hold_extended";
    case RecordKind::hold_marked:
      return "hold_marked";
    case RecordKind::hold_posted:
      return "hold_posted";
    case RecordKind::hold_voided:
      return "hold_voided";
    case RecordKind::record_put:
      return "record_put";
    case RecordKind::record_erased:
      return "record_erased";
    case RecordKind::seal:
      return "seal";
  }
  return "unknown";
}

void encode(std::string& out, int64_t time_ms, const Boot& record) {
  Writer(out, RecordKind::boot, time_ms).number(record.epoch);
}

void encode(std::string& out, int64_t time_ms, const AccountOpened& record) {
  Writer(out, RecordKind::account_opened, time_ms)
      .number(record.account)
      .id(record.name.seller)
      .number(record.name.kind)
      .text(record.name.owner)
      .money(record.floor);
}

void encode(std::string& out, int64_t time_ms, const FloorSet& record) {
  Writer(out, RecordKind::floor_set, time_ms).number(record.account).money(record.floor);
}

void encode(std::string& out, int64_t time_ms, const Transferred& record) {
  Writer(out, RecordKind::transferred, time_ms)
      .number(record.kind)
      .leg(record.leg)
      .number(record.reverses)
      .text(record.id)
      .text(record.actor)
      .text(record.memo);
}

void encode(std::string& out, int64_t time_ms, const BudgetOpened& record) {
  Writer(out, RecordKind::budget_opened, time_ms)
      .number(record.budget)
      .text(record.name)
      .text(record.period)
      .number(record.keep_until_ms);
}

void encode(std::string& out, int64_t time_ms, const BudgetForgotten& record) {
  Writer(out, RecordKind::budget_forgotten, time_ms).number(record.budget);
}

void encode(std::string& out, int64_t time_ms, const HoldOpened& record) {
  Writer w(out, RecordKind::hold_opened, time_ms);
  w.id(record.request).id(record.tenant).id(record.key).number(record.kind).number(record.epoch);
  w.shares(record.wallets);
  w.count(record.budgets.size());
  for (const BudgetShare& budget : record.budgets) w.number(budget.budget).money(budget.limit);
  w.count(record.digest ? 1 : 0);
  if (record.digest)
    w.raw({reinterpret_cast<const char*>(record.digest->data()), record.digest->size()});
}

void encode(std::string& out, int64_t time_ms, const HoldExtended& record) {
  Writer(out, RecordKind::hold_extended, time_ms)
      .number(record.hold)
      .number(record.cause)
      .shares(record.wallets)
      .budgets(record.budgets);
}

void encode(std::string& out, int64_t time_ms, const HoldMarked& record) {
  Writer w(out, RecordKind::hold_marked, time_ms);
  w.number(record.hold).count(record.mark.metered.size());
  for (const Money amount : record.mark.metered) w.money(amount);
  w.number(record.mark.units);
}

void encode(std::string& out, int64_t time_ms, const HoldPosted& record,
            std::string_view settlement_bytes) {
  Writer w(out, RecordKind::hold_posted, time_ms);
  w.number(record.hold).id(record.request).id(record.tenant).id(record.key);
  w.number(record.kind).number(record.flags).count(record.wallets.size());
  for (const WalletPost& wallet : record.wallets)
    w.number(wallet.account).money(wallet.released).money(wallet.price).money(wallet.paid);
  w.budgets(record.budgets).count(record.legs.size());
  for (const Leg& leg : record.legs) w.leg(leg);
  w.raw(settlement_bytes);
}

void encode(std::string& out, int64_t time_ms, const HoldVoided& record) {
  Writer(out, RecordKind::hold_voided, time_ms)
      .number(record.hold)
      .id(record.request)
      .number(record.reason)
      .shares(record.wallets)
      .budgets(record.budgets);
}

void encode(std::string& out, int64_t time_ms, const RecordPut& record) {
  Writer(out, RecordKind::record_put, time_ms)
      .text(record.table)
      .text(record.key)
      .raw(record.value);
}

void encode(std::string& out, int64_t time_ms, const RecordErased& record) {
  Writer(out, RecordKind::record_erased, time_ms).text(record.table).text(record.key);
}

void encode_settlement(std::string& out, const Settlement& settlement) {
  Writer w(out);
  w.number(settlement.source).number(settlement.outcome);
  w.number(settlement.status).number(settlement.flags).number(settlement.generation);
  w.money(settlement.cost).text(settlement.provider).text(settlement.channel);
  w.text(settlement.model).text(settlement.upstream_model).count(settlement.lines.size());
  for (const PriceLine& line : settlement.lines) {
    w.count(line.meter.view().size()).raw(line.meter).number(line.wallet).number(line.units);
    w.number(line.rate.picos()).count(line.multipliers_ppm.size());
    for (const int64_t multiplier : line.multipliers_ppm) w.number(multiplier);
    w.money(line.charge);
  }
}

}  // namespace mg::ledger
