#include "store/env.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"

namespace mg::store {
namespace {

constexpr unsigned kReadersMax = 126;
// Pages at the very end that a commit took and gave back are counted and never written.
constexpr uint64_t kUnwrittenPagesMax = 256;

Error system_error(std::string_view doing, int number) {
  Errc code = Errc::io;
  if (number == ENOENT) code = Errc::not_found;
  if (number == EACCES || number == EPERM || number == EROFS) code = Errc::refused;
  if (number == EEXIST) code = Errc::conflict;
  return {code, std::string(doing) + ": " + std::strerror(number)};
}

Result<> sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tl::unexpected(system_error(path, errno));
  const int status = ::fsync(fd);
  const int number = errno;
  ::close(fd);
  if (status != 0) return tl::unexpected(system_error("sync " + path, number));
  return {};
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Error store_error(int code, std::string_view doing) {
  Errc ours = Errc::io;
  switch (code) {
    case MDB_NOTFOUND:
      ours = Errc::not_found;
      break;
    case MDB_KEYEXIST:
      ours = Errc::conflict;
      break;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
      ours = Errc::invalid;
      break;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_BAD_VALSIZE:
      ours = Errc::too_large;
      break;
    case MDB_READERS_FULL:
      ours = Errc::overloaded;
      break;
    case ENOENT:
    case EACCES:
    case EPERM:
    case EROFS:
      return system_error(doing, code);
    default:
      break;
  }
  return {ours, std::string(doing) + ": " + mdb_strerror(code)};
}

Result<std::unique_ptr<Env>> Env::open(const EnvOptions& options) {
  std::unique_ptr<Env> env(new Env);
  env->directory_ = options.directory;
  env->access_ = options.access;
  if (options.access == Access::read_write) {
    if (::mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST)
      return tl::unexpected(system_error("make " + options.directory, errno));
    MG_CHECK(env->take_writer_lock());
  }
  MG_CHECK(env->check_beginning());
  MG_CHECK(env->open_map(options));
  MG_CHECK(env->check_length());
  MG_CHECK(env->open_tables(options));
  if (options.access == Access::read_write) ::unlink(env->beginning_path().c_str());
  return env;
}

Env::~Env() {
  if (env_) mdb_env_close(env_);
  if (lock_ >= 0) ::close(lock_);
}

Result<> Env::take_writer_lock() {
  const std::string path = directory_ + "/writer.lock";
  lock_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock_ < 0) return tl::unexpected(system_error(path, errno));
  char owner[24] = {};
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return tl::unexpected(system_error("lock " + path, errno));
    const ssize_t n = ::pread(lock_, owner, sizeof owner - 1, 0);
    const std::string_view pid =
        trimmed(std::string_view(owner, n > 0 ? static_cast<size_t>(n) : 0));
    return fail(Errc::conflict, "the store " + directory_ + " is in use by process " +
                                    (pid.empty() ? "(unknown)" : std::string(pid)));
  }
  // The number is for people who meet the lock; the lock itself dies with the process.
  const std::string pid = std::to_string(::getpid()) + " ";
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, pid.data(), pid.size(), 0) < 0)
    return tl::unexpected(system_error("write " + path, errno));
  return {};
}

std::string Env::beginning_path() const { return directory_ + "/beginning"; }

// LMDB takes an empty file for a store that is yet to be made. It is one only where we were killed
// while we made it, which the mark says that stands from before the file until after it is whole.
Result<> Env::check_beginning() {
  const std::string path = directory_ + "/data.mdb";
  struct stat file;
  if (::stat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) return tl::unexpected(system_error(path, errno));
    if (access_ == Access::read_only) return {};  // LMDB says the rest
    const std::string mark = beginning_path();
    const int fd = ::open(mark.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) return tl::unexpected(system_error(mark, errno));
    ::close(fd);
    return sync_path(directory_);  // the file must not outlive a power cut alone
  }
  if (file.st_size > 0) return {};
  struct stat mark;
  const bool is_begun = ::stat(beginning_path().c_str(), &mark) == 0;
  if (is_begun && access_ == Access::read_write) return {};
  if (is_begun) return fail(Errc::not_found, "the store " + directory_ + " is not made yet");
  return fail(Errc::invalid, path +
                                 " is empty: what it held is lost. Put a backup in its place, or "
                                 "remove it to begin with new books");
}

Result<> Env::open_map(const EnvOptions& options) {
  MG_ASSERT(mdb_env_create(&env_) == 0);
  mdb_env_set_maxdbs(env_, static_cast<unsigned>(options.tables.size()));
  mdb_env_set_maxreaders(env_, kReadersMax);
  if (const int code = mdb_env_set_mapsize(env_, options.map_bytes))
    return tl::unexpected(store_error(code, "map"));
  // NOTLS: a read transaction belongs to its object, not to its thread.
  const unsigned flags = MDB_NOTLS | (access_ == Access::read_only ? MDB_RDONLY : 0u);
  if (const int code = mdb_env_open(env_, directory_.c_str(), flags, 0600))
    return tl::unexpected(store_error(code, "open the store " + directory_));
  return {};
}

