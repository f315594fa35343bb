#include "base/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mg {
namespace {

constexpr size_t kStepBytes = 64 * 1024;

Error cannot_read(const std::string& path, int number) {
  const Errc code = number == ENOENT || number == ENOTDIR ? Errc::not_found : Errc::io;
  return {code, "cannot read " + path + ": " + std::strerror(number)};
}

Result<std::string> read_all(int fd, const std::string& path, size_t bytes_max) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return tl::unexpected(cannot_read(path, errno));
  if (S_ISDIR(status.st_mode)) return fail(Errc::invalid, path + " is a folder, not a file");
  if (!S_ISREG(status.st_mode)) return fail(Errc::invalid, path + " is no regular file");
  std::string bytes;
  // Grown once: of a key no copy is left behind.
  bytes.reserve(std::min(static_cast<size_t>(status.st_size), bytes_max) + kStepBytes);
  // One byte more than there may be tells a file that is too long, also while it grows.
  while (bytes.size() <= bytes_max) {
    const size_t had = bytes.size();
    const size_t room = std::min(kStepBytes, bytes_max + 1 - had);
    bytes.resize(had + room);
    const ssize_t got = ::read(fd, bytes.data() + had, room);
    const int number = errno;
    bytes.resize(had + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got < 0 && number == EINTR) continue;
    if (got < 0) return tl::unexpected(cannot_read(path, number));
    if (got == 0) return bytes;
  }
  return fail(Errc::too_large, path + " has more than " + std::to_string(bytes_max) + " bytes");
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, size_t bytes_max) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  // What a socket says to being opened.
  if (fd < 0 && errno == ENXIO) return fail(Errc::invalid, path + " is no regular file");
  if (fd < 0) return tl::unexpected(cannot_read(path, errno));
  Result<std::string> bytes = read_all(fd, path, bytes_max);
  ::close(fd);
  return bytes;
}

}  // namespace mg
