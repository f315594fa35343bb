#include "ledger/snapshot.h"

#include "ledger/recovery.h"
#include "ledger/rows.h"
#include "store/env.h"

namespace mg::ledger {

Snapshot::Snapshot() : state_(std::make_unique<State>(views_)) {}
Snapshot::~Snapshot() = default;

Result<std::unique_ptr<Snapshot>> Snapshot::open(const std::string& directory, size_t map_bytes) {
  store::EnvOptions options;
  options.directory = directory;
  options.access = store::Access::read_only;
  options.tables = store_tables();
  options.map_bytes = map_bytes;
  std::unique_ptr<Snapshot> snapshot(new Snapshot);
  MG_TRY(snapshot->env_, store::Env::open(options));
  MG_TRY(const Loaded loaded, load(*snapshot->env_, *snapshot->state_));
  snapshot->last_ = loaded.last;
  return snapshot;
}

Result<> Snapshot::each_record(std::string_view table, const RecordVisit& visit) {
  return ledger::each_record(*env_, table, visit);
}

Result<std::optional<std::string>> Snapshot::record(std::string_view table, std::string_view key) {
  return ledger::record(*env_, table, key);
}

Result<> Snapshot::backup(const std::string& directory) { return env_->copy_to(directory); }

}  // namespace mg::ledger
