#include "limit/gates.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <optional>
#include <thread>
#include <vector>

using namespace mg::limit;

TEST_CASE("a gate lets in as many as it has places, and no more") {
  Gates gates;
  const auto gate = gates.gate("channel");
  Permit a = gate->enter(2), b = gate->enter(2);
  CHECK(a);
  CHECK(b);
  CHECK(gate->inside() == 2);
  Permit c = gate->enter(2);
  CHECK_FALSE(c);
  CHECK(gate->inside() == 2);
  a = Permit();
  CHECK(gate->inside() == 1);
  c = gate->enter(2);
  CHECK(c);
  // A limit that was lowered meanwhile holds for those who come, not for those inside.
  CHECK_FALSE(gate->enter(1));
  // No limit at all.
  CHECK(gate->enter(0));
}

TEST_CASE("permits move, and leave once") {
  Gates gates;
  const auto gate = gates.gate("channel");
  std::optional<Permit> first = gate->enter(1);
  Permit second = std::move(*first);
  first.reset();
  CHECK(gate->inside() == 1);
  second = std::move(second);
  CHECK(gate->inside() == 1);
  second = gate->enter(0);
  CHECK(gate->inside() == 1);
  second = Permit();
  CHECK(gate->inside() == 0);
}

TEST_CASE("a name has one gate while somebody holds it") {
  Gates gates;
  auto a = gates.gate("a");
  CHECK(gates.gate("a") == a);
  CHECK(gates.gate("b") != a);
  Permit inside = a->enter(1);
  const Gate* was = a.get();
  a.reset();
  CHECK(gates.gate("a").get() == was);
}

TEST_CASE("threads never overfill a gate") {
  Gates gates;
  const auto gate = gates.gate("channel");
  std::atomic<int64_t> most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const Permit permit = gate->enter(3);
        if (!permit) continue;
        const int64_t inside = gate->inside();
        int64_t seen = most.load();
        while (inside > seen && !most.compare_exchange_weak(seen, inside)) {
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(most <= 3);
  CHECK(gate->inside() == 0);
}
