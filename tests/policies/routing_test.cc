// The shipped routing: each of its settings alone can change the channel.
#include <cstdlib>
#include <map>

#include "base/rng.h"
#include "policies/world.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

// A chain of one module.
std::string chain(const std::string& phase, const std::string& module, const std::string& conf) {
  return "return { " + phase + " = { { '" + module + "', conf = " + conf + " } } }";
}

std::string order_of(Policies& policies, World& world) {
  const RouteDecision decision = policies.route(world.request, world.candidates);
  CHECK(world.ears.failures.empty());
  if (decision.kept) return "kept";
  std::string out;
  for (const RoutedCandidate& one : decision.order) out += world.candidates[one.index].channel;
  return out;
}

// The candidate asked first with this routing conf.
std::string first_with(World& world, const std::string& conf) {
  const auto policies = world.with_chain(chain("route", "routing", conf));
  const std::string order = order_of(*policies, world);
  return order.substr(0, 1);
}

// How often each channel is asked first, in so many requests.
std::map<std::string, int> firsts(Policies& policies, World& world, int requests) {
  std::map<std::string, int> count;
  SeededRng ids(1);
  for (int i = 0; i < requests; ++i) {
    world.request.seed = ids.draw();
    const RouteDecision decision = policies.route(world.request, world.candidates);
    REQUIRE_FALSE(decision.order.empty());
    ++count[std::string(world.candidates[decision.order[0].index].channel)];
  }
  CHECK(world.ears.failures.empty());
  return count;
}

}  // namespace

