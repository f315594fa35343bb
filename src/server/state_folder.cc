#include "server/state_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace mg::server {
namespace {

constexpr mode_t kOursAlone = 0700;

Error system_error(const std::string& doing, int number) {
  return {Errc::io, doing + ": " + std::strerror(number)};
}

Result<> check_existing(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return tl::unexpected(system_error(path, errno));
  if (!S_ISDIR(status.st_mode)) return fail(Errc::io, "state " + path + " is no folder");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  // An empty one of ours was made for this, under a wide umask.
  std::error_code error;
  if (status.st_uid == ::geteuid() && std::filesystem::is_empty(path, error) && !error &&
      ::chmod(path.c_str(), kOursAlone) == 0)
    return {};
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
  return fail(Errc::refused, "others may write into the state folder " + path + " (mode " + mode +
                                 "): name a folder of its own, or chmod 700 this one");
}

}  // namespace

Result<> make_state_folder(const Config& config) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(config.state).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return fail(Errc::io, parent.string() + ": " + error.message());
  if (::mkdir(config.state.c_str(), kOursAlone) != 0) {
    if (errno != EEXIST) return tl::unexpected(system_error("make " + config.state, errno));
    MG_CHECK(check_existing(config.state));
  }
  if (::mkdir(config.records().c_str(), kOursAlone) != 0 && errno != EEXIST)
    return tl::unexpected(system_error("make " + config.records(), errno));
  return {};
}

Result<bool> has_store(const Config& config) {
  struct stat status;
  if (::stat(config.store().c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return tl::unexpected(
      system_error("cannot see whether there is a store in " + config.state, errno));
}

}  // namespace mg::server
