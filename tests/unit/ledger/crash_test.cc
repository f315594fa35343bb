// A process that dies at any moment: what it was told is durable is there, no request hold of it is
// open after the next start, and the books are right. MOONGATE_CRASH_CYCLES asks for more cycles.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

#include "unit/ledger/commit_seam.h"

using namespace mg;
using namespace mg::test;

namespace {

// What the child says on its pipe, each once it is true.
struct Word {
  enum What : uint8_t { ready, inside_commit, credited, held, charged, voided };
  What what;
  uint8_t id[16];
  int64_t amount;
};
static_assert(std::is_trivially_copyable_v<Word>);

class Child {
 public:
  Child(const LedgerBox& box, uint64_t seed, bool tell_inside) {
    int ends[2];
    MG_ASSERT(::pipe(ends) == 0);
    pid_ = ::fork();
    MG_ASSERT(pid_ >= 0);
    if (pid_ == 0) {
      ::close(ends[0]);
      live(box, seed, tell_inside, ends[1]);
    }
    ::close(ends[1]);
    in_ = ends[0];
  }
  ~Child() { ::close(in_); }

  bool read(Word& word) { return ::read(in_, &word, sizeof word) == sizeof word; }
  void kill() { ::kill(pid_, SIGKILL); }
  void reap() { ::waitpid(pid_, nullptr, 0); }

 private:
  static void say(int out, Word::What what, const Id& id, Money amount) {
    Word word{what, {}, amount.nanos()};
    std::memcpy(word.id, id.bytes().data(), 16);
    if (::write(out, &word, sizeof word) != sizeof word) ::_exit(1);
  }

  // Requests, several at a time, until it is killed.
  static event::Task<> requests(LedgerBox* box, uint64_t seed, int out) {
    SeededRng rng(seed);
    for (;;) {
      HoldRequest request = box->ask(nanos(static_cast<int64_t>(rng.draw() % 1000)));
      request.request = Id::make(box->clock, rng);
      if (rng.draw() % 3 == 0) request.budgets = {{{"b", "p"}, usd(1'000'000), 0}};
      HoldAwaiter asked = box->client->hold(request);
      Result<HoldOutcome> outcome = co_await asked;
      if (!outcome || !std::holds_alternative<Hold>(*outcome)) continue;
      Hold hold = std::move(std::get<Hold>(*outcome));
      if (rng.draw() % 2 == 0) {
        DurableAwaiter gate = hold.durable();
        const Result<> lasting = co_await gate;
        if (lasting) say(out, Word::held, request.request, hold.amounts()[0]);
      }
      if (rng.draw() % 3 == 0) hold.mark({nanos(5), 1});
      if (rng.draw() % 4 == 0) {
        ExtendAwaiter extending = hold.extend(nanos(3));
        const Result<ExtendOutcome> extended = co_await extending;
        (void)extended;
      }
      if (rng.draw() % 5 == 0) continue;  // dropped
      if (rng.draw() % 5 == 0) {
        ResolveAwaiter releasing = std::move(hold).release(VoidReason::refused);
        const Result<Receipt> receipt = co_await releasing;
        if (!receipt) continue;
        DurableAwaiter gate = box->client->durable(receipt->seq);
        const Result<> lasting = co_await gate;
        if (lasting) say(out, Word::voided, request.request, Money());
        continue;
      }
      const PriceLine line = LedgerBox::line_of(nanos(static_cast<int64_t>(rng.draw() % 1200)));
      Settlement settlement;
      settlement.lines = {&line, 1};
      ResolveAwaiter posting = std::move(hold).post(settlement);
      const Result<Receipt> receipt = co_await posting;
      if (!receipt) continue;
      DurableAwaiter gate = box->client->durable(receipt->seq);
      const Result<> lasting = co_await gate;
      if (lasting) say(out, Word::charged, request.request, receipt->charge);
    }
  }

