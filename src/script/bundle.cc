#include "script/bundle.h"

#include <algorithm>
#include <functional>

#include "script/conf.h"
#include "script/evaluate.h"
#include "script/freeze.h"
#include "script/hooks.h"
#include "script/lua_value.h"
#include "script/purity.h"
#include "script/sandbox.h"
#include "script/state.h"

namespace mg::script {
namespace {

// What a module's table may hold besides its hooks.
constexpr std::string_view kModuleKeys[] = {"name", "conf", "selftest"};

bool is_in_folder(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

std::string name_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  path.remove_suffix(std::string_view(".lua").size());
  return std::string(path);
}

template <class List>
auto named(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.name == name; });
}

}  // namespace

std::string Problem::text() const {
  return file + (line > 0 ? ":" + std::to_string(line) : "") + ": " + what;
}

std::string BuildResult::text() const {
  std::string out;
  for (const Problem& problem : problems) out += (out.empty() ? "" : "\n") + problem.text();
  return out;
}

const Value* Bundle::setting(std::string_view name) const {
  const auto at = named(settings_, name);
  return at == settings_.end() ? nullptr : &at->value;
}

const Value* Bundle::table(std::string_view name) const {
  const auto at = named(tables_, name);
  return at == tables_.end() ? nullptr : &at->value;
}

const std::string* Bundle::data(std::string_view path) const {
  for (const File& file : data_)
    if (file.path == path) return &file.bytes;
  return nullptr;
}

class BundleBuilder {
 public:
  BundleBuilder(const SourceTree& tree, const BundleRecipe& recipe, WatchSlot* slot)
      : tree_(tree), recipe_(recipe), slot_(slot), bundle_(std::make_shared<Bundle>()) {}

  BuildResult build(uint64_t generation) {
    bundle_->generation_ = generation;
    bundle_->data_ = tree_.data;
    bundle_->chain_.resize(recipe_.phases.size());
    auto state = State::open(kPolicyProfile, slot_);
    if (!state) {
      problem("scripts", state.error().what);
    } else {
      state_ = std::move(*state);
      in_lua("scripts", [this](lua_State* L) {
        recipe_.library.push_globals(L);
        add_globals(L);
      });
      for (const File& file : tree_.scripts) take(file);
      build_chain();
    }
    state_.reset();
    if (problems_.empty()) try_out();
    if (!problems_.empty()) return {nullptr, std::move(problems_)};
    return {std::move(bundle_), {}};
  }

 private:
  // What the chain needs to know of a module; parallel to the bundle's modules.
  struct Known {
    Value declared_conf;
    std::vector<bool> has_hook;
    bool sound = false;
  };

  void problem(std::string_view file, std::string what) {
    problems_.push_back({std::string(file), 0, std::move(what)});
  }

  // Runs the body under one budget; what it raises becomes a problem of the file.
  bool in_lua(std::string_view file, const std::function<void(lua_State*)>& body) {
    const Outcome outcome = Run(*state_).call(body);
    if (!outcome.done()) problems_.push_back(problem_from(outcome.what, file));
    return outcome.done();
  }

  bool is_chain(std::string_view path) const {
    return is_in_folder(path, recipe_.module_folder) &&
           path.substr(recipe_.module_folder.size() + 1) == recipe_.chain_file;
  }

  void take(const File& file) {
    if (file.bytes.size() > limits::script_source_bytes_max)
      return problem(file.path, "the file has more than " +
                                    std::to_string(limits::script_source_bytes_max) + " bytes");
    if (is_in_folder(file.path, recipe_.table_folder)) return take_table(file);
    if (is_chain(file.path)) {
      chain_ = &file;
      return;
    }
    take_module(file);
  }

  void take_table(const File& file) {
    Evaluation evaluation = evaluate_table(file);
    if (evaluation.problems.empty()) {
      bundle_->tables_.push_back({name_of(file.path), std::move(evaluation.value)});
      if (recipe_.check_table) recipe_.check_table(bundle_->tables_.back(), problems_);
    } else {
      problems_.insert(problems_.end(), evaluation.problems.begin(), evaluation.problems.end());
    }
  }

  void take_module(const File& file) {
    Module module{name_of(file.path), file.path, {}};
    const bool compiled = in_lua(file.path, [&](lua_State* L) {
      load_text(L, file.bytes, file.path);
      module.bytecode = dump(L);
    });
    Known known;
    known.has_hook.resize(recipe_.phases.size());
    if (compiled && is_in_folder(file.path, recipe_.module_folder))
      known.sound = check(module, known);
    bundle_->modules_.push_back(std::move(module));
    known_.push_back(std::move(known));
  }

  bool check(const Module& module, Known& known) {
    const size_t problems_before = problems_.size();
    in_lua(module.path, [&](lua_State* L) {
      push_module(L, module);
      push_table_at(L, -1);
      check_fields(L, module, known);
      for (const Assignment& assignment : lasting_assignments(L, -1))
        problems_.push_back({assignment.file, assignment.line,
                             "assigns to a local variable of the file: hooks keep nothing between "
                             "calls"});
    });
    if (problems_.size() > problems_before) return false;
    return in_lua(module.path, [&](lua_State* L) {
      push_module(L, module);
      recipe_.library.selftest(L, lua_gettop(L), module.name);
    });
  }

