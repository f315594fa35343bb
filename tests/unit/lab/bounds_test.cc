// Bounds of the built-in provider and of the load tool, at their edge and one past it.
#include "base/limits.h"

#include "base/rng.h"
#include "lab/comparison.h"
#include "lab/load_options.h"
#include "unit/lab/talk.h"

using namespace mg;
using namespace mg::test;

namespace {

// What the check of the load tool's options says of them.
std::string complaint(const std::function<void(lab::LoadOptions&)>& change) {
  lab::LoadOptions options;
  options.key = "mg-key";
  change(options);
  const auto checked = lab::check(options);
  if (checked) return "";
  CHECK(checked.error().code == Errc::invalid);
  return checked.error().what;
}

// So many clients that were told a cost, of requests that the ledger does not know.
lab::Comparison not_booked(size_t count) {
  VirtualClock clock;
  SeededRng rng(1);
  std::vector<lab::Told> told(count);
  for (lab::Told& one : told) {
    one.request = Id::make(clock, rng);
    one.cost_nanos = 5;
    one.status = 200;
    one.heard = lab::Heard::complete;
  }
  return lab::compare(told, [](const lab::BookedVisit&) { return Result<>(); }).value();
}

}  // namespace

TEST_CASE("an embedding has as many dimensions as it may have, and no more") {
  SimLab sim;
  const auto answer = [&](int64_t dimensions) {
    return sim.answer(post("/v1/embeddings", R"({"model":"m","input":"x","dimensions":)" +
                                                 std::to_string(dimensions) + "}"));
  };
  const ParsedAnswer most = answer(limits::lab_dimensions_max);
  CHECK(most.head.status == 200);
  CHECK(json_of(most.body)["data"][0]["embedding"].size() == size_t{limits::lab_dimensions_max});
  const ParsedAnswer refused = answer(limits::lab_dimensions_max + 1);
  CHECK(refused.head.status == 400);
  CHECK(json_of(refused.body)["error"]["param"] == "dimensions");
}

TEST_CASE("a lab has so many connections, and turns one more away") {
  SimLab sim;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (size_t i = 0; i < limits::connections_max; ++i) clients.push_back(sim.connect());
  sim.loop.settle();
  CHECK(sim.provider->counts().connections_open == int64_t{limits::connections_max});
  const auto one_more = sim.connect();
  sim.loop.settle();
  CHECK(one_more->end);
  CHECK(sim.provider->counts().connections_open == int64_t{limits::connections_max});
  for (const auto& client : clients) REQUIRE_FALSE(client->end);
  clients.front()->stream->abort();
  sim.loop.run_for_ms(10);
  CHECK(sim.answer(get("/v1/models")).head.status == 200);
}

TEST_CASE("a load is as large as it may be, and no larger") {
  using lab::LoadOptions;
  const auto requests = [](int64_t count) {
    return complaint([count](LoadOptions& o) { o.requests = count; });
  };
  CHECK(requests(limits::load_requests_max).empty());
  CHECK(requests(limits::load_requests_max + 1).starts_with("requests must be from 1 to "));
  CHECK(requests(0).starts_with("requests"));
  const auto concurrency = [](int64_t count) {
    return complaint([count](LoadOptions& o) { o.concurrency = count; });
  };
  CHECK(concurrency(limits::load_concurrency_max).empty());
  CHECK(
      concurrency(limits::load_concurrency_max + 1).starts_with("concurrency must be from 1 to "));
  CHECK(concurrency(0).starts_with("concurrency"));
  const auto prompt_tokens = [](int64_t count) {
    return complaint([count](LoadOptions& o) { o.prompt_tokens = count; });
  };
  CHECK(prompt_tokens(limits::load_prompt_tokens_max).empty());
  CHECK(prompt_tokens(limits::load_prompt_tokens_max + 1)
            .starts_with("prompt-tokens must be from 1 to "));
  CHECK(prompt_tokens(0).starts_with("prompt-tokens"));
}

TEST_CASE("so many differences are listed, and all of them counted") {
  const size_t most = limits::load_differences_listed_max;
  const lab::Comparison full = not_booked(most);
  CHECK(full.differences.size() == most);
  CHECK(full.differing == static_cast<int64_t>(most));
  const lab::Comparison over = not_booked(most + 1);
  CHECK(over.differences.size() == most);
  CHECK(over.differing == static_cast<int64_t>(most) + 1);
  CHECK(over.told_not_booked == static_cast<int64_t>(most) + 1);
  CHECK_FALSE(over.verdict());
}
