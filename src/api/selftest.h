// Trying a module out while its bundle is built: `selftest = function(t) ... end`. The module's
// own hooks run under the real `gate`, with a clock that only the test moves, limits nobody else
// sees, and tables in place of views that refuse unknown fields just as those do.
#pragma once

#include "api/recipe.h"
#include "base/clock.h"
#include "limit/buckets.h"

namespace mg::api {

// Stands still until told.
class StillClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return now_ns_; }
  int64_t wall_ms() override { return now_ns_ / kNsPerMs; }
  void advance_ns(int64_t ns) { now_ns_ += ns; }

 private:
  int64_t now_ns_ = kNsPerS;
};

// Says nothing.
class NoReports final : public Reports {
 public:
  void failed(std::string_view, Phase, std::string_view) override {}
  void said(std::string_view, LogLevel, std::string_view) override {}
};

class SelftestLibrary final : public GateLibrary {
 public:
  // The call must work on this clock.
  SelftestLibrary(Call& call, StillClock& clock);
  void selftest(lua_State* L, int index, std::string_view module) override;

  // The request that gate.* functions of a hook under test see, and the clock that t.advance moves.
  RequestFacts request;
  StillClock& clock;

 private:
  void push_offer(lua_State* L, int module);
};

}  // namespace mg::api
