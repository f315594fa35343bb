#include "ledger/disk.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace mg::ledger {

Result<uint64_t> StatvfsSpace::free_bytes(const std::string& path) {
  struct statvfs figures;
  if (::statvfs(path.c_str(), &figures) != 0)
    return fail(Errc::io, "statvfs " + path + ": " + std::strerror(errno));
  return uint64_t{figures.f_bavail} * figures.f_frsize;
}

DiskGuard::DiskGuard(std::string directory, FreeSpace& space, uint64_t low_bytes,
                     uint64_t ballast_bytes)
    : directory_(std::move(directory)),
      ballast_path_(directory_ + "/ballast"),
      space_(space),
      low_bytes_(low_bytes),
      ballast_bytes_(ballast_bytes) {
  has_ballast_ = ::access(ballast_path_.c_str(), F_OK) == 0;
  look();
}

void DiskGuard::before_commit() {
  look();
  const bool low = is_low();
  if (low && has_ballast_ && free_bytes_ < low_bytes_ / 2) give_up_ballast();
  if (!low && !has_ballast_ && ballast_bytes_ > 0) take_ballast();
}

bool DiskGuard::looks_low() {
  look();
  return is_low();
}

void DiskGuard::look() {
  const Result<uint64_t> free = space_.free_bytes(directory_);
  if (!free) return;  // what cannot be seen is as it was; a commit will find out
  free_bytes_ = *free;
  // Enough is the mark, and room to take the ballast back without falling below it again.
  const uint64_t enough = low_bytes_ + (has_ballast_ ? 0 : ballast_bytes_);
  const bool was_low = is_low();
  const bool low = was_low ? *free < enough : *free < low_bytes_;
  if (low_.exchange(low, std::memory_order_relaxed) == low) return;
  if (low) {
    log_error("disk_low", {{"free_bytes", std::to_string(*free)}});
  } else {
    log_info("disk_low_over", {{"free_bytes", std::to_string(*free)}});
  }
}

void DiskGuard::give_up_ballast() {
  if (::unlink(ballast_path_.c_str()) != 0 && errno != ENOENT) return;
  has_ballast_ = false;
  log_warning("ballast_given_up");
}

void DiskGuard::take_ballast() {
  if (free_bytes_ < low_bytes_ + ballast_bytes_) return;
  const int fd = ::open(ballast_path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const int failed = ::posix_fallocate(fd, 0, static_cast<off_t>(ballast_bytes_));
  ::close(fd);
  if (failed != 0) {
    ::unlink(ballast_path_.c_str());
    return;
  }
  has_ballast_ = true;
}

}  // namespace mg::ledger
