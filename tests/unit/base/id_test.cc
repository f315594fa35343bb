#include "base/id.h"

#include <catch2/catch.hpp>
#include <set>

#include "base/rng.h"
#include "support/virtual_clock.h"

using namespace mg;

TEST_CASE("ids are unique, sort by time and survive their text") {
  test::VirtualClock clock;
  SeededRng rng(7);
  std::set<std::string> texts;
  std::string earlier;
  for (int i = 0; i < 1000; ++i) {
    clock.advance_ms(1);
    const Id id = Id::make(clock, rng);
    const std::string text = id.text("req");
    CHECK(text.size() == 3 + 1 + Id::kTextChars);
    REQUIRE(Id::parse("req", text) == id);
    CHECK(id.wall_ms() == clock.wall_ms());
    CHECK(text > earlier);
    earlier = text;
    texts.insert(text);
  }
  CHECK(texts.size() == 1000);
}

TEST_CASE("only the exact spelling of an id is one") {
  test::VirtualClock clock;
  SeededRng rng(1);
  const std::string good = Id::make(clock, rng).text("key");
  CHECK(Id::parse("key", good));
  CHECK_FALSE(Id::parse("ten", good));
  CHECK_FALSE(Id::parse("key", good + "0"));
  CHECK_FALSE(Id::parse("key", good.substr(0, good.size() - 1)));
  std::string bad = good;
  bad[10] = 'u';  // not in the alphabet
  CHECK_FALSE(Id::parse("key", bad));
  bad = good;
  bad[4] = 'z';  // would be more than 128 bits
  CHECK_FALSE(Id::parse("key", bad));
  bad = good;
  bad[3] = '-';
  CHECK_FALSE(Id::parse("key", bad));
}

TEST_CASE("the system's randomness does not repeat") {
  SystemRng rng;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(rng.next());
  CHECK(seen.size() == 1000);
}

TEST_CASE("a seed fixes everything that is drawn") {
  SeededRng a(42), b(42), c(43);
  for (int i = 0; i < 100; ++i) {
    const uint64_t drawn = a.draw();
    CHECK(drawn == b.draw());
    CHECK(drawn != c.draw());
    const double unit = a.unit();
    CHECK((unit >= 0 && unit < 1));
    CHECK(unit == b.unit());
    c.draw();
  }
}
