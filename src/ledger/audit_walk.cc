#include "ledger/audit_walk.h"

#include <array>

#include "ledger/audit_proof.h"
#include "store/codec.h"
#include "store/env.h"
#include "store/txn.h"

namespace mg::ledger::proof {
namespace {

constexpr std::array<std::string_view, 8> kTables = {"head",  "journal", "accounts",  "budgets",
                                                     "holds", "digests", "transfers", "records"};

// A value that is not what was written is a finding, and the walk goes on behind it. Anything else
// that fails means that the store cannot be read.
class Walk {
 public:
  Walk(store::Env& env, const AuditOptions& options, AuditReport& report)
      : env_(env), proof_(report, options.depth) {}

  Result<> run() {
    MG_TRY(const uint64_t pinned, read_tables());
    if (pinned == 0) return {};
    MG_CHECK(read_journal(proof_.begin(pinned), pinned));
    proof_.end();
    return {};
  }

 private:
  template <class F>
  Result<> each(const store::ReadTxn& txn, std::string_view table, F&& use) {
    MG_TRY(store::Cursor cursor, txn.cursor(env_.table(table)));
    Result<bool> there = cursor.first();
    for (;;) {
      if (!there) {
        if (cursor.key().empty()) return tl::unexpected(std::move(there).error());
        proof_.violate(0, 0, "table " + std::string(table) + ": " + there.error().what);
      } else if (!*there) {
        return {};
      } else {
        use(cursor.key(), cursor.value());
      }
      there = cursor.next();
    }
  }

  // Keys that are numbers; another key is a finding.
  template <class F>
  Result<> each_numbered(const store::ReadTxn& txn, std::string_view table, F&& use) {
    return each(txn, table, [&](std::string_view key, std::string_view value) {
      if (const Result<uint64_t> number = store::number_of(key)) {
        use(*number, value);
      } else {
        proof_.violate(0, 0, "table " + std::string(table) + " has a key that is no number");
      }
    });
  }

  // All derived tables as of one commit, and the number of its last record.
  Result<uint64_t> read_tables() {
    MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
    MG_TRY(const uint64_t records, txn.count(env_.table("journal")));
    MG_CHECK(each(txn, "head", [&](std::string_view, std::string_view v) { proof_.head(v); }));
    using View = std::string_view;
    MG_CHECK(each_numbered(txn, "accounts", [&](uint64_t n, View v) { proof_.account_row(n, v); }));
    MG_CHECK(each_numbered(txn, "budgets", [&](uint64_t n, View v) { proof_.budget_row(n, v); }));
    MG_CHECK(each_numbered(txn, "holds", [&](uint64_t n, View v) { proof_.hold_row(n, v); }));
    MG_CHECK(each_numbered(txn, "digests", [&](uint64_t n, View v) { proof_.digest_row(n, v); }));
    MG_CHECK(each(txn, "transfers", [&](View, View v) { proof_.count_transfer_row(v); }));
    MG_CHECK(each(txn, "records", [&](View key, View v) { proof_.record_row(key, v); }));
    MG_TRY(store::Cursor cursor, txn.cursor(env_.table("journal")));
    const Result<bool> there = cursor.last();
    if (!there && cursor.key().empty()) return tl::unexpected(there.error());
    if (there && !*there) return uint64_t{0};
    MG_TRY(const uint64_t pinned, store::number_of(cursor.key()));
    if (records != pinned)
      proof_.violate(16, 0,
                     "the journal has " + std::to_string(records) + " records up to " +
                         std::to_string(pinned));
    return pinned;
  }

  Result<> read_journal(uint64_t from, uint64_t pinned) {
    while (from <= pinned) {
      MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
      let_proof_ask(txn);
      MG_TRY(store::Cursor cursor, txn.cursor(env_.table("journal")));
      Result<bool> there = cursor.seek(store::NumberKey(from));
      for (uint64_t i = 0; i < limits::records_per_read_max; ++i) {
        if (there && !*there) return {};
        if (!there && cursor.key().empty()) return tl::unexpected(std::move(there).error());
        MG_TRY(const uint64_t seq, store::number_of(cursor.key()));
        if (seq > pinned) return {};
        if (there) {
          proof_.record(seq, cursor.value());
        } else {
          proof_.damaged(seq, "is not what was written");
        }
        from = seq + 1;
        there = cursor.next();
      }
    }
    return {};
  }

  void let_proof_ask(const store::ReadTxn& txn) {
    const auto get = [this, &txn](std::string_view table,
                                  std::string_view key) -> std::optional<std::string> {
      const auto value = txn.get(env_.table(table), key);
      if (!value || !*value) return std::nullopt;
      return std::string(**value);
    };
    proof_.transfer_row = [get](std::string_view id) { return get("transfers", id); };
    proof_.journal_row = [get](uint64_t seq) { return get("journal", store::NumberKey(seq)); };
  }

  store::Env& env_;
  Proof proof_;
};

}  // namespace

AuditReport walk(const AuditOptions& options) {
  AuditReport report;
  store::EnvOptions store_options;
  store_options.directory = options.directory;
  store_options.access = store::Access::read_only;
  store_options.tables.assign(kTables.begin(), kTables.end());
  store_options.map_bytes = options.map_bytes;
  auto env = store::Env::open(store_options);
  if (!env) {
    report.unreadable_why = env.error().what;
    return report;
  }
  const Result<> done = Walk(**env, options, report).run();
  if (!done) {
    report.unreadable_why = done.error().what;
    return report;
  }
  report.verdict =
      report.violations == 0 ? AuditReport::Verdict::clean : AuditReport::Verdict::violated;
  return report;
}

}  // namespace mg::ledger::proof
