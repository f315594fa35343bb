#include "store/txn.h"

#include <catch2/catch.hpp>

#include "store/codec.h"
#include "support/temp_dir.h"

using namespace mg;
using namespace mg::store;
using mg::test::TempDir;

namespace {

struct Store {
  Store() {
    EnvOptions options;
    options.directory = dir / "store";
    options.tables = {"one", "two"};
    env = std::move(*Env::open(options));
    one = env->table("one");
    two = env->table("two");
  }
  TempDir dir;
  std::unique_ptr<Env> env;
  Table one, two;
};

}  // namespace

TEST_CASE("a write shows when it is committed, all of it") {
  Store s;
  {
    auto txn = WriteTxn::begin(*s.env);
    REQUIRE(txn->put(s.one, "a", "1"));
    REQUIRE(txn->put(s.two, "b", "2"));
    CHECK(**txn->get(s.one, "a") == "1");
  }
  auto before = ReadTxn::begin(*s.env);
  CHECK(!*before->get(s.one, "a"));
  {
    auto txn = WriteTxn::begin(*s.env);
    REQUIRE(txn->put(s.one, "a", "1"));
    REQUIRE(txn->put(s.two, "b", ""));
    REQUIRE(std::move(*txn).commit());
  }
  CHECK(!*before->get(s.one, "a"));
  auto after = ReadTxn::begin(*s.env);
  CHECK(**after->get(s.one, "a") == "1");
  CHECK((*after->get(s.two, "b"))->empty());
  CHECK(*after->count(s.one) == 1);
}

TEST_CASE("appending goes behind the last key only") {
  Store s;
  auto txn = WriteTxn::begin(*s.env);
  REQUIRE(txn->append(s.one, NumberKey(5), "five"));
  REQUIRE(txn->append(s.one, NumberKey(300), "three hundred"));
  CHECK(txn->append(s.one, NumberKey(300), "again").error().code == Errc::conflict);
  CHECK(txn->append(s.one, NumberKey(7), "seven").error().code == Errc::conflict);
}

TEST_CASE("a key has its bound") {
  Store s;
  auto txn = WriteTxn::begin(*s.env);
  CHECK(txn->put(s.one, std::string(limits::store_key_bytes_max, 'k'), "v"));
  CHECK(txn->put(s.one, std::string(limits::store_key_bytes_max + 1, 'k'), "v").error().code ==
        Errc::too_large);
  CHECK(!*txn->get(s.one, std::string(limits::store_key_bytes_max + 1, 'k')));
}

TEST_CASE("erasing says whether there was something") {
  Store s;
  auto txn = WriteTxn::begin(*s.env);
  REQUIRE(txn->put(s.one, "a", "1"));
  CHECK(*txn->erase(s.one, "a"));
  CHECK(!*txn->erase(s.one, "a"));
}

TEST_CASE("a cursor walks both ways in order") {
  Store s;
  {
    auto txn = WriteTxn::begin(*s.env);
    for (uint64_t n = 10; n <= 50; n += 10) REQUIRE(txn->append(s.one, NumberKey(n), "v"));
    REQUIRE(std::move(*txn).commit());
  }
  auto txn = ReadTxn::begin(*s.env);
  auto cursor = txn->cursor(s.one);
  REQUIRE(cursor);
  std::vector<uint64_t> seen;
  auto there = cursor->first();
  while (there && *there) {
    seen.push_back(*number_of(cursor->key()));
    there = cursor->next();
  }
  CHECK(seen == std::vector<uint64_t>{10, 20, 30, 40, 50});
  REQUIRE(*cursor->seek(NumberKey(25)));
  CHECK(*number_of(cursor->key()) == 30);
  REQUIRE(*cursor->previous());
  CHECK(*number_of(cursor->key()) == 20);
  CHECK(!*cursor->seek(NumberKey(51)));
  REQUIRE(*cursor->last());
  CHECK(*number_of(cursor->key()) == 50);
  auto empty = txn->cursor(s.two);
  CHECK(!*empty->first());
  CHECK(!*empty->last());
}

TEST_CASE("a full map is an error, and the store goes on") {
  const TempDir dir;
  EnvOptions options;
  options.directory = dir / "store";
  options.tables = {"one"};
  options.map_bytes = 64 * limits::KiB;
  auto env = std::move(*Env::open(options));
  Result<> full;
  {
    auto txn = WriteTxn::begin(*env);
    for (int i = 0; i < 100 && full; ++i)
      full = txn->put(env->table("one"), std::to_string(i), std::string(2000, 'v'));
  }
  REQUIRE(!full);
  CHECK(full.error().code == Errc::too_large);
  auto txn = WriteTxn::begin(*env);
  CHECK(txn->put(env->table("one"), "a", "1"));
  CHECK(std::move(*txn).commit());
}