TEST_CASE("routing: shares follow the weights within 2 % over 10,000 picks") {
  World world;
  world.candidates[0].weight = 10;
  world.candidates[1].weight = 30;
  world.candidates[2].weight = 60;
  const auto policies = world.open(World::shipped());
  auto count = firsts(*policies, world, 10'000);
  CHECK(std::abs(count["a"] - 1000) < 200);
  CHECK(std::abs(count["b"] - 3000) < 200);
  CHECK(std::abs(count["c"] - 6000) < 200);
  const auto equal = world.with_chain(chain("route", "routing", "{ weights = false }"));
  count = firsts(*equal, world, 10'000);
  for (const char* channel : {"a", "b", "c"}) CHECK(std::abs(count[channel] - 3333) < 200);
  world.candidates[1].weight = 0;
  count = firsts(*policies, world, 1000);
  CHECK(count["b"] == 0);
}

TEST_CASE("routing: the same request is routed the same way again") {
  World world;
  const auto policies = world.open(World::shipped());
  for (uint64_t seed = 0; seed < 50; ++seed) {
    world.request.seed = seed;
    CHECK(order_of(*policies, world) == order_of(*policies, world));
  }
}

TEST_CASE("routing: priority comes before weight") {
  World world;
  world.candidates[0].priority = 3;
  world.candidates[0].weight = 1000;
  world.candidates[1].priority = 2;
  world.candidates[2].priority = 1;
  const auto policies = world.open(World::shipped());
  for (uint64_t seed = 0; seed < 50; ++seed) {
    world.request.seed = seed;
    CHECK(order_of(*policies, world) == "cba");
  }
}

TEST_CASE("routing: health alone changes the channel") {
  World world;
  world.candidates.resize(2);
  world.candidates[1].priority = 2;
  CHECK(first_with(world, "{}") == "a");
  world.candidates[0].breaker = Breaker::open;
  CHECK(first_with(world, "{}") == "b");
  CHECK(first_with(world, "{ health = 'ignore' }") == "a");
  const auto out = world.with_chain(chain("route", "routing", "{ health = 'out' }"));
  CHECK(order_of(*out, world) == "b");
  world.candidates[1].breaker = Breaker::open;
  const RouteDecision none = out->route(world.request, world.candidates);
  CHECK_FALSE(none.kept);
  CHECK(none.order.empty());
  // Half-open is let through: that is what the one trial is for.
  world.candidates[0].breaker = Breaker::half_open;
  CHECK(order_of(*out, world) == "a");
  // A single sick channel is better than none, unless it is to be out.
  world.candidates.resize(1);
  world.candidates[0].breaker = Breaker::open;
  CHECK(first_with(world, "{}") == "k");  // kept
  CHECK(order_of(*out, world) == "");
}

TEST_CASE("routing: price alone changes the channel") {
  World world;
  const std::vector<PricePoint> cheap{{"input", *Rate::picos(1)}, {"output", *Rate::picos(1)}};
  world.candidates[0].weight = 1'000'000;
  world.candidates[2].price = cheap;
  CHECK(first_with(world, "{}") == "a");
  CHECK(first_with(world, "{ prefer = 'price' }") == "c");
  world.candidates[2].price = world.price;
  world.candidates[1].cost_ppm = 900'000;
  CHECK(first_with(world, "{ prefer = 'price' }") == "b");
}

TEST_CASE("routing: latency alone changes the channel") {
  World world;
  world.candidates[0].weight = 1'000'000;
  world.candidates[0].latency_ms = 900;
  world.candidates[1].latency_ms = 400;
  world.candidates[2].latency_ms = 800;
  CHECK(first_with(world, "{}") == "a");
  CHECK(first_with(world, "{ prefer = 'latency' }") == "b");
  for (CandidateFacts& candidate : world.candidates) candidate.first_token_ms = 500;
  world.candidates[2].first_token_ms = 100;
  CHECK(first_with(world, "{ prefer = 'latency' }") == "c");
  // One that nobody knows yet is tried.
  world.candidates[0].first_token_ms = world.candidates[0].latency_ms = 0;
  CHECK(first_with(world, "{ prefer = 'latency' }") == "a");
}

TEST_CASE("routing: region alone changes the channel") {
  World world;
  world.candidates[0].weight = 1'000'000;
  world.candidates[1].region = "eu";
  CHECK(first_with(world, "{}") == "a");
  CHECK(first_with(world, "{ region = 'eu' }") == "b");
  CHECK(first_with(world, "{ region = 'mars' }") == "a");
}

TEST_CASE("routing: a session keeps its channel, as a preference and never a pin") {
  World world;
  const auto policies = world.open(World::shipped());
  std::map<std::string, int> count;
  for (int talk = 0; talk < 300; ++talk) {
    const std::string session = "talk-" + std::to_string(talk);
    world.request.session = session;
    world.request.seed = 1;
    const std::string first = order_of(*policies, world);
    world.request.seed = 2;
    CHECK(order_of(*policies, world) == first);
    ++count[first.substr(0, 1)];
    // When its channel falls ill, the session moves on, and the rest of the order stays.
    for (CandidateFacts& candidate : world.candidates)
      if (candidate.channel == first.substr(0, 1)) candidate.breaker = Breaker::open;
    CHECK(order_of(*policies, world) == first.substr(1) + first.substr(0, 1));
    for (CandidateFacts& candidate : world.candidates) candidate.breaker = Breaker::closed;
  }
  for (const char* channel : {"a", "b", "c"}) CHECK(count[channel] > 60);
  world.request.session = "talk-1";
  const auto without = world.with_chain(chain("route", "routing", "{ affinity = false }"));
  const auto spread = firsts(*without, world, 300);
  CHECK(spread.size() == 3);
}

TEST_CASE("routing: what the client asks for") {
  World world;
  world.candidates[1].provider = "azure";
  world.candidates[2].provider = "openrouter";
  world.candidates[0].weight = 1'000'000;
  const auto policies = world.open(World::shipped());
  const std::vector<std::string> azure{"azure"}, c{"c"}, both{"c", "azure"}, openai{"openai"};
  ConstraintFacts& asked = world.request.constraints;
  asked.only = azure;
  CHECK(order_of(*policies, world) == "b");
  asked = {};
  asked.ignore = openai;
  CHECK(order_of(*policies, world).find('a') == std::string::npos);
  asked = {};
  asked.order = both;
  CHECK(order_of(*policies, world) == "cba");
  asked.ignore = c;
  CHECK(order_of(*policies, world) == "ba");
  asked = {};
  asked.input_rate_max = *Rate::picos(2'000'000);
  CHECK(order_of(*policies, world) == "");
  asked.input_rate_max = *Rate::picos(2'500'000);
  CHECK(order_of(*policies, world).size() == 3);
  asked.output_rate_max = *Rate::picos(9'999'999);
  CHECK(order_of(*policies, world) == "");
  CHECK(first_with(world, "{ client_wishes = false }") == "a");
}
