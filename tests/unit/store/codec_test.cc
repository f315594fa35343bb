#include "store/codec.h"

#include <catch2/catch.hpp>

using namespace mg;
using namespace mg::store;

TEST_CASE("number keys sort as their numbers") {
  const uint64_t numbers[] = {0, 1, 255, 256, 65'535, 1ull << 32, UINT64_MAX - 1, UINT64_MAX};
  for (size_t i = 1; i < std::size(numbers); ++i)
    CHECK(NumberKey(numbers[i - 1]).view() < NumberKey(numbers[i]).view());
  for (const uint64_t n : numbers) CHECK(*number_of(NumberKey(n)) == n);
}

TEST_CASE("a key that is no number is an error") {
  CHECK(number_of("1234567").error().code == Errc::invalid);
  CHECK(number_of("123456789").error().code == Errc::invalid);
  CHECK(number_of("").error().code == Errc::invalid);
}

TEST_CASE("a sealed value comes back, and no other") {
  const std::string stored = sealed("key", "the value");
  CHECK(*unsealed("key", stored) == "the value");
  CHECK(unsealed("key", sealed("key", ""))->empty());
  CHECK(unsealed("yek", stored).error().code == Errc::invalid);
  CHECK(unsealed("key", "").error().code == Errc::invalid);
  CHECK(unsealed("key", "abc").error().code == Errc::invalid);
  CHECK(unsealed("key", stored.substr(0, stored.size() - 1)).error().code == Errc::invalid);
}

TEST_CASE("every flipped bit of a sealed value is found") {
  const std::string stored = sealed("key", "some bytes worth keeping");
  size_t found = 0;
  for (size_t bit = 0; bit < stored.size() * 8; ++bit) {
    std::string flipped = stored;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    if (!unsealed("key", flipped)) ++found;
  }
  CHECK(found == stored.size() * 8);
}
