// One generation of everything operators script: policies compiled and checked, the chain that
// orders them, tables (vendors), and data files that others interpret. Built whole or not at all
// on the main thread, then shared read-only by all workers; each opens its own state from the
// bytecode (hooks.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "script/source_tree.h"
#include "script/value.h"

struct lua_State;

namespace mg::script {

class WatchSlot;

// What is wrong with a file, in words for the person who wrote it.
struct Problem {
  std::string file;  // as in SourceTree: "policies/rate_limit.lua"
  int line = 0;      // 0 when no line can be named
  std::string what;

  // "policies/rate_limit.lua:12: ..."
  std::string text() const;
};

// A script that was compiled and ran without error.
struct Module {
  std::string name;      // the file's name without folder and ".lua"
  std::string path;      // "policies/rate_limit.lua"
  std::string bytecode;  // with line numbers; never taken from outside
};

// One entry of the chain.
struct Step {
  size_t module = 0;  // index into Bundle::modules()
  Value conf;         // as declared: defaults filled in, types checked
};

class Bundle {
 public:
  // Rises by one with each published bundle; the builder's caller counts.
  uint64_t generation() const { return generation_; }
  std::span<const Module> modules() const { return modules_; }
  // The steps of a phase in their order; the number is an index into the recipe's phases.
  std::span<const Step> steps(size_t phase) const { return chain_[phase]; }
  size_t phases() const { return chain_.size(); }

  // The table that a file of the table folder returned ("openai" for providers/openai.lua), or
  // null.
  const Value* table(std::string_view name) const;
  std::span<const Field> tables() const { return tables_; }
  // What the chain file names beside the phases, or null.
  const Value* setting(std::string_view name) const;
  // The bytes of a data file ("models.json"), or null.
  const std::string* data(std::string_view path) const;
  std::span<const File> data() const { return data_; }

 private:
  friend class BundleBuilder;
  uint64_t generation_ = 0;
  std::vector<Module> modules_;
  std::vector<std::vector<Step>> chain_;
  std::vector<Field> tables_;
  std::vector<Field> settings_;
  std::vector<File> data_;
};

// Exactly one of the two is there.
struct BuildResult {
  std::shared_ptr<const Bundle> bundle;
  std::vector<Problem> problems;

  // All problems, one a line.
  std::string text() const;
};

// What the host adds to the sandbox's names, and how it tries out a module. Called inside a
// protected call of the state; may raise Lua errors.
class Library {
 public:
  virtual ~Library() = default;
  // Leaves a table on the stack whose fields become global names (besides the sandbox's own).
  virtual void push_globals(lua_State* L) = 0;
  // The module's table is at `index`, its name is given. Runs its selftest, if it has one.
  virtual void selftest(lua_State* L, int index, std::string_view module) = 0;
};

// Which folders of the tree mean what. Scripts in other folders are compiled, and carried along
// as modules without being run.
struct BundleRecipe {
  std::string_view module_folder;            // modules with hooks: "policies"
  std::string_view chain_file;               // inside it: "chain.lua"
  std::string_view table_folder;             // one table each: "providers"
  std::span<const std::string_view> phases;  // names of the chain's keys and of hook functions
  Library& library;
  // Looks at what the chain file names beside the phases; what it adds to the problems stops the
  // bundle. Without it there may be nothing beside them.
  void (*check_setting)(const Field& setting, std::vector<Problem>& problems) = nullptr;
  // Looks at each table of the table folder; what it adds to the problems stops the bundle.
  void (*check_table)(const Field& table, std::vector<Problem>& problems) = nullptr;
};

// Compiles and checks everything, and collects every problem it can find in one go. Scripts run
// under a budget: the processor's time where a slot is given, else a count of instructions. Takes
// about a millisecond a file; not for a worker's thread.
BuildResult build_bundle(const SourceTree& tree, const BundleRecipe& recipe, uint64_t generation,
                         WatchSlot* slot = nullptr);

}  // namespace mg::script