// A file that was cut short kills the process with SIGBUS when a lost page is touched. (One that
// lost less than can be told here still does: only the audit's child may open such a file.)
Result<> Env::check_length() {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  struct stat file;
  const std::string path = directory_ + "/data.mdb";
  if (::stat(path.c_str(), &file) != 0) return tl::unexpected(system_error(path, errno));
  const auto has = static_cast<uint64_t>(file.st_size);
  const uint64_t needs = (info.me_last_pgno + 1) * stat.ms_psize;
  if (has + kUnwrittenPagesMax * stat.ms_psize < needs)
    return fail(Errc::invalid, path + " is cut short: " + std::to_string(has) + " of " +
                                   std::to_string(needs) + " bytes");
  return {};
}

Result<> Env::open_tables(const EnvOptions& options) {
  const bool writes = access_ == Access::read_write;
  MDB_txn* txn = nullptr;
  if (const int code = mdb_txn_begin(env_, nullptr, writes ? 0 : MDB_RDONLY, &txn))
    return tl::unexpected(store_error(code, "open tables"));
  for (const std::string_view name : options.tables) {
    MDB_dbi dbi = 0;
    const std::string text(name);
    if (const int code = mdb_dbi_open(txn, text.c_str(), writes ? MDB_CREATE : 0u, &dbi)) {
      mdb_txn_abort(txn);
      return tl::unexpected(store_error(code, "open table " + text));
    }
    tables_.emplace_back(text, Table(dbi));
  }
  if (const int code = mdb_txn_commit(txn)) return tl::unexpected(store_error(code, "open tables"));
  return {};
}

Table Env::table(std::string_view name) const {
  const auto found = std::find_if(tables_.begin(), tables_.end(),
                                  [name](const auto& entry) { return entry.first == name; });
  MG_ASSERT(found != tables_.end());
  return found->second;
}

Result<size_t> Env::clear_dead_readers() {
  int dead = 0;
  if (const int code = mdb_reader_check(env_, &dead))
    return tl::unexpected(store_error(code, "check readers"));
  return static_cast<size_t>(dead);
}

Result<> Env::copy_to(const std::string& directory) {
  const std::string partial = directory + ".partial";
  struct stat existing;
  if (::stat(directory.c_str(), &existing) == 0)
    return fail(Errc::conflict, directory + " exists already");
  if (::mkdir(partial.c_str(), 0700) != 0)
    return tl::unexpected(system_error("make " + partial, errno));
  const std::string data = partial + "/data.mdb";
  const auto give_up = [&](Error error) -> Result<> {
    ::unlink(data.c_str());
    ::rmdir(partial.c_str());
    return tl::unexpected(std::move(error));
  };
  if (const int code = mdb_env_copy2(env_, partial.c_str(), MDB_CP_COMPACT))
    return give_up(store_error(code, "copy to " + partial));
  // LMDB makes it as open to others as the caller's umask lets it.
  if (::chmod(data.c_str(), 0600) != 0) return give_up(system_error("chmod " + data, errno));
  if (auto synced = sync_path(data); !synced) return give_up(std::move(synced).error());
  if (auto synced = sync_path(partial); !synced) return give_up(std::move(synced).error());
  if (::rename(partial.c_str(), directory.c_str()) != 0)
    return give_up(system_error("rename to " + directory, errno));
  return sync_path(parent_of(directory));
}

Result<EnvFigures> Env::figures() {
  MDB_envinfo info;
  MDB_stat stat;
  mdb_env_info(env_, &info);
  mdb_env_stat(env_, &stat);
  EnvFigures out;
  struct stat file;
  const std::string path = directory_ + "/data.mdb";
  if (::stat(path.c_str(), &file) != 0) return tl::unexpected(system_error(path, errno));
  out.file_bytes = static_cast<uint64_t>(file.st_size);
  out.used_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
  out.last_commit = info.me_last_txnid;
  // LMDB tells of its readers only as lines of text: pid, thread, commit or "-".
  struct Oldest {
    uint32_t readers = 0;
    uint64_t commit = UINT64_MAX;
  } oldest;
  mdb_reader_list(
      env_,
      [](const char* line, void* into) {
        auto* seen = static_cast<Oldest*>(into);
        const std::string_view text = trimmed(std::string_view(line));
        const size_t blank = text.find_last_of(' ');
        const auto pid = parse_number<uint64_t>(text.substr(0, text.find(' ')));
        if (!pid || blank == std::string_view::npos) return 0;
        ++seen->readers;
        std::string_view last = text.substr(blank + 1);
        while (!last.empty() && (last.back() == '\n' || last.back() == '\r')) last.remove_suffix(1);
        if (const auto commit = parse_number<uint64_t>(last))
          seen->commit = std::min(seen->commit, *commit);
        return 0;
      },
      &oldest);
  out.readers = oldest.readers;
  if (oldest.commit < out.last_commit) out.oldest_reader_age = out.last_commit - oldest.commit;
  return out;
}

}  // namespace mg::store
