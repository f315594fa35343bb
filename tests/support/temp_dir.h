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
  explicit TempDir(On on = On::disk) : TempDir(parent_on(on)) {}
  // Inside another one, which takes it along when its own process cannot.
  explicit TempDir(const std::string& parent) : path_(parent + "/moongate-test-XXXXXX") {
    if (!::mkdtemp(path_.data())) std::abort();
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
  static std::string parent_on(On on) {
    if (on == On::memory && std::filesystem::exists("/dev/shm")) return "/dev/shm";
    return std::filesystem::temp_directory_path().string();
  }

  std::string path_;
};

}  // namespace mg::test
