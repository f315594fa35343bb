#include "ledger/disk.h"

#include <catch2/catch.hpp>

#include "unit/ledger/ledger_box.h"

using namespace mg;
using namespace mg::test;

namespace {

class FakeSpace final : public FreeSpace {
 public:
  Result<uint64_t> free_bytes(const std::string&) override {
    if (blind) return fail(Errc::io, "cannot see");
    return bytes.load();
  }
  std::atomic<uint64_t> bytes{1000 * limits::MiB};
  std::atomic<bool> blind{false};
};

struct LowDisk {
  LowDisk() {
    box.options.free_space = &space;
    box.options.disk_low_bytes = 64 * limits::MiB;
    box.options.ballast_bytes = 1 * limits::MiB;
    box.open();
    box.fund(usd(100));
  }
  bool has_ballast() const { return std::filesystem::exists(box.options.directory + "/ballast"); }
  FakeSpace space;
  LedgerBox box;
};

}  // namespace

TEST_CASE("with little room new holds are refused, settlements go on, and service comes back") {
  LowDisk low;
  LedgerBox& box = low.box;
  CHECK(low.has_ballast());
  Hold open = box.admitted(usd(5));
  Hold other = box.admitted(usd(5));

  low.space.bytes = 64 * limits::MiB;  // the mark itself is enough
  CHECK(box.hold(box.ask(usd(1))));
  box.loop.turns(4);
  low.space.bytes = 64 * limits::MiB - 1;
  box.fund(usd(1));  // a commit looks
  CHECK(box.ledger->status().disk_low);
  CHECK(!box.ledger->status().takes_holds());
  // Before anything else: even what the wallet could not pay is unavailable, not refused.
  CHECK(box.hold(box.ask(usd(1))).error().code == Errc::unavailable);
  CHECK(box.hold(box.ask(usd(1'000'000))).error().code == Errc::unavailable);
  CHECK(low.has_ballast());

  low.space.bytes = 10 * limits::MiB;
  const auto receipt = box.post(std::move(open), usd(2));
  REQUIRE(receipt);
  REQUIRE(box.durable(receipt->seq));
  CHECK(!low.has_ballast());  // given up for the settlements
  CHECK(box.extend(other, usd(1)));
  REQUIRE(box.release(std::move(other)));

  low.space.bytes = 64 * limits::MiB;  // not enough to take the ballast back
  CHECK(box.hold(box.ask(usd(1))).error().code == Errc::unavailable);
  low.space.bytes = 65 * limits::MiB;
  // The book looks again by itself: no commit is needed to notice.
  auto hold = box.hold(box.ask(usd(1)));
  REQUIRE(hold);
  REQUIRE(box.durable(std::get<Hold>(*hold).seq()));
  CHECK(low.has_ballast());
  CHECK(box.ledger->status().takes_holds());
  REQUIRE(box.release(std::move(std::get<Hold>(*hold))));
  CHECK(box.account().posted == usd(99));
  CHECK(box.is_clean());
}

TEST_CASE("what cannot be seen is as it was") {
  LowDisk low;
  low.space.blind = true;
  low.box.fund(usd(1));
  CHECK(!low.box.ledger->status().disk_low);
  CHECK(low.box.hold(low.box.ask(usd(1))));
  low.box.loop.turns(4);
  low.space.blind = false;
  low.space.bytes = 1;
  low.box.fund(usd(1));
  CHECK(low.box.ledger->status().disk_low);
  low.space.blind = true;
  CHECK(!low.box.hold(low.box.ask(usd(1))));
}

TEST_CASE("a start with little room is low from the first hold on") {
  LowDisk low;
  low.box.close();
  low.space.bytes = 1;
  low.box.open();
  CHECK(low.box.ledger->status().disk_low);
  CHECK(low.box.hold(low.box.ask(usd(1))).error().code == Errc::unavailable);
  CHECK(low.box.loop.run(low.box.client->transfer(low.box.credit_of(usd(1)))));
}

TEST_CASE("the real probe sees the real disk") {
  const TempDir dir;
  StatvfsSpace space;
  const auto free = space.free_bytes(dir.path());
  REQUIRE(free);
  CHECK(*free > 0);
  CHECK(space.free_bytes(dir / "nowhere").error().code == Errc::io);
}
