#include "base/bytes.h"
#include "ledger/journal.h"

namespace mg::ledger {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T number() {
    if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(bytes_.number<uint8_t>());
    } else {
      return bytes_.number<T>();
    }
  }
  // An enum with values from 1 to `last`.
  template <class T>
  T one_of(T last) {
    const auto value = bytes_.number<uint8_t>();
    if (value < 1 || value > static_cast<uint8_t>(last)) good_ = false;
    return static_cast<T>(value);
  }
  Money money() { return Money::nanos(bytes_.number<int64_t>()); }
  Id id() {
    const std::string_view raw = bytes_.raw(Id::kBytes);
    return raw.size() == Id::kBytes ? Id::from_bytes(raw) : Id();
  }
  std::string_view text() { return bytes_.text(); }
  std::string_view raw(size_t n) { return bytes_.raw(n); }
  size_t count(size_t max) {
    const size_t n = bytes_.number<uint8_t>();
    if (n > max) good_ = false;
    return good() ? n : 0;
  }
  template <size_t kMax>
  ShortText<kMax> short_text(std::string_view text) {
    if (!ShortText<kMax>::fits(text)) {
      good_ = false;
      return {};
    }
    return ShortText<kMax>(text);
  }
  WalletShares shares() {
    WalletShares out;
    for (size_t n = count(out.max()); n > 0; --n) {
      const auto account = number<AccountNumber>();
      out.push_back({account, money()});
    }
    return out;
  }
  BudgetNumbers budgets() {
    BudgetNumbers out;
    for (size_t n = count(out.max()); n > 0; --n) out.push_back(number<BudgetNumber>());
    return out;
  }
  Leg leg() {
    Leg out;
    out.debit = number<AccountNumber>();
    out.credit = number<AccountNumber>();
    out.amount = money();
    out.debit_previous = number<Seq>();
    out.credit_previous = number<Seq>();
    return out;
  }
  std::string_view rest(size_t total) { return bytes_.raw(total); }

  bool good() const { return good_ && bytes_.good(); }
  bool complete() const { return good_ && bytes_.complete(); }
  void spoil() { good_ = false; }

 private:
  ByteReader bytes_;
  bool good_ = true;
};

Mark read_mark(Reader& r) {
  Mark mark;
  for (size_t n = r.count(mark.metered.max()); n > 0; --n) mark.metered.push_back(r.money());
  mark.units = r.number<int64_t>();
  return mark;
}

Record read_account_opened(Reader& r) {
  AccountOpened out;
  out.account = r.number<AccountNumber>();
  out.name.seller = r.id();
  out.name.kind = r.one_of(AccountKind::shortfall);
  out.name.owner = r.short_text<limits::account_owner_bytes_max>(r.text());
  out.floor = r.money();
  return out;
}

Record read_transferred(Reader& r) {
  Transferred out;
  out.kind = r.one_of(TransferKind::reversal);
  out.leg = r.leg();
  out.reverses = r.number<Seq>();
  out.id = r.text();
  out.actor = r.text();
  out.memo = r.text();
  return out;
}

Record read_budget_opened(Reader& r) {
  BudgetOpened out;
  out.budget = r.number<BudgetNumber>();
  out.name = r.text();
  out.period = r.text();
  out.keep_until_ms = r.number<int64_t>();
  return out;
}

Record read_hold_opened(Reader& r) {
  HoldOpened out;
  out.request = r.id();
  out.tenant = r.id();
  out.key = r.id();
  out.kind = r.one_of(HoldKind::task);
  out.epoch = r.number<uint64_t>();
  out.wallets = r.shares();
  for (size_t n = r.count(out.budgets.max()); n > 0; --n) {
    const auto budget = r.number<BudgetNumber>();
    out.budgets.push_back({budget, r.money()});
  }
  if (r.count(1) == 1) {
    out.digest.emplace();
    const std::string_view raw = r.raw(out.digest->size());
    if (raw.size() == out.digest->size())
      std::memcpy(out.digest->data(), raw.data(), out.digest->size());
  }
  return out;
}

Record read_hold_extended(Reader& r) {
  HoldExtended out;
  out.hold = r.number<Seq>();
  out.cause = r.one_of(ExtendCause::settlement);
  out.wallets = r.shares();
  out.budgets = r.budgets();
  return out;
}

