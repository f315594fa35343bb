// Records of the journal and rows of the derived tables: whatever bytes stand in the store, reading
// them ends in a value or an error, and a value is written as the very bytes it was read from.
#include "base/assert.h"
#include "base/bytes.h"
#include "ledger/command.h"
#include "ledger/rows.h"
#include "store/codec.h"

using namespace mg;
using namespace mg::ledger;

namespace {

constexpr Seq kSeq = 77;

std::string encoded(const Entry& entry) {
  std::string out;
  std::visit(
      [&](const auto& record) {
        if constexpr (std::is_same_v<std::decay_t<decltype(record)>, HoldPosted>) {
          std::string settlement;
          encode_settlement(settlement, record.settlement);
          encode(out, entry.time_ms, record, settlement);
        } else {
          encode(out, entry.time_ms, record);
        }
      },
      entry.record);
  return out;
}

void check_record(std::string_view bytes) {
  EntryScratch scratch;
  const Result<Entry> entry = decode(kSeq, bytes, scratch);
  if (!entry) {
    MG_ASSERT(entry.error().code == Errc::invalid && !entry.error().what.empty());
    return;
  }
  MG_ASSERT(entry->seq == kSeq);
  MG_ASSERT(encoded(*entry) == bytes);
}

// The same bytes behind a good head, so that each kind's own fields are reached.
void check_every_kind(std::string_view bytes) {
  if (bytes.empty()) return;
  std::string record;
  ByteWriter w(record);
  w.number(kRecordVersion);
  w.number(static_cast<uint8_t>(1 + static_cast<uint8_t>(bytes[0]) %
                                        static_cast<uint8_t>(RecordKind::seal)));
  w.number(uint16_t{0});
  w.number(int64_t{1'700'000'000'000});
  check_record(record.append(bytes.substr(1)));
}

std::string_view only_value(const CommitBatch& batch) {
  MG_ASSERT(batch.rows().size() == 1);
  return batch.value(batch.rows().front());
}

void check_rows(std::string_view bytes) {
  const store::NumberKey key(kSeq);
  CommitBatch batch;
  if (const auto head = read_head(bytes)) MG_ASSERT(head_row(*head) == bytes);
  if (const auto row = read_account(key, bytes)) {
    AccountState account;
    account.number = row->number;
    account.account = row->account;
    account.as_of = row->as_of;
    account.last_entry = row->last_entry;
    put_account(batch, account);
    MG_ASSERT(only_value(batch) == bytes && batch.key(batch.rows().front()) == key.view());
    batch.clear();
  }
  if (const auto row = read_budget(key, bytes)) {
    BudgetState budget;
    budget.number = row->number;
    budget.budget = row->budget;
    budget.keep_until_ms = row->keep_until_ms;
    budget.as_of = row->as_of;
    put_budget(batch, budget);
    MG_ASSERT(only_value(batch) == bytes);
    batch.clear();
  }
  if (const auto row = read_digest(bytes)) {
    put_digest(batch, kSeq, *row);
    MG_ASSERT(only_value(batch) == bytes);
    batch.clear();
  }
  if (const auto seq = read_transfer(bytes)) {
    put_transfer(batch, "id", *seq);
    MG_ASSERT(only_value(batch) == bytes);
    batch.clear();
  }
  if (const auto row = read_record(bytes)) {
    put_record(batch, "key", row->seq, row->value);
    MG_ASSERT(only_value(batch) == bytes);
  }
}

// Accounts 1 to 3 and budgets 1 and 2 for holds to name.
struct Books {
  WalletViews views;
  State state{views};
  Books() {
    for (AccountNumber n = 1; n <= 3; ++n) {
      Account account;
      account.name.kind = AccountKind::wallet;
      account.name.owner = std::to_string(n);
      state.load_account(n, account, 1, 1);
    }
    for (BudgetNumber n = 1; n <= 2; ++n) {
      Budget budget;
      budget.name.name = std::to_string(n);
      state.load_budget(n, budget, 0, 1);
    }
  }
};

void check_hold(std::string_view bytes) {
  static Books& books = *new Books;
  const auto cell = read_hold(store::NumberKey(kSeq), bytes, books.state);
  if (!cell) return;
  CommitBatch batch;
  put_hold(batch, **cell);
  MG_ASSERT(only_value(batch) == bytes);
}

void check_keys(std::string_view bytes) {
  const auto number = store::number_of(bytes);
  MG_ASSERT(number.has_value() == (bytes.size() == 8));
  if (number) MG_ASSERT(store::NumberKey(*number).view() == bytes);
  const std::string_view key = bytes.substr(0, bytes.size() / 3);
  const std::string_view value = bytes.substr(key.size());
  if (const auto inside = store::unsealed(key, value))
    MG_ASSERT(store::sealed(key, *inside) == value);
  const std::string stored = store::sealed(key, value);
  const auto back = store::unsealed(key, stored);
  MG_ASSERT(back && *back == value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_record(bytes);
  check_every_kind(bytes);
  check_rows(bytes);
  check_hold(bytes);
  check_keys(bytes);
  return 0;
}
