#include "api/breaker.h"
#include "api/gate.h"
#include "api/policies.h"
#include "api/provider.h"
#include "api/selftest.h"

namespace mg::api {

script::BundleRecipe recipe_with(script::Library& library) {
  return {.module_folder = "policies",
          .chain_file = "chain.lua",
          .table_folder = "providers",
          .phases = kPhaseNames,
          .library = library,
          .check_setting = check_setting,
          .check_table = [](const script::Field& table, std::vector<script::Problem>& problems) {
            read_provider(table, problems);
          }};
}

void GateLibrary::push_globals(lua_State* L) {
  script::budget_of(L).host = &call_;
  call_.open(L);
  push_gate_global(L);
}

script::BuildResult build_policies(const script::SourceTree& tree, uint64_t generation,
                                   script::WatchSlot* slot) {
  StillClock clock;
  limit::Buckets buckets(clock);
  NoReports reports;
  Call call(Seams{clock, buckets, reports, nullptr});
  SelftestLibrary library(call, clock);
  return script::build_bundle(tree, recipe_with(library), generation, slot);
}

}  // namespace mg::api
