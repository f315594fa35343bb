#include "event/resolver.h"

#include <catch2/catch.hpp>

#include "event/uv_loop.h"
#include "support/sim_loop.h"

using namespace mg;
using namespace mg::event;

namespace {

// Answers after a while, with what the test prepared, and counts the questions.
struct FakeLookup : Lookup {
  explicit FakeLookup(Loop& l) : loop(l) {}
  Task<Result<LookupAnswer>> look_up(std::string) override {
    ++questions;
    co_await sleep_ms(loop, 100);
    co_return next;
  }
  Loop& loop;
  Result<LookupAnswer> next = LookupAnswer{{*IpAddress::parse("8.8.8.8")}, 60'000};
  int questions = 0;
};

struct Fixture {
  test::VirtualClock clock;
  test::SimLoop loop{clock};
  FakeLookup lookup{loop};
  CachingResolver resolver{loop, lookup};

  Result<std::vector<IpAddress>> ask(const std::string& name = "api.example.com") {
    return test::finish(loop, resolver.resolve(name, 60'000));
  }
};

Task<> ask_and_count(CachingResolver& resolver, int& answered) {
  const Result<std::vector<IpAddress>> addresses = co_await resolver.resolve("a.example", 1000);
  if (addresses) ++answered;
}

}  // namespace

TEST_CASE("an address is its own answer") {
  Fixture f;
  CHECK(f.ask("127.0.0.1")->front().text() == "127.0.0.1");
  CHECK(f.lookup.questions == 0);
}

TEST_CASE("an answer is kept for its time, then served while a new one is fetched") {
  Fixture f;
  CHECK(f.ask()->front().text() == "8.8.8.8");
  CHECK(f.ask()->front().text() == "8.8.8.8");
  CHECK(f.lookup.questions == 1);
  f.clock.advance_ms(61'000);
  f.lookup.next = LookupAnswer{{*IpAddress::parse("9.9.9.9")}, 60'000};
  const int64_t before = f.clock.monotonic_ns();
  CHECK(f.ask()->front().text() == "8.8.8.8");
  CHECK(f.clock.monotonic_ns() == before);  // nobody waited
  f.loop.run_for_ms(200);
  CHECK(f.ask()->front().text() == "9.9.9.9");
  CHECK(f.lookup.questions == 2);
}

TEST_CASE("the last good answer outlives dead name servers, for its bound") {
  Fixture f;
  CHECK(f.ask());
  f.lookup.next = fail(Errc::timeout, "no answer");
  f.clock.advance_ms(CachingResolver::stale_max_ms - 1000);
  CHECK(f.ask()->front().text() == "8.8.8.8");
  f.loop.run_for_ms(200);
  f.clock.advance_ms(CachingResolver::ttl_min_ms + 2000);
  const auto gone = f.ask();
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == Errc::timeout);
}

TEST_CASE("concurrent questions for one name share one look-up") {
  Fixture f;
  int answered = 0;
  for (int i = 0; i < 10; ++i) f.loop.spawn(ask_and_count(f.resolver, answered));
  {
    Task<> dropped = ask_and_count(f.resolver, answered);
    dropped.start();
  }
  f.loop.run_for_ms(500);
  CHECK(answered == 10);
  CHECK(f.lookup.questions == 1);
}

TEST_CASE("a short or absurd lifetime is clamped") {
  Fixture f;
  f.lookup.next = LookupAnswer{{*IpAddress::parse("8.8.8.8")}, 0};
  CHECK(f.ask());
  f.clock.advance_ms(CachingResolver::ttl_min_ms - 200);
  CHECK(f.ask());
  CHECK(f.lookup.questions == 1);
}

TEST_CASE("the number of names remembered is bounded") {
  Fixture f;
  for (size_t i = 0; i <= CachingResolver::names_max; ++i) CHECK(f.ask("n" + std::to_string(i)));
  const int before = f.lookup.questions;
  CHECK(f.ask("n" + std::to_string(CachingResolver::names_max)));
  CHECK(f.lookup.questions == before);
  CHECK(f.ask("n0"));  // was forgotten
  CHECK(f.lookup.questions == before + 1);
}

TEST_CASE("c-ares reads the hosts file and refuses servers that are none") {
  SystemClock clock;
  UvLoop loop(clock);
  CHECK_FALSE(make_ares_lookup(loop, {{"not an address"}, 100}));
  const auto lookup = make_ares_lookup(loop, {});
  REQUIRE(lookup);
  struct Wait {
    static Task<> run(UvLoop& l, Lookup& look, Result<LookupAnswer>& out) {
      Result<LookupAnswer> answer = co_await look.look_up("localhost");
      out = std::move(answer);
      l.stop();
    }
  };
  Result<LookupAnswer> answer;
  loop.spawn(Wait::run(loop, **lookup, answer));
  loop.run();
  REQUIRE(answer);
  REQUIRE_FALSE(answer->addresses.empty());
  CHECK(answer->addresses.front().is_loopback());
}

TEST_CASE("a name server that never answers costs its deadline and no more") {
  SystemClock clock;
  UvLoop loop(clock);
  const auto lookup = make_ares_lookup(loop, {{"127.0.0.1:9"}, 200});
  REQUIRE(lookup);
  struct Wait {
    static Task<> run(UvLoop& l, Lookup& look, Result<LookupAnswer>& out) {
      Result<LookupAnswer> answer = co_await look.look_up("api.example.com");
      out = std::move(answer);
      l.stop();
    }
  };
  Result<LookupAnswer> answer;
  loop.spawn(Wait::run(loop, **lookup, answer));
  loop.run();
  REQUIRE_FALSE(answer);
}
