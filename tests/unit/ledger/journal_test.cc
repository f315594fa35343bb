#include "ledger/journal.h"

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

// One of each kind, with everything in it that can be.
struct Samples {
  Samples() {
    LedgerBox box;
    std::string out;
    const auto add = [this](auto&& write) {
      std::string bytes;
      write(bytes);
      records.push_back(std::move(bytes));
    };
    const auto plain = [&](auto record) {
      add([&](std::string& bytes) { encode(bytes, 77, record); });
    };
    plain(Boot{3});
    plain(AccountOpened{1, box.wallet, nanos(-5)});
    plain(FloorSet{1, nanos(-7)});
    Transferred transferred;
    transferred.kind = TransferKind::reversal;
    transferred.leg = {1, 2, nanos(9), 4, 5};
    transferred.reverses = 6;
    transferred.id = "id";
    transferred.actor = "actor";
    transferred.memo = "memo";
    plain(transferred);
    plain(BudgetOpened{1, "name", "period", 88});
    plain(BudgetForgotten{1});
    const HoldOpened opened = task_hold(box);
    plain(opened);
    plain(HoldExtended{8, ExtendCause::settlement, {{1, nanos(1)}}, {1, 2}});
    Mark mark;
    mark.metered = Amounts{nanos(3), nanos(4)};
    mark.units = 5;
    plain(HoldMarked{8, mark});
    PriceLine line = LedgerBox::line_of(nanos(5));
    line.multipliers_ppm = {1, 2, 3};
    settlement.lines = lines = {line, line};
    settlement.cost = nanos(2);
    settlement.provider = "openai";
    settlement.channel = "main";
    settlement.model = "m";
    settlement.upstream_model = "um";
    settlement.source = UsageSource::counted;
    settlement.outcome = Outcome::cut;
    settlement.status = 503;
    settlement.flags = 9;
    settlement.generation = 11;
    HoldPosted posted;
    posted.hold = 8;
    posted.request = opened.request;
    posted.tenant = opened.tenant;
    posted.key = opened.key;
    posted.kind = HoldKind::task;
    posted.flags = kPostShort;
    posted.wallets = {{1, nanos(10), nanos(9), nanos(8)}};
    posted.budgets = {1};
    posted.legs = {{1, 2, nanos(8), 3, 4}};
    add([&](std::string& bytes) {
      std::string settled;
      encode_settlement(settled, settlement);
      encode(bytes, 77, posted, settled);
    });
    plain(HoldVoided{8, opened.request, VoidReason::withdrawn, {{1, nanos(10)}}, {1}});
    plain(RecordPut{"table", "key", "value"});
    plain(RecordErased{"table", "key"});
  }
  static HoldOpened task_hold(LedgerBox& box) {
    HoldOpened opened;
    opened.request = box.id();
    opened.tenant = box.id();
    opened.key = box.id();
    opened.kind = HoldKind::task;
    opened.epoch = 3;
    opened.wallets = {{1, nanos(10)}, {2, nanos(11)}};
    opened.budgets = {{1, nanos(12)}};
    opened.digest.emplace().fill(7);
    return opened;
  }
  std::vector<std::string> records;
  std::vector<PriceLine> lines;
  Settlement settlement;
};

HoldPosted posted_hold() {
  HoldPosted posted;
  posted.hold = 8;
  posted.kind = HoldKind::request;
  return posted;
}

// Writes an entry again, to see that nothing was lost on the way in.
std::string again(const Entry& entry) {
  std::string bytes;
  std::visit(
      [&](const auto& record) {
        using R = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<R, HoldPosted>) {
          std::string settled;
          encode_settlement(settled, record.settlement);
          encode(bytes, entry.time_ms, record, settled);
        } else {
          encode(bytes, entry.time_ms, record);
        }
      },
      entry.record);
  return bytes;
}

}  // namespace

TEST_CASE("every kind of record comes back as it was") {
  const Samples samples;
  CHECK(samples.records.size() == std::variant_size_v<Record>);
  EntryScratch scratch;
  for (size_t i = 0; i < samples.records.size(); ++i) {
    const auto entry = decode(42, samples.records[i], scratch);
    INFO(i);
    REQUIRE(entry);
    CHECK(entry->seq == 42);
    CHECK(entry->time_ms == 77);
    CHECK(entry->record.index() == i);
    CHECK(again(*entry) == samples.records[i]);
  }
}

TEST_CASE("a settlement keeps all it says") {
  const Samples samples;
  EntryScratch scratch;
  const auto entry = decode(1, samples.records[9], scratch);
  REQUIRE(entry);
  const Settlement& read = std::get<HoldPosted>(entry->record).settlement;
  CHECK(read.provider == "openai");
  CHECK(read.channel == "main");
  CHECK(read.model == "m");
  CHECK(read.upstream_model == "um");
  CHECK(read.cost == nanos(2));
  CHECK(read.source == UsageSource::counted);
  CHECK(read.outcome == Outcome::cut);
  CHECK(read.status == 503);
  CHECK(read.flags == 9);
  CHECK(read.generation == 11);
  REQUIRE(read.lines.size() == 2);
  CHECK(read.lines[1].multipliers_ppm.size() == 3);
  CHECK(read.lines[1].meter.view() == "request");
}

