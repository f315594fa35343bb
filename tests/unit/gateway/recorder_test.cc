// Decision records on their way to the disk: how many may wait, and how long a segment grows.
#include "gateway/recorder.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/assert.h"
#include "base/limits.h"
#include "support/temp_dir.h"

using namespace mg;
using namespace mg::gateway;

namespace {

// Read by the recorder's thread.
class SteppedClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return wall_ms() * kNsPerMs; }
  int64_t wall_ms() override { return now_ms; }
  std::atomic<int64_t> now_ms = 1'000;
};

// A line of so many bytes, its end included.
std::string line_of(size_t bytes) { return std::string(bytes - 1, 'r') + '\n'; }

// A disk that takes nothing until it is read: a pipe in the place of the first segment.
class StuckDisk {
 public:
  StuckDisk(const std::string& directory, const SteppedClock& clock) {
    const std::string path = directory + "/" + std::to_string(clock.now_ms.load()) + ".jsonl";
    MG_ASSERT(::mkfifo(path.c_str(), 0600) == 0);
    pipe_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    MG_ASSERT(pipe_ >= 0);
  }
  ~StuckDisk() { ::close(pipe_); }
  StuckDisk(const StuckDisk&) = delete;

  // The writer has come with what waited, and stays.
  void wait_for_writer() const {
    pollfd look{pipe_, POLLIN, 0};
    REQUIRE(::poll(&look, 1, 20'000) == 1);
  }
  // So many bytes, or fewer where no more come.
  size_t read(size_t bytes) const {
    std::string buffer(1 << 16, '\0');
    size_t sum = 0;
    pollfd look{pipe_, POLLIN, 0};
    while (sum < bytes && ::poll(&look, 1, 20'000) == 1) {
      const ssize_t n = ::read(pipe_, buffer.data(), buffer.size());
      if (n <= 0) break;
      sum += static_cast<size_t>(n);
    }
    return sum;
  }

 private:
  int pipe_ = -1;
};

}  // namespace

TEST_CASE("as many records wait for the disk as may; one byte more is dropped and counted") {
  const test::TempDir dir(test::TempDir::On::memory);
  SteppedClock clock;
  const StuckDisk disk(dir.path(), clock);
  auto recorder = *Recorder::open({dir.path()}, clock);
  // More than a pipe holds: the writer is stuck with it, and nothing waits behind.
  constexpr size_t kStuck = 1 * limits::MiB;
  std::string lines = line_of(kStuck);
  recorder->add(lines);
  disk.wait_for_writer();

  lines = line_of(limits::records_waiting_bytes_max / 2);
  recorder->add(lines);
  CHECK(lines.empty());
  lines = line_of(limits::records_waiting_bytes_max / 2 + 1);
  recorder->add(lines);  // a byte too long
  CHECK(lines.empty());
  CHECK(recorder->dropped() == 1);
  lines = line_of(limits::records_waiting_bytes_max / 2);
  recorder->add(lines);
  CHECK(recorder->dropped() == 1);
  lines = "\n";
  recorder->add(lines);
  CHECK(recorder->dropped() == 2);
  lines = "a\nb\n";
  recorder->add(lines);
  CHECK(recorder->dropped() == 4);  // lines, not calls

  // What waited is written all the same, and there is room again.
  CHECK(disk.read(kStuck + limits::records_waiting_bytes_max) ==
        kStuck + limits::records_waiting_bytes_max);
  lines = line_of(10);
  recorder->add(lines);
  CHECK(recorder->dropped() == 4);
  recorder.reset();
}

TEST_CASE("records that the disk does not take are counted, and the next ones go elsewhere") {
  const test::TempDir dir(test::TempDir::On::memory);
  SteppedClock clock;
  std::filesystem::create_symlink("/dev/full", dir / "1000.jsonl");
  auto recorder = *Recorder::open({dir.path()}, clock);
  const auto until = [](const auto& holds) {
    for (int i = 0; i < 2000 && !holds(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return holds();
  };
  std::string lines = "a\nb\n";
  recorder->add(lines);
  CHECK(until([&] { return recorder->dropped() == 2; }));
  clock.now_ms = 2'000;
  lines = "c\n";
  recorder->add(lines);
  CHECK(until([&] {
    std::error_code none;
    return std::filesystem::file_size(dir / "2000.jsonl", none) == 2 && !none;
  }));
  CHECK(recorder->dropped() == 2);
}

TEST_CASE("a segment that is full is followed by another") {
  const test::TempDir dir(test::TempDir::On::memory);
  SteppedClock clock;
  auto recorder = *Recorder::open({dir.path()}, clock);
  const auto size_of = [&](int64_t begun_ms) -> uintmax_t {
    std::error_code none;
    const auto size = std::filesystem::file_size(dir / (std::to_string(begun_ms) + ".jsonl"), none);
    return none ? 0 : size;
  };
  // Each is written in a round of its own, and a segment is named by the time it is begun.
  const auto write = [&](int64_t at_ms, size_t bytes, int64_t into_ms) {
    const uintmax_t wanted = size_of(into_ms) + bytes;
    clock.now_ms = at_ms;
    std::string lines = line_of(bytes);
    recorder->add(lines);
    for (int i = 0; i < 2000 && size_of(into_ms) != wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return size_of(into_ms) == wanted;
  };
  REQUIRE(write(1'000, limits::record_segment_bytes - 1, 1'000));
  REQUIRE(write(2'000, 1, 1'000));  // a byte of room is room
  REQUIRE(write(3'000, 10, 3'000));
  REQUIRE(write(4'000, 10, 3'000));
  CHECK(size_of(1'000) == limits::record_segment_bytes);
  CHECK(size_of(2'000) == 0);
}

TEST_CASE("with a byte less room than there must stay, records are dropped and counted") {
  class Space final : public ledger::FreeSpace {
   public:
    Result<uint64_t> free_bytes(const std::string&) override { return left.load(); }
    std::atomic<uint64_t> left = 0;
  };
  const test::TempDir dir(test::TempDir::On::memory);
  SteppedClock clock;
  Space space;
  constexpr uint64_t kStays = 64 * limits::MiB;
  auto recorder = *Recorder::open({dir.path(), kStays, &space}, clock);
  const auto written = [&] {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(dir.path()))
      bytes += entry.file_size();
    return bytes;
  };
  const auto wait_for = [](const auto& what) {
    for (int i = 0; i < 1000 && !what(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return what();
  };
  for (const uint64_t left : {kStays + 99, kStays, uint64_t{50}, uint64_t{0}}) {
    space.left = left;
    const uint64_t before = recorder->dropped();
    std::string lines = line_of(40) + line_of(60);
    recorder->add(lines);
    CHECK(wait_for([&] { return recorder->dropped() == before + 2; }));
  }
  CHECK(written() == 0);
  space.left = kStays + 100;
  std::string lines = line_of(40) + line_of(60);
  recorder->add(lines);
  CHECK(wait_for([&] { return written() == 100; }));
  CHECK(recorder->dropped() == 8);
}
