#include "event/task.h"

#include <catch2/catch.hpp>

using namespace mg::event;

namespace {

Task<int> ready(int value) { co_return value; }

Task<int> sum_of_ready(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int one = co_await ready(1);
    sum += one;
  }
  co_return sum;
}

}  // namespace

TEST_CASE("a million ready awaits use no stack") {
  Task<int> task = sum_of_ready(1'000'000);
  task.start();
  REQUIRE(task.done());
  CHECK(task.result() == 1'000'000);
}
