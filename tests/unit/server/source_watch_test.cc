// Changes of files on a real disk, seen by a real loop.
#include "server/source_watch.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/temp_dir.h"

using namespace mg;
using namespace mg::server;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

event::Task<> write_slowly(event::UvLoop& loop, std::string path) {
  for (int i = 0; i < 12; ++i) {
    write(path, "return " + std::to_string(i));
    co_await event::sleep_ms(loop, 25);
  }
}

struct Watched {
  Watched() {
    fs::create_directories(scripts + "/policies");
    fs::create_directories(data);
    write(scripts + "/policies/a.lua", "return 1");
    write(data + "/models.json", "{}");
    REQUIRE(watch.read_now());
    watch.start();
  }

  // Runs the loop until that many changes were seen in all, or the time is over.
  size_t run(size_t changes, int64_t most_ms) {
    const int64_t end_ns = loop.clock().monotonic_ns() + most_ms * kNsPerMs;
    loop.spawn(wait(changes, end_ns));
    loop.run();
    return seen.size();
  }
  event::Task<> wait(size_t changes, int64_t end_ns) {
    while (seen.size() < changes && loop.clock().monotonic_ns() < end_ns)
      co_await event::sleep_ms(loop, 10);
    loop.stop();
  }
  std::string bytes_of(const std::string& path) const {
    for (const script::File& file : seen.back().scripts)
      if (file.path == path) return file.bytes;
    return "(none)";
  }

  test::TempDir dir;
  const std::string scripts = dir / "scripts";
  const std::string data = dir / "data";
  SystemClock clock;
  event::UvLoop loop{clock};
  std::vector<script::SourceTree> seen;
  std::vector<std::string> refused;
  SourceWatch watch{loop, scripts, data, [this](Result<script::SourceTree> sources) {
                      if (sources) {
                        seen.push_back(std::move(*sources));
                      } else {
                        refused.push_back(sources.error().what);
                      }
                    }};
};

}  // namespace

TEST_CASE("a file that is written, replaced, added or removed is a change, seen once") {
  Watched watched;
  const std::string file = watched.scripts + "/policies/a.lua";
  SECTION("truncated and written") { write(file, "return 2"); }
  SECTION("renamed over") {
    write(watched.dir / "new.lua", "return 2");
    fs::rename(watched.dir / "new.lua", file);
  }
  SECTION("of the same length") { write(file, "return 2"); }
  CHECK(watched.run(1, 4000) == 1);
  CHECK(watched.bytes_of("policies/a.lua") == "return 2");
  CHECK(watched.run(2, 1500) == 1);

  write(watched.scripts + "/policies/b.lua", "return 3");
  CHECK(watched.run(2, 4000) == 2);
  CHECK(watched.bytes_of("policies/b.lua") == "return 3");
  fs::remove(file);
  CHECK(watched.run(3, 4000) == 3);
  CHECK(watched.bytes_of("policies/a.lua") == "(none)");
}

TEST_CASE("a folder behind a link that is swapped is a change") {
  Watched watched;
  fs::create_directories(watched.dir / "v2/policies");
  write(watched.dir / "v2/policies/a.lua", "return 2");
  fs::rename(watched.scripts, watched.dir / "v1");
  fs::create_directory_symlink(watched.dir / "v1", watched.scripts);
  watched.run(1, 4000);
  const size_t before = watched.seen.size();
  fs::create_directory_symlink(watched.dir / "v2", watched.dir / "next");
  fs::rename(watched.dir / "next", watched.scripts);
  CHECK(watched.run(before + 1, 4000) == before + 1);
  CHECK(watched.bytes_of("policies/a.lua") == "return 2");
}

TEST_CASE("what stays the same, and what is hidden, is no change") {
  Watched watched;
  write(watched.scripts + "/policies/.a.lua.swp", "half");
  CHECK(watched.run(1, 1500) == 0);
}

TEST_CASE(
    "files that cannot be read are told of once for each reason, and when they can be again") {
  Watched watched;
  const std::string link = watched.scripts + "/policies/b.lua";
  fs::create_symlink("b.lua", link);
  CHECK(watched.run(1, 3500) == 0);
  REQUIRE(watched.refused.size() == 1);
  CHECK(watched.refused[0].find(link) != std::string::npos);
  fs::remove(link);
  CHECK(watched.run(1, 4000) == 1);  // just what was known before
  CHECK(watched.bytes_of("policies/a.lua") == "return 1");
  CHECK(watched.refused.size() == 1);

  // Read on somebody's request: the watch knows of it too.
  fs::rename(watched.scripts, watched.dir / "away");
  CHECK_FALSE(watched.watch.read_now());
  fs::rename(watched.dir / "away", watched.scripts);
  CHECK(watched.run(2, 4000) == 2);
}

TEST_CASE("a set of files that is being written is taken when it is whole") {
  Watched watched;
  const std::string file = watched.scripts + "/policies/a.lua";
  watched.loop.spawn(write_slowly(watched.loop, file));
  CHECK(watched.run(1, 4000) >= 1);
  CHECK(watched.bytes_of("policies/a.lua") == "return 11");
}

TEST_CASE("fingerprints tell folders apart by name, size, and time of change") {
  test::TempDir dir;
  write(dir / "a", "1");
  const Fingerprint first = take_fingerprint({dir.path()});
  CHECK(take_fingerprint({dir.path()}) == first);
  CHECK(first.entries.size() == 2);
  fs::create_directory(dir / "sub");
  const Fingerprint second = take_fingerprint({dir.path()});
  CHECK_FALSE(second == first);
  CHECK(second.directories.size() == 3);  // the root, what is in it, and what it stands in
  CHECK_FALSE(take_fingerprint({dir / "none"}) == first);
}
