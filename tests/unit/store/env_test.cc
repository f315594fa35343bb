#include "store/env.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "store/codec.h"
#include "store/txn.h"
#include "support/temp_dir.h"

using namespace mg;
using namespace mg::store;
using mg::test::TempDir;

namespace {

EnvOptions options_for(const TempDir& dir, Access access = Access::read_write) {
  EnvOptions options;
  options.directory = dir / "store";
  options.access = access;
  options.tables = {"one", "two"};
  return options;
}

std::unique_ptr<Env> opened(const EnvOptions& options) {
  auto env = Env::open(options);
  REQUIRE(env);
  return std::move(*env);
}

void put(Env& env, std::string_view key, std::string_view value) {
  auto txn = WriteTxn::begin(env);
  REQUIRE(txn);
  REQUIRE(txn->put(env.table("one"), key, value));
  REQUIRE(std::move(*txn).commit());
}

// What a child process came to, as its exit status.
template <class F>
int in_child(F&& f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("a writer makes its directory, and nobody else may look in") {
  const TempDir dir;
  const auto env = opened(options_for(dir));
  struct stat figures;
  REQUIRE(::stat((dir / "store").c_str(), &figures) == 0);
  CHECK((figures.st_mode & 0777) == 0700);
  REQUIRE(::stat((dir / "store/data.mdb").c_str(), &figures) == 0);
  CHECK((figures.st_mode & 0777) == 0600);
}

TEST_CASE("two writers never share a store") {
  const TempDir dir;
  auto env = opened(options_for(dir));
  const auto second = Env::open(options_for(dir));
  REQUIRE(!second);
  CHECK(second.error().code == Errc::conflict);
  CHECK(second.error().what.find(std::to_string(::getpid())) != std::string::npos);
  CHECK(in_child([&] {
          const auto other = Env::open(options_for(dir));
          return !other && other.error().code == Errc::conflict ? 0 : 1;
        }) == 0);
  env.reset();
  CHECK(Env::open(options_for(dir)));
}

TEST_CASE("the lock of a writer that died is free") {
  const TempDir dir;
  CHECK(in_child([&] {
          auto env = Env::open(options_for(dir));
          if (!env) return 1;
          ::kill(::getpid(), SIGKILL);
          return 2;
        }) == 128 + SIGKILL);
  CHECK(Env::open(options_for(dir)));
}

TEST_CASE("a reader needs a store, its tables, and no lock") {
  const TempDir dir;
  CHECK(Env::open(options_for(dir, Access::read_only)).error().code == Errc::not_found);
  auto env = opened(options_for(dir));
  put(*env, "a", "1");
  CHECK(in_child([&] {
          auto reader = Env::open(options_for(dir, Access::read_only));
          if (!reader) return 1;
          auto txn = ReadTxn::begin(**reader);
          if (!txn) return 2;
          const auto value = txn->get((*reader)->table("one"), "a");
          return value && *value && **value == "1" ? 0 : 3;
        }) == 0);
  CHECK(in_child([&] {
          EnvOptions wrong = options_for(dir, Access::read_only);
          wrong.tables.push_back("three");
          const auto reader = Env::open(wrong);
          return !reader && reader.error().code == Errc::not_found ? 0 : 1;
        }) == 0);
}

TEST_CASE("what is no store, or was cut short, is refused") {
  const TempDir dir;
  SECTION("not LMDB") {
    ::mkdir((dir / "store").c_str(), 0700);
    std::ofstream(dir / "store/data.mdb") << std::string(16'384, 'x');
    const auto env = Env::open(options_for(dir));
    REQUIRE(!env);
    CHECK(env.error().code == Errc::invalid);
  }
  SECTION("cut short") {
    auto env = opened(options_for(dir));
    for (int i = 0; i < 64; ++i) put(*env, std::to_string(i), std::string(100'000, 'v'));
    env.reset();
    REQUIRE(::truncate((dir / "store/data.mdb").c_str(), 65'536) == 0);
    const auto again = Env::open(options_for(dir));
    REQUIRE(!again);
    CHECK(again.error().code == Errc::invalid);
    CHECK(again.error().what.find("cut short") != std::string::npos);
  }
}

TEST_CASE("a store that was emptied is not taken for a new one") {
  const TempDir dir;
  const std::string data = dir / "store/data.mdb", mark = dir / "store/beginning";
  put(*opened(options_for(dir)), "a", "1");
  CHECK_FALSE(std::filesystem::exists(mark));
  REQUIRE(::truncate(data.c_str(), 0) == 0);
  for (const Access access : {Access::read_write, Access::read_only}) {
    const auto env = Env::open(options_for(dir, access));
    REQUIRE(!env);
    CHECK(env.error().code == Errc::invalid);
    CHECK(env.error().what.find("data.mdb is empty") != std::string::npos);
  }
  CHECK(std::filesystem::file_size(data) == 0);
  SECTION("until it is removed") {
    std::filesystem::remove(data);
    CHECK(Env::open(options_for(dir)));
  }
  SECTION("but where a first start was killed before it wrote") {
    std::ofstream(mark).flush();
    CHECK(Env::open(options_for(dir, Access::read_only)).error().code == Errc::not_found);
    put(*opened(options_for(dir)), "a", "1");
    CHECK_FALSE(std::filesystem::exists(mark));
    REQUIRE(::truncate(data.c_str(), 0) == 0);
    CHECK_FALSE(Env::open(options_for(dir)));
  }
}

TEST_CASE("a copy is a store of its own, and appears whole or not at all") {
  const TempDir dir;
  auto env = opened(options_for(dir));
  put(*env, "a", "1");
  REQUIRE(env->copy_to(dir / "copy"));
  CHECK(std::filesystem::status(dir / "copy/data.mdb").permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(env->copy_to(dir / "copy").error().code == Errc::conflict);
  CHECK(env->copy_to(dir / "missing/copy").error().code == Errc::not_found);
  put(*env, "a", "2");
  env.reset();
  EnvOptions options = options_for(dir, Access::read_only);
  options.directory = dir / "copy";
  const auto copy = opened(options);
  const auto txn = ReadTxn::begin(*copy);
  REQUIRE(txn);
  CHECK(**txn->get(copy->table("one"), "a") == "1");
  struct stat figures;
  CHECK(::stat((dir / "copy.partial").c_str(), &figures) != 0);
}

TEST_CASE("readers are seen, and dead ones cleared") {
  const TempDir dir;
  auto env = opened(options_for(dir));
  put(*env, "a", "1");
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto reader = Env::open(options_for(dir, Access::read_only));
    auto txn = ReadTxn::begin(**reader);
    (void)!::write(ready[1], "x", 1);
    ::pause();
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  for (int i = 0; i < 5; ++i) put(*env, "a", std::to_string(i));
  auto figures = env->figures();
  REQUIRE(figures);
  CHECK(figures->readers == 1);
  CHECK(figures->oldest_reader_age >= 5);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(*env->clear_dead_readers() == 1);
  CHECK(*env->clear_dead_readers() == 0);
  figures = env->figures();
  CHECK(figures->readers == 0);
  CHECK(figures->oldest_reader_age == 0);
  CHECK(figures->file_bytes > 0);
  ::close(ready[0]);
  ::close(ready[1]);
}
