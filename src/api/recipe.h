// What a bundle of this program consists of, for the mechanism that builds and opens it.
#pragma once

#include "api/call.h"
#include "script/bundle.h"

namespace mg::api {

script::BundleRecipe recipe_with(script::Library& library);

// `gate` and the views, working on one Call; no selftests.
class GateLibrary : public script::Library {
 public:
  // The call must outlive the state that the library is pushed into.
  explicit GateLibrary(Call& call) : call_(call) {}
  void push_globals(lua_State* L) override;
  void selftest(lua_State*, int, std::string_view) override {}

 protected:
  Call& call_;
};

}  // namespace mg::api
