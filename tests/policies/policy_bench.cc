// What the shipped chain costs a request, by phase. Prints; asserts nothing about time.
//   policy_bench [scripts folder]
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "api/policies.h"
#include "base/clock.h"
#include "limit/buckets.h"
#include "script/watchdog.h"

namespace {

using namespace mg;
using namespace mg::api;

constexpr int kRounds = 200;
constexpr int kCallsPerRound = 2000;

// Processor time of this thread: the least of many rounds, which is what the machine can do
// undisturbed, and the median. The collection of garbage is part of it.
template <class F>
void measure(const char* what, F&& call) {
  std::vector<double> ns;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t begin = thread_cpu_ns();
    for (int i = 0; i < kCallsPerRound; ++i) call();
    ns.push_back(static_cast<double>(thread_cpu_ns() - begin) / kCallsPerRound);
  }
  std::sort(ns.begin(), ns.end());
  std::printf("%-34s %7.0f ns least %7.0f ns median\n", what, ns.front(), ns[ns.size() / 2]);
}

struct World {
  std::vector<std::string> path{"platform", "ten_bench"};
  std::vector<PricePoint> price{{"input", *Rate::picos(2'500'000)},
                                {"cached_input", *Rate::picos(1'250'000)},
                                {"output", *Rate::picos(10'000'000)}};
  RequestFacts request;
  std::vector<CandidateFacts> candidates;
  std::vector<PriceLine> lines;
  std::vector<UsagePoint> usage{{"input", 120}, {"output", 340}};
  RecordFacts record;

  explicit World(size_t candidate_count) {
    request.id = "req_00000000000000000000000000";
    request.seed = 7;
    request.time_ms = 1'800'000'000'000;
    request.model = "gpt-4o";
    request.requested_model = request.model;
    request.protocol = "openai_chat";
    request.operation = "chat";
    request.input_tokens_estimate = 120;
    request.max_output_tokens = 500;
    request.key.id = "key_00000000000000000000000000";
    request.tenant.id = "ten_00000000000000000000000000";
    request.tenant.kind = "company";
    request.tenant.path = path;
    static const std::string kNames[] = {"openai-main", "openai-second", "azure-eu", "azure-us",
                                         "openrouter"};
    for (size_t i = 0; i < candidate_count; ++i) {
      CandidateFacts c;
      c.channel = kNames[i];
      c.provider = "openai";
      c.upstream_model = "gpt-4o-2024-11-20";
      c.weight = 10;
      c.price = price;
      candidates.push_back(c);
    }
    for (const PricePoint& point : price) {
      PriceLine line;
      line.model = "gpt-4o";
      line.meter = point.meter;
      line.rate = point.rate;
      lines.push_back(line);
    }
    record.status = 200;
    record.channel = "openai-main";
    record.usage = usage;
    record.tokens = 460;
    record.attempts = 1;
  }
};

void measure_all(Policies& policies, World& world, const char* title) {
  std::printf("-- %s\n", title);
  std::vector<PriceLine> lines;
  const auto quote = [&] {
    lines = world.lines;
    policies.quote(world.request, lines);
  };
  measure("admit", [&] { policies.admit(world.request); });
  measure("route", [&] { policies.route(world.request, world.candidates); });
  measure("quote", quote);
  measure("observe", [&] { policies.observe(world.request, world.record); });
  measure("admit + route + quote + observe", [&] {
    policies.admit(world.request);
    policies.route(world.request, world.candidates);
    quote();
    policies.observe(world.request, world.record);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto tree = script::read_source_tree(argc > 1 ? argv[1] : "scripts", "");
  if (!tree) {
    std::fprintf(stderr, "%s\n", tree.error().what.c_str());
    return 1;
  }
  const script::BuildResult built = build_policies(*tree, 1);
  if (!built.bundle) {
    std::fprintf(stderr, "%s\n", built.text().c_str());
    return 1;
  }
  script::Watchdog watchdog;
  script::WatchSlot slot(watchdog);
  SystemClock clock;
  limit::Buckets buckets(clock);
  Reports reports;
  auto policies = Policies::open(built.bundle, {clock, buckets, reports, &slot});
  if (!policies) {
    std::fprintf(stderr, "%s\n", policies.error().what.c_str());
    return 1;
  }
  std::printf("state: %zu bytes\n", (*policies)->memory_bytes());
  World one(1), three(3);
  measure_all(**policies, one, "one candidate, a key without limits");
  measure_all(**policies, three, "three candidates");
  three.request.session = "conversation-17";
  measure_all(**policies, three, "three candidates, a session");
  three.request.key.rpm = 1'000'000'000;
  three.request.key.tpm = 1'000'000'000'000;
  three.request.key.daily_limit = Money::nanos(5'000'000'000);
  measure_all(**policies, three, "the same, and a key with rpm, tpm and a daily limit");
  std::printf("state: %zu bytes\n", (*policies)->memory_bytes());
  return 0;
}