  // The module's table is on top of the stack.
  void check_fields(lua_State* L, const Module& module, Known& known) {
    bool any_hook = false;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
      std::string_view key;
      if (!text_at(L, -2, key)) {
        problem(module.path, "the module's table has a key that is no name");
      } else if (const size_t phase = phase_named(key); phase < recipe_.phases.size()) {
        known.has_hook[phase] = any_hook = lua_isfunction(L, -1);
        if (!any_hook) problem(module.path, std::string(key) + " must be a function");
      } else if (std::find(std::begin(kModuleKeys), std::end(kModuleKeys), key) ==
                 std::end(kModuleKeys)) {
        problem(module.path, "the module's table has an unknown key '" + std::string(key) + "'");
      } else if (key == "selftest" && !lua_isfunction(L, -1)) {
        problem(module.path, "selftest must be a function");
      } else if (std::string_view name;
                 key == "name" && (!text_at(L, -1, name) || name != module.name)) {
        problem(module.path, "name must be \"" + module.name + "\", as the file is called");
      }
      lua_pop(L, 1);
    }
    lua_getfield(L, -1, "conf");
    known.declared_conf = read_value(L, -1, "conf");
    lua_pop(L, 1);
    std::vector<std::string> wrong;
    check_declaration(known.declared_conf, wrong);
    for (std::string& what : wrong) problem(module.path, std::move(what));
    const auto has = std::find(known.has_hook.begin(), known.has_hook.end(), true);
    if (has == known.has_hook.end()) problem(module.path, "the module has no hook");
  }

  size_t phase_named(std::string_view name) const {
    return static_cast<size_t>(std::find(recipe_.phases.begin(), recipe_.phases.end(), name) -
                               recipe_.phases.begin());
  }

  void build_chain() {
    const std::string path =
        std::string(recipe_.module_folder) + "/" + std::string(recipe_.chain_file);
    if (!chain_) return problem(path, "the file is missing");
    const Evaluation evaluation = evaluate_table(*chain_);
    problems_.insert(problems_.end(), evaluation.problems.begin(), evaluation.problems.end());
    if (!evaluation.problems.empty()) return;
    const Table& chain = *evaluation.value.table();
    if (!chain.list.empty()) problem(path, "the chain names phases, it is no list");
    for (const Field& field : chain.fields) {
      const size_t phase = phase_named(field.name);
      if (phase == recipe_.phases.size() && recipe_.check_setting) {
        recipe_.check_setting(field, problems_);
        bundle_->settings_.push_back(field);
      } else if (phase == recipe_.phases.size()) {
        problem(path, "there is no phase '" + field.name + "'");
      } else if (!field.value.table() || !field.value.table()->fields.empty()) {
        problem(path, field.name + " must be a list of { \"module\", conf = {...} }");
      } else {
        for (const Value& entry : field.value.table()->list) add_step(path, phase, entry);
      }
    }
  }

  void add_step(const std::string& path, size_t phase, const Value& entry) {
    const std::string where(recipe_.phases[phase]);
    const Table* table = entry.table();
    if (!table || table->list.size() != 1 || !table->list[0].text())
      return problem(path, where + ": an entry is { \"module\", conf = {...} }");
    const std::string& name = *table->list[0].text();
    for (const Field& field : table->fields)
      if (field.name != "conf")
        problem(path, where + ": " + name + " has an unknown key '" + field.name + "'");
    const auto module =
        std::find_if(bundle_->modules_.begin(), bundle_->modules_.end(), [&](const Module& one) {
          return one.name == name && is_in_folder(one.path, recipe_.module_folder);
        });
    if (module == bundle_->modules_.end())
      return problem(path, where + ": there is no module '" + name + "'");
    const auto index = static_cast<size_t>(module - bundle_->modules_.begin());
    const Known& known = known_[index];
    if (!known.sound) return;  // its own problems say why
    if (!known.has_hook[phase])
      return problem(path, where + ": the module '" + name + "' has no function " + where);
    std::vector<std::string> wrong;
    Value conf = check_conf(known.declared_conf, entry["conf"], wrong);
    for (const std::string& what : wrong) problem(path, where + ": " + name + ": " + what);
    if (wrong.empty()) bundle_->chain_[phase].push_back({index, std::move(conf)});
  }

  // Opens the bundle once as a worker will, so that what passes here cannot fail there.
  void try_out() {
    auto hooks = Hooks::open(bundle_, recipe_, kPolicyProfile, slot_);
    if (!hooks) problem("scripts", hooks.error().what);
  }

  const SourceTree& tree_;
  const BundleRecipe& recipe_;
  WatchSlot* slot_;
  std::shared_ptr<Bundle> bundle_;
  std::unique_ptr<State> state_;
  std::vector<Known> known_;
  const File* chain_ = nullptr;
  std::vector<Problem> problems_;
};

BuildResult build_bundle(const SourceTree& tree, const BundleRecipe& recipe, uint64_t generation,
                         WatchSlot* slot) {
  return BundleBuilder(tree, recipe, slot).build(generation);
}

}  // namespace mg::script
