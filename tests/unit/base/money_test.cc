#include "base/money.h"

#include <catch2/catch.hpp>

using namespace mg;

TEST_CASE("a charge is rounded up once") {
  const Rate rate = *Rate::picos(333'333);
  CHECK(charge_for(7, rate, {})->nanos() == 2334);
}
