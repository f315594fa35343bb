// Bounds of what the ledger keeps and writes, at their edge and one past it.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "ledger/command.h"
#include "ledger/state.h"
#include "unit/ledger/commit_seam.h"

using namespace mg;
using namespace mg::test;

namespace {

Digest digest_of(uint64_t n) {
  Digest digest{};
  std::memcpy(digest.data(), &n, sizeof n);
  return digest;
}

// Sees how large the batches are.
class Watcher final : public CommitQueue {
 public:
  Watcher(size_t& most, std::unique_ptr<CommitQueue> store)
      : most_(most), store_(std::move(store)) {}
  void commit(const CommitBatch& batch, CommitDone& done) override {
    most_ = std::max(most_, batch.checkpoint_rows());
    store_->commit(batch, done);
  }

 private:
  size_t& most_;
  std::unique_ptr<CommitQueue> store_;
};

}  // namespace

TEST_CASE("digests are kept to a number; beyond it the oldest go first") {
  Digests digests;
  for (uint64_t n = 1; n <= limits::digests_max; ++n)
    digests.insert(digest_of(n), {n, Id()}, static_cast<int64_t>(n));
  std::vector<Seq> forgotten;
  const auto note = [&forgotten](Seq hold) { forgotten.push_back(hold); };
  digests.purge(0, note);
  CHECK(forgotten.empty());
  CHECK(digests.size() == limits::digests_max);
  digests.insert(digest_of(limits::digests_max + 1), {limits::digests_max + 1, Id()}, 9);
  digests.purge(0, note);
  CHECK(forgotten == std::vector<Seq>{1});
  CHECK(!digests.find(digest_of(1)));
  CHECK(digests.find(digest_of(2)));
}

TEST_CASE("digests are kept for a time") {
  Digests digests;
  digests.insert(digest_of(1), {1, Id()}, 1000);
  digests.insert(digest_of(2), {2, Id()}, 2000);
  std::vector<Seq> forgotten;
  const auto note = [&forgotten](Seq hold) { forgotten.push_back(hold); };
  digests.purge(1000 + limits::digest_keep_ms - 1, note);
  CHECK(forgotten.empty());
  digests.purge(1000 + limits::digest_keep_ms, note);
  CHECK(forgotten == std::vector<Seq>{1});
  CHECK(!digests.erase(digest_of(2), 1));
  CHECK(digests.erase(digest_of(2), 2));
  digests.insert(digest_of(2), {3, Id()}, 3000);  // asked again after it was voided
  digests.insert(digest_of(2), {2, Id()}, 2000);  // an older one met late changes nothing
  CHECK(digests.find(digest_of(2))->hold == 3);
  digests.purge(3000 + limits::digest_keep_ms, note);
  CHECK(forgotten == std::vector<Seq>{1, 3});
  CHECK(digests.size() == 0);
}

TEST_CASE("a commit moves the checkpoint by so many rows and no more") {
  LedgerBox box;
  size_t most = 0;
  box.options.replay_records_goal = 1;
  box.options.wrap_commits = [&most](std::unique_ptr<CommitQueue> store) {
    return std::make_unique<Watcher>(most, std::move(store));
  };
  box.open();
  std::vector<AccountName> wallets;
  std::vector<Task<Result<TransferOutcome>>> tasks;
  for (size_t i = 0; i < 3 * limits::dirty_accounts_per_commit; ++i)
    wallets.push_back(AccountName::wallet_of(box.platform, box.id()));
  for (const AccountName& wallet : wallets) {
    TransferRequest credit = box.credit_of(usd(1));
    credit.credit = wallet;
    tasks.push_back(box.client->transfer(credit));
    tasks.back().start();
  }
  REQUIRE(box.loop.run_until([&] { return tasks.back().done(); }));
  CHECK(most == limits::dirty_accounts_per_commit);
  CHECK(box.is_clean());
  for (int i = 0; i < 5; ++i) box.fund(usd(1));
  CHECK(most == limits::dirty_accounts_per_commit);
  CHECK(box.is_clean());
  box.crash();
  box.open();
  for (const AccountName& wallet : wallets) REQUIRE(box.account(wallet).posted == usd(1));
}

TEST_CASE("as many open holds as there are find and lose each other") {
  OpenHolds holds;
  SeededRng rng(3);
  ManualClock clock;
  std::vector<std::unique_ptr<HoldCell>> cells;
  for (Seq seq = 1; seq <= 5000; ++seq) {
    cells.push_back(std::make_unique<HoldCell>());
    cells.back()->request.request = Id::make(clock, rng);
    cells.back()->open.seq = seq;
    holds.insert(*cells.back());
  }
  CHECK(holds.size() == 5000);
  CHECK(holds.sorted().front() == cells.front().get());
  for (const auto& cell : cells) REQUIRE(holds.find(cell->request.request) == cell.get());
  for (size_t i = 0; i < cells.size(); i += 2) holds.remove(*cells[i]);
  CHECK(holds.size() == 2500);
  for (size_t i = 0; i < cells.size(); ++i)
    REQUIRE((holds.find(cells[i]->request.request) != nullptr) == (i % 2 == 1));
}

// The disk itself says no, in the middle of LMDB's own writing.
TEST_CASE("a real write error stops the money, and the next start is whole") {
  LedgerBox box;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    box.open();
    box.fund(usd(100));
    const auto size = std::filesystem::file_size(box.options.directory + "/data.mdb");
    const rlimit limit{size + 40'000, size + 40'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 100'000; ++i) {
      auto outcome = box.hold(box.ask(nanos(1)));
      if (!outcome) ::_exit(outcome.error().code == Errc::unavailable ? 0 : 3);
      Hold hold = std::move(std::get<Hold>(*outcome));
      const auto lasting = box.durable(hold.seq());
      if (!lasting) ::_exit(lasting.error().code == Errc::unavailable ? 0 : 4);
      const auto receipt = box.post(std::move(hold), nanos(1));
      if (!receipt) ::_exit(receipt.error().code == Errc::unavailable ? 0 : 5);
    }
    ::_exit(6);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(box.is_clean());
  box.open();
  CHECK(box.account().held == Money());
  CHECK(box.account().posted <= usd(100));
  box.fund(usd(1));
  CHECK(box.is_clean());
}
