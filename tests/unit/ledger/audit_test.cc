// The audit says nothing of what is right, and survives what is broken.
#include "ledger/audit.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "unit/ledger/audit_patient.h"

using namespace mg;
using namespace mg::test;

namespace {

using Verdict = AuditReport::Verdict;

// A process that waits for a word and then audits a box so often. It is forked while this process
// has one thread: beside running threads a fork may take a lock along that nobody will ever open.
class Auditor {
 public:
  Auditor(LedgerBox& box, int times) {
    MG_ASSERT(::pipe(ends_) == 0);
    pid_ = ::fork();
    MG_ASSERT(pid_ >= 0);
    if (pid_ != 0) return;
    char word = 0;
    ::close(ends_[1]);
    if (::read(ends_[0], &word, 1) != 1) ::_exit(100);
    int unclean = 0;
    for (int i = 0; i < times; ++i) unclean += box.is_clean() ? 0 : 1;
    ::_exit(unclean);
  }
  ~Auditor() {
    for (const int end : ends_) ::close(end);
  }
  // How many of the audits did not find the books clean.
  int begin_and_wait() {
    int status = 0;
    MG_ASSERT(::write(ends_[1], "!", 1) == 1);
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  int ends_[2];
  pid_t pid_;
};

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
  std::printf("damaged files: %zu hit nothing alive, %zu violated, %zu unreadable\n", clean,
              violated, unreadable);
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
  Auditor auditor(box, 10);
  box.open_with_threads();
  box.fund(usd(100));
  constexpr int settled_max = 200'000;  // should the audits never end
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    TestLoop loop(box.clock);
    Client client(*box.ledger, loop);
    SeededRng rng(9);
    for (int i = 0; i < settled_max && !stop; ++i) {
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
  CHECK(auditor.begin_and_wait() == 0);
  stop = true;
  busy.join();
  box.close();
  CHECK(box.is_clean());
}
