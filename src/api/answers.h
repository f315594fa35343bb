// One call of each phase: which arguments its hooks get, and how what they return becomes a
// decision. What is not what a phase may answer is raised as an error of the module.
#pragma once

#include <span>
#include <vector>

#include "api/call.h"
#include "script/hooks.h"

namespace mg::api {

// Every hook gets the request after its conf.
class PhaseCall : public script::HookCall {
 public:
  int push_arguments(lua_State* L, const script::Module& module) final {
    call_.module = module.name;
    call_.request_view.push(L, call_.request);
    return 1 + push_rest(L);
  }

 protected:
  explicit PhaseCall(Call& call) : call_(call) {}
  ~PhaseCall() = default;
  // Pushes what follows the request, and says how many.
  virtual int push_rest(lua_State*) { return 0; }

  // The first and second result, on top of the stack.
  static constexpr int kFirst = -2;
  static constexpr int kSecond = -1;

  Call& call_;
};

class AdmitCall final : public PhaseCall {
 public:
  AdmitCall(Call& call, AdmitDecision& decision) : PhaseCall(call), decision_(decision) {}
  Next take_results(lua_State* L, const script::Module& module) override;

 private:
  AdmitDecision& decision_;
};

class RouteCall final : public PhaseCall {
 public:
  // `work` has one entry per candidate and ends as the plan.
  RouteCall(Call& call, std::vector<CandidateWork>& work) : PhaseCall(call), work_(work) {}
  Next take_results(lua_State* L, const script::Module& module) override;
  bool changed() const { return changed_; }

 private:
  int push_rest(lua_State* L) override;
  CandidateWork read_candidate(lua_State* L, int number) const;
  size_t find(std::string_view channel) const;

  std::vector<CandidateWork>& work_;
  bool changed_ = false;
};

class QuoteCall final : public PhaseCall {
 public:
  QuoteCall(Call& call, std::vector<PriceLine>& lines) : PhaseCall(call), lines_(lines) {}
  Next take_results(lua_State* L, const script::Module& module) override;

 private:
  int push_rest(lua_State* L) override;
  size_t position_of_line(lua_State* L, int number) const;

  std::vector<PriceLine>& lines_;
};

class RecoverCall final : public PhaseCall {
 public:
  RecoverCall(Call& call, const AttemptFacts& attempt, const FailureFacts& failure,
              RecoverDecision& decision)
      : PhaseCall(call), attempt_(attempt), failure_(failure), decision_(decision) {}
  Next take_results(lua_State* L, const script::Module& module) override;

 private:
  int push_rest(lua_State* L) override;

  const AttemptFacts& attempt_;
  const FailureFacts& failure_;
  RecoverDecision& decision_;
};

class DisconnectCall final : public PhaseCall {
 public:
  DisconnectCall(Call& call, const ProgressFacts& progress, DisconnectDecision& decision)
      : PhaseCall(call), progress_(progress), decision_(decision) {}
  Next take_results(lua_State* L, const script::Module& module) override;

 private:
  int push_rest(lua_State* L) override;

  const ProgressFacts& progress_;
  DisconnectDecision& decision_;
};

class ObserveCall final : public PhaseCall {
 public:
  ObserveCall(Call& call, const RecordFacts& record, ObserveDecision& decision)
      : PhaseCall(call), record_(record), decision_(decision) {}
  Next take_results(lua_State* L, const script::Module& module) override;

 private:
  int push_rest(lua_State* L) override;

  const RecordFacts& record_;
  ObserveDecision& decision_;
};

// "a table", "a number", ...: for messages about what a hook returned.
std::string described(lua_State* L, int index);

// The size of the list at `index`: a table without metatable and with no keys but 1 to n. Empty for
// anything else.
std::optional<size_t> list_size(lua_State* L, int index);

// Raise where what the table at `item` says of a line or a candidate would be an error of the
// module. For selftests, whose items are tables of their own, and not those that were offered.
void check_line_answer(lua_State* L, int item);
void check_candidate_answer(lua_State* L, int item);

}  // namespace mg::api