Settlement read_settlement(Reader& r, EntryScratch& scratch) {
  Settlement out;
  out.source = r.one_of(UsageSource::marked);
  out.outcome = r.one_of(Outcome::recovered);
  out.status = r.number<uint16_t>();
  out.flags = r.number<uint16_t>();
  out.generation = r.number<uint64_t>();
  out.cost = r.money();
  out.provider = r.text();
  out.channel = r.text();
  out.model = r.text();
  out.upstream_model = r.text();
  scratch.lines.clear();
  for (size_t n = r.count(limits::price_lines_max); n > 0 && r.good(); --n) {
    PriceLine& line = scratch.lines.emplace_back();
    const auto meter_bytes = r.number<uint8_t>();
    line.meter = r.short_text<limits::meter_bytes_max>(r.raw(meter_bytes));
    line.wallet = r.number<uint8_t>();
    line.units = r.number<int64_t>();
    const Result<Rate> rate = Rate::picos(r.number<int64_t>());
    if (rate) {
      line.rate = *rate;
    } else {
      r.spoil();
    }
    for (size_t m = r.count(limits::price_multipliers_max); m > 0; --m)
      line.multipliers_ppm.push_back(r.number<int64_t>());
    line.charge = r.money();
  }
  out.lines = scratch.lines;
  return out;
}

Record read_hold_posted(Reader& r, EntryScratch& scratch) {
  HoldPosted out;
  out.hold = r.number<Seq>();
  out.request = r.id();
  out.tenant = r.id();
  out.key = r.id();
  out.kind = r.one_of(HoldKind::task);
  out.flags = r.number<uint16_t>();
  for (size_t n = r.count(out.wallets.max()); n > 0; --n) {
    WalletPost wallet;
    wallet.account = r.number<AccountNumber>();
    wallet.released = r.money();
    wallet.price = r.money();
    wallet.paid = r.money();
    out.wallets.push_back(wallet);
  }
  out.budgets = r.budgets();
  for (size_t n = r.count(out.legs.max()); n > 0; --n) out.legs.push_back(r.leg());
  out.settlement = read_settlement(r, scratch);
  return out;
}

Record read_hold_voided(Reader& r) {
  HoldVoided out;
  out.hold = r.number<Seq>();
  out.request = r.id();
  out.reason = r.one_of(VoidReason::withdrawn);
  out.wallets = r.shares();
  out.budgets = r.budgets();
  return out;
}

Record read_put(Reader& r, size_t size) {
  RecordPut out;
  out.table = r.text();
  out.key = r.text();
  const size_t before = 4 + sizeof(int64_t) + 4 + out.table.size() + out.key.size();
  if (r.good() && size >= before) out.value = r.raw(size - before);
  return out;
}

std::optional<Record> read_body(RecordKind kind, Reader& r, size_t size, EntryScratch& scratch) {
  switch (kind) {
    case RecordKind::boot:
      return Boot{r.number<uint64_t>()};
    case RecordKind::account_opened:
      return read_account_opened(r);
    case RecordKind::floor_set: {
      const auto account = r.number<AccountNumber>();
      return FloorSet{account, r.money()};
    }
    case RecordKind::transferred:
      return read_transferred(r);
    case RecordKind::budget_opened:
      return read_budget_opened(r);
    case RecordKind::budget_forgotten:
      return BudgetForgotten{r.number<BudgetNumber>()};
    case RecordKind::hold_opened:
      return read_hold_opened(r);
    case RecordKind::hold_extended:
      return read_hold_extended(r);
    case RecordKind::hold_marked: {
      const auto hold = r.number<Seq>();
      return HoldMarked{hold, read_mark(r)};
    }
    case RecordKind::hold_posted:
      return read_hold_posted(r, scratch);
    case RecordKind::hold_voided:
      return read_hold_voided(r);
    case RecordKind::record_put:
      return read_put(r, size);
    case RecordKind::record_erased: {
      const std::string_view table = r.text();
      return RecordErased{table, r.text()};
    }
    case RecordKind::seal:
      break;
  }
  return std::nullopt;
}

}  // namespace

Result<Entry> decode(Seq seq, std::string_view bytes, EntryScratch& scratch) {
  Reader r(bytes);
  const auto version = r.number<uint8_t>();
  const auto kind = r.number<RecordKind>();
  const auto zero = r.number<uint16_t>();
  Entry entry;
  entry.seq = seq;
  entry.time_ms = r.number<int64_t>();
  if (!r.good() || version != kRecordVersion || zero != 0)
    return fail(Errc::invalid, "record " + std::to_string(seq) + " has no known form");
  std::optional<Record> record = read_body(kind, r, bytes.size(), scratch);
  if (!record)
    return fail(Errc::invalid,
                "record " + std::to_string(seq) + " is of a kind this version " + "does not know");
  if (!r.complete())
    return fail(Errc::invalid, "record " + std::to_string(seq) + " does not say what a " +
                                   std::string(name(kind)) + " says");
  entry.record = *record;
  return entry;
}

}  // namespace mg::ledger
