// The corpus of hostile scripts, each as a file and as the body of every hook, with the outcome
// that its table states.
#include <set>

#include "base/text.h"
#include "policies/world.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

// Uses a name that the sandbox does not have before it gets to the loop it is about.
const std::set<std::string> kNeedAbsentNames{"loop-xpcall", "loop-co"};

// Nothing wrong with the answer: nil, because the name they look for is absent.
const std::set<std::string> kAnswerNil{"os",       "io",      "package",    "jit",  "load",
                                       "bytecode", "getfenv", "read-other", "time", "ret-nil"};

// Bodies that no function can have: refused when the file is compiled.
const std::set<std::string> kDoNotCompile{"syntax", "big-source", "many-locals"};

std::string hooks_around(const std::string& body) {
  std::string module = "return {";
  for (const std::string_view phase : kPhaseNames)
    module +=
        " " + std::string(phase) + " = function(conf, req, third, fourth)\n" + body + "\nend,";
  return module + "}";
}

std::string chain_of(const std::string& modules) {
  std::string chain = "return {";
  for (const std::string_view phase : kPhaseNames)
    chain += " " + std::string(phase) + " = { " + modules + " },";
  return chain + "}";
}

uint64_t failures(const Policies& policies, Phase phase) {
  const Counts& counts = policies.counts(phase);
  return counts.errors + counts.out_of_time + counts.out_of_memory;
}

// The deadline of a worker, where signals work.
class Guard {
 public:
#ifdef MG_UNDER_TSAN
  script::WatchSlot* slot() { return nullptr; }
#else
  script::WatchSlot* slot() { return &slot_; }

 private:
  script::Watchdog watchdog_;
  script::WatchSlot slot_{watchdog_};
#endif
};

}  // namespace

TEST_CASE("every hostile script comes to the end that is stated for it") {
  CORPUS_OR_SKIP(root);
  Guard guard;
  script::WatchSlot* const slot = guard.slot();
  const auto rows = mg::test::read_table(root / "hostile" / "lua.tsv");
  size_t scripts = 0;
  int64_t worst_ns = 0;
  for (size_t row = 1; row < rows.size(); ++row) {
    const std::string& id = rows[row][0];
    const std::string& expected = rows[row][1];
    INFO(id << ": " << expected);
    ++scripts;
    const std::string text = mg::test::read_file(root / "hostile" / "lua" / (id + ".lua.txt"));
    // As a file of policies none is a module, so none gets through.
    CHECK(build_policies(World::tree({{"policies/m.lua", text}}, "return {}"), 1, slot).bundle ==
          nullptr);

    const auto built = build_policies(
        World::tree({{"policies/m.lua", hooks_around(text)}}, chain_of("{ 'm' }")), 1, slot);
    CHECK((built.bundle == nullptr) == (kDoNotCompile.count(id) == 1));
    if (!built.bundle) continue;
    World world;
    world.slot = slot;
    auto opened = Policies::open(built.bundle, {world.clock, world.buckets, world.ears, slot});
    REQUIRE(opened);
    Policies& policies = **opened;
    const bool nil = kAnswerNil.count(id) == 1;

    const int64_t begin = thread_cpu_ns();
    const AdmitDecision admitted = policies.admit(world.request);
    worst_ns = std::max(worst_ns, thread_cpu_ns() - begin);
    if (nil) {
      CHECK_FALSE(admitted.refusal);
    } else {
      REQUIRE(admitted.refusal);
      CHECK(admitted.refusal->code == "policy_error");
      CHECK(failures(policies, Phase::admit) == 1);
    }
    if (expected.starts_with("killed") && kNeedAbsentNames.count(id) == 0 && id != "tostring-trap")
      CHECK(policies.counts(Phase::admit).out_of_time == 1);

    CHECK(policies.route(world.request, world.candidates).kept);
    CHECK((policies.quote(world.request, world.lines) == QuoteDecision::quoted) == nil);
    CHECK(world.lines[0].rate.picos() == 2'500'000);
    CHECK(policies.recover(world.request, world.attempt, world.failure).action == Recovery::next);
    CHECK_FALSE(policies.disconnect(world.request, world.progress).drain_cost_max);
    CHECK(policies.observe(world.request, world.record).tags.empty());
    if (!nil)
      for (const Phase phase : {Phase::route, Phase::quote, Phase::recover, Phase::disconnect})
        CHECK(failures(policies, phase) == 1);
    // And again, after whatever was thrown away.
    CHECK(policies.admit(world.request).refusal.has_value() == !nil);
  }
  WARN(scripts << " hostile scripts as files and in all six phases; the longest admit took "
               << worst_ns / 1000 << " us of processor time");
  CHECK(scripts == rows.size() - 1);
  CHECK(scripts >= 48);
}

TEST_CASE("a hostile script has no effect on the module beside it") {
  CORPUS_OR_SKIP(root);
  Guard guard;
  script::WatchSlot* const slot = guard.slot();
  const std::string good =
      "return { observe = function(conf, req) assert(not leak and print == nil) return { tags = { "
      "('x'):rep(3) .. string.format('%d', 7) } } end }";
  for (const auto& row : mg::test::read_table(root / "hostile" / "lua.tsv")) {
    const std::string& id = row[0];
    if (id == "id" || kDoNotCompile.count(id) == 1) continue;
    INFO(id);
    const std::string text = mg::test::read_file(root / "hostile" / "lua" / (id + ".lua.txt"));
    World world;
    world.slot = slot;
    const auto policies = world.open(World::tree(
        {{"policies/bad.lua", "return { admit = function(conf, req)\n" + text + "\nend }"},
         {"policies/good.lua", good}},
        "return { admit = { { 'bad' } }, observe = { { 'good' } } }"));
    for (int i = 0; i < 4; ++i) {
      policies->admit(world.request);
      CHECK(policies->observe(world.request, world.record).tags ==
            std::vector<std::string>{"xxx7"});
    }
  }
}