  [[noreturn]] static void live(const LedgerBox& parent, uint64_t seed, bool tell_inside, int out) {
    LedgerBox box(seed, parent.dir.path());  // which removes what a killed process leaves
    box.options = parent.options;
    box.platform = parent.platform;
    box.wallet = parent.wallet;
    box.clock.jump_wall_ms(static_cast<int64_t>(seed) * 10'000);
    CommitScript script;
    if (tell_inside)
      script.inside = [&] {
        if (script.commits > 3) say(out, Word::inside_commit, Id(), Money());
      };
    use_script(box, script);
    seed % 2 == 0 ? box.open_with_threads() : box.open();
    TransferRequest credit = box.credit_of(usd(1), "credit-" + std::to_string(seed));
    const auto moved = box.loop.run(box.client->transfer(credit));
    if (moved) say(out, Word::credited, box.platform, usd(1));
    for (uint64_t i = 0; i < 6; ++i) box.loop.spawn(requests(&box, seed * 100 + i, out));
    say(out, Word::ready, Id(), Money());
    box.loop.run_until([] { return false; }, 1'000'000);
    ::_exit(2);
  }

  pid_t pid_;
  int in_;
};

struct Said {
  size_t credits = 0;
  std::map<std::string, int64_t> held;
  std::map<std::string, int64_t> charged;
  std::map<std::string, int64_t> voided;
};

// One life: kills the child at a random moment, or a random moment after a commit began.
void live_and_die(LedgerBox& box, uint64_t seed, Said& said, SeededRng& rng) {
  const bool inside = seed % 3 == 0;
  Child child(box, seed, inside);
  Word word;
  const auto note = [&said](const Word& w) {
    const std::string id(reinterpret_cast<const char*>(w.id), 16);
    if (w.what == Word::credited) ++said.credits;
    if (w.what == Word::held) said.held[id] = w.amount;
    if (w.what == Word::charged) said.charged[id] = w.amount;
    if (w.what == Word::voided) said.voided[id] = 0;
  };
  // Late enough that something has happened in most lives.
  const auto wait_for = [&](Word::What what, uint64_t times) {
    while (times > 0 && child.read(word)) {
      note(word);
      if (word.what == what) --times;
    }
  };
  if (inside) {
    wait_for(Word::inside_commit, 1 + rng.draw() % 5);
    std::this_thread::sleep_for(std::chrono::microseconds(rng.draw() % 400));
  } else {
    if (rng.draw() % 8 != 0) wait_for(Word::ready, 1);
    std::this_thread::sleep_for(std::chrono::microseconds(rng.draw() % 20'000));
  }
  child.kill();
  while (child.read(word)) note(word);
  child.reap();
}

// Everything said is in the journal.
void check_said(LedgerBox& box, const Said& said) {
  std::map<std::string, int64_t> held, charged, voided;
  size_t credits = 0;
  REQUIRE(box.ledger->journal().each(1, [&](const Entry& entry) {
    if (const auto* opened = std::get_if<HoldOpened>(&entry.record))
      held[std::string(opened->request.bytes())] = opened->wallets[0].amount.nanos();
    if (const auto* posted = std::get_if<HoldPosted>(&entry.record)) {
      const std::string id(posted->request.bytes());
      CHECK(!charged.contains(id));  // once
      charged[id] = posted->wallets[0].paid.nanos();
    }
    if (const auto* gone = std::get_if<HoldVoided>(&entry.record))
      voided[std::string(gone->request.bytes())] = 0;
    if (const auto* moved = std::get_if<Transferred>(&entry.record); moved && !moved->id.empty())
      ++credits;
    return true;
  }));
  CHECK(credits >= said.credits);
  size_t lost = 0;
  for (const auto& [id, amount] : said.held)
    if (!held.contains(id)) ++lost;
  for (const auto& [id, amount] : said.charged)
    if (!charged.contains(id) || charged[id] != amount) ++lost;
  for (const auto& [id, amount] : said.voided)
    if (!voided.contains(id)) ++lost;
  CHECK(lost == 0);
}

}  // namespace

TEST_CASE("killed at any moment, nothing acknowledged is lost and no hold stays open") {
  const char* asked = std::getenv("MOONGATE_CRASH_CYCLES");
  const uint64_t cycles = asked ? std::stoull(asked) : 60;
  LedgerBox box;
  box.options.replay_records_goal = 40;
  SeededRng rng(2026);
  Said said;
  size_t posted_at_start = 0, voided_at_start = 0, inside = 0;
  for (uint64_t cycle = 1; cycle <= cycles; ++cycle) {
    live_and_die(box, cycle, said, rng);
    if (cycle % 3 == 0) ++inside;
    if (!std::filesystem::exists(box.options.directory + "/data.mdb")) continue;
    INFO("cycle " << cycle);
    const AuditReport before = box.audited();
    INFO(before.json());
    // A process may die before its first commit.
    REQUIRE((before.verdict == AuditReport::Verdict::clean || before.last == 0));
    box.options.wrap_commits = nullptr;
    box.open();
    const LedgerStatus status = box.ledger->status();
    posted_at_start += status.holds_posted_at_start;
    voided_at_start += status.holds_voided_at_start;
    CHECK(box.loop.run(box.client->open_holds())->empty());
    CHECK(box.account().held == Money());
    if (cycle % 10 == 0 || cycle == cycles) check_said(box, said);
    box.close();
  }
  CHECK(box.is_clean());
  CHECK(said.charged.size() > cycles);
  std::printf(
      "crashes: %zu cycles, %zu inside a commit; %zu holds, %zu charges, %zu voids acknowledged, 0 "
      "lost; at start %zu posted at their mark, %zu voided\n",
      static_cast<size_t>(cycles), inside, said.held.size(), said.charged.size(),
      said.voided.size(), posted_at_start, voided_at_start);
}
