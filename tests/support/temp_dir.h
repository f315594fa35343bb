// A directory of its own for one test, gone with it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace mg::test {

class TempDir {
 public:
  enum class On : uint8_t {
    disk,
    memory,  // where there is a /dev/shm; for tests that sync often and do not test the disk
  };
  explicit TempDir(On on = On::disk) {
    std::filesystem::path parent = std::filesystem::temp_directory_path();
    if (on == On::memory && std::filesystem::exists("/dev/shm")) parent = "/dev/shm";
    std::string path = (parent / "moongate-test-XXXXXX").string();
    if (!::mkdtemp(path.data())) std::abort();
    path_ = path;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace mg::test
