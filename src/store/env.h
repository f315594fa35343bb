// The one LMDB environment of a process: every commit is synced twice (data, then the page that
// names it), nothing is ever written in place, and a process that dies at any point leaves the
// state of its last commit. LMDB in its default mode is the only mode here, because it is the only
// one that kept every acknowledged write in simulated power cuts.
//
// A directory holds data.mdb, lock.mdb (LMDB's reader table) and writer.lock, which keeps a second
// writer out; while data.mdb is first made, also a file `beginning`. LMDB must not be opened twice
// by one process; whoever needs the store in another role of the same process forks first
// (ledger/audit.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

struct MDB_env;

namespace mg::store {

enum class Access : uint8_t {
  read_write,
  read_only,  // needs no lock, never recovers, never writes; works beside a writer
};

struct EnvOptions {
  std::string directory;  // made by a writer, if only the last part of it is missing
  Access access = Access::read_write;
  std::vector<std::string_view> tables;  // all that will be used; a writer makes what is missing
  size_t map_bytes = limits::map_bytes;
};

// One of the named tables.
class Table {
 public:
  Table() = default;
  explicit Table(unsigned handle) : handle_(handle) {}
  unsigned handle() const { return handle_; }

 private:
  unsigned handle_ = 0;
};

struct EnvFigures {
  uint64_t file_bytes = 0;
  uint64_t used_bytes = 0;         // up to the last page ever used
  uint64_t last_commit = 0;        // LMDB's own count
  uint32_t readers = 0;            // slots in use
  uint64_t oldest_reader_age = 0;  // in commits; a large one makes the file grow
};

class Env {
 public:
  // Errors: conflict, when another process writes this store (naming it); not_found, for a reader
  // without a store or without one of the tables; invalid, when the file is damaged, empty or
  // shorter than it says; refused, for missing rights; io.
  static Result<std::unique_ptr<Env>> open(const EnvOptions& options);
  ~Env();
  Env(const Env&) = delete;

  // Named in the options, or a bug.
  Table table(std::string_view name) const;
  Access access() const { return access_; }
  const std::string& directory() const { return directory_; }

  // Frees the slots of readers whose processes died; returns how many. Every 10 s, any thread.
  Result<size_t> clear_dead_readers();
  // A compact copy of the last commit, while others write, into a directory that must not exist.
  // It appears whole or not at all. Any thread. Errors: conflict, io.
  Result<> copy_to(const std::string& directory);
  Result<EnvFigures> figures();

  MDB_env* handle() const { return env_; }

 private:
  Env() = default;
  Result<> take_writer_lock();
  std::string beginning_path() const;
  Result<> check_beginning();
  Result<> open_map(const EnvOptions& options);
  Result<> check_length();
  Result<> open_tables(const EnvOptions& options);

  std::string directory_;
  Access access_ = Access::read_write;
  MDB_env* env_ = nullptr;
  int lock_ = -1;
  std::vector<std::pair<std::string, Table>> tables_;
};

// What LMDB said, as an Error. Internal to this folder.
Error store_error(int code, std::string_view doing);

}  // namespace mg::store