TEST_CASE("a record that is cut or followed by more is refused, at every byte") {
  const Samples samples;
  EntryScratch scratch;
  size_t refused = 0, cuts = 0;
  for (size_t i = 0; i < samples.records.size(); ++i) {
    const std::string& whole = samples.records[i];
    // The value of a directory record is all that follows: a cut one is a shorter value.
    const bool open_ended = i == 11;
    const size_t last = open_ended ? whole.size() - 5 : whole.size();
    for (size_t n = 0; n < last; ++n) {
      ++cuts;
      if (!decode(1, std::string_view(whole).substr(0, n), scratch)) ++refused;
    }
    if (!open_ended) CHECK(!decode(1, whole + "x", scratch));
  }
  CHECK(refused == cuts);
}

TEST_CASE("what this version does not know is refused") {
  const Samples samples;
  EntryScratch scratch;
  std::string bytes = samples.records[0];
  CHECK(decode(1, bytes, scratch));
  bytes[0] = 2;  // version
  CHECK(decode(1, bytes, scratch).error().code == Errc::invalid);
  bytes[0] = 1;
  bytes[2] = 1;  // zero
  CHECK(!decode(1, bytes, scratch));
  bytes[2] = 0;
  for (const uint8_t kind :
       {uint8_t{0}, static_cast<uint8_t>(RecordKind::seal), uint8_t{15}, uint8_t{255}}) {
    bytes[1] = static_cast<char>(kind);
    CHECK(!decode(1, bytes, scratch));
  }
}

TEST_CASE("random bytes never do more than fail") {
  const Samples samples;
  SeededRng rng(3);
  EntryScratch scratch;
  size_t accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string bytes = samples.records[rng.draw() % samples.records.size()];
    for (uint64_t flips = 1 + rng.draw() % 4; flips > 0; --flips)
      bytes[rng.draw() % bytes.size()] = static_cast<char>(rng.draw());
    if (decode(1, bytes, scratch)) ++accepted;
  }
  CHECK(accepted > 0);
}

TEST_CASE("kinds, reasons and outcomes have names of their own") {
  std::vector<std::string_view> names;
  for (uint8_t i = 1; i <= 14; ++i) names.push_back(name(static_cast<RecordKind>(i)));
  for (uint8_t i = 1; i <= 6; ++i) names.push_back(name(static_cast<AccountKind>(i)));
  for (uint8_t i = 1; i <= 3; ++i) names.push_back(name(static_cast<TransferKind>(i)));
  for (uint8_t i = 1; i <= 3; ++i) names.push_back(name(static_cast<UsageSource>(i)));
  for (const std::string_view n : names) CHECK(n != "unknown");
  std::sort(names.begin(), names.end());
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  for (uint8_t i = 1; i <= 6; ++i) CHECK(name(static_cast<Outcome>(i)) != "unknown");
  for (uint8_t i = 1; i <= 7; ++i) CHECK(name(static_cast<VoidReason>(i)) != "unknown");
}

TEST_CASE("a line of a price is read back with as much as it may say, and not with more") {
  Samples samples;
  PriceLine line = LedgerBox::line_of(nanos(5));
  const std::string meter(limits::meter_bytes_max, 'm');
  line.meter = meter;
  line.multipliers_ppm.clear();
  for (size_t i = 0; i < limits::price_multipliers_max; ++i) line.multipliers_ppm.push_back(7);
  samples.settlement.lines = {&line, 1};
  std::string settled, whole;
  encode_settlement(settled, samples.settlement);
  encode(whole, 77, posted_hold(), settled);
  EntryScratch scratch;
  const auto entry = decode(1, whole, scratch);
  REQUIRE(entry);
  const PriceLine& read = std::get<HoldPosted>(entry->record).settlement.lines[0];
  CHECK(read.meter.view() == meter);
  CHECK(read.multipliers_ppm == line.multipliers_ppm);

  // The same record with one more or one less of either, which is as whole as this one.
  const size_t meter_at = whole.find(meter);
  const size_t multipliers_at = whole.size() - sizeof(int64_t) * (1 + line.multipliers_ppm.size());
  const auto is_read = [&](size_t at, size_t bytes, int by) {
    std::string other = whole;
    if (by > 0) other.insert(at, whole, at, bytes);
    if (by < 0) other.erase(at, bytes);
    other[at - 1] = static_cast<char>(other[at - 1] + by);  // how many there are
    return decode(1, other, scratch).has_value();
  };
  CHECK(is_read(meter_at, 1, -1));
  CHECK_FALSE(is_read(meter_at, 1, 1));
  CHECK(is_read(multipliers_at, sizeof(int64_t), -1));
  CHECK_FALSE(is_read(multipliers_at, sizeof(int64_t), 1));
}
