#include "script/source_tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/limits.h"
#include "support/temp_dir.h"

using namespace mg;
using namespace mg::script;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  void write(const std::string& below, const std::string& bytes = "return {}") const {
    fs::create_directories(fs::path(path(below)).parent_path());
    std::ofstream(path(below), std::ios::binary) << bytes;
  }
  std::string path(const std::string& below = "") const {
    return below.empty() ? root_.path() : root_ / below;
  }

 private:
  mg::test::TempDir root_;
};

}  // namespace

TEST_CASE("scripts and data are read by their relative paths") {
  const Folder folder;
  folder.write("scripts/policies/chain.lua", "return 1");
  folder.write("scripts/policies/a.lua");
  folder.write("scripts/providers/x.lua");
  folder.write("scripts/agents/their.lua");
  folder.write("scripts/meta/gate.lua");
  folder.write("scripts/policies/.a.lua.swp");
  folder.write("scripts/policies/.hidden.lua");
  folder.write("scripts/policies/notes.txt");
  folder.write("data/models.json", "{}");
  folder.write("data/.lock");
  const auto tree = read_source_tree(folder.path("scripts"), folder.path("data"));
  REQUIRE(tree);
  REQUIRE(tree->scripts.size() == 3);
  CHECK(tree->scripts[0].path == "policies/a.lua");
  CHECK(tree->scripts[1].path == "policies/chain.lua");
  CHECK(tree->scripts[1].bytes == "return 1");
  CHECK(tree->scripts[2].path == "providers/x.lua");
  REQUIRE(tree->data.size() == 1);
  CHECK(tree->data[0].path == "models.json");
  CHECK(read_source_tree(folder.path("scripts"), "")->data.empty());
  CHECK(read_source_tree(folder.path("scripts"), folder.path("absent"))->data.empty());
  const auto absent = read_source_tree(folder.path("absent"), "");
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == Errc::not_found);
}

TEST_CASE("files are as many and as long as the bounds and no more") {
  const Folder folder;
  folder.write("long.lua", std::string(limits::script_source_bytes_max, ' '));
  CHECK(read_source_tree(folder.path(), ""));
  folder.write("long.lua", std::string(limits::script_source_bytes_max + 1, ' '));
  auto refused = read_source_tree(folder.path(), "");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::too_large);
  folder.write("long.lua", "");
  for (size_t i = 1; i < limits::script_files_max; ++i)
    folder.write("n" + std::to_string(i) + ".lua");
  CHECK(read_source_tree(folder.path(), "")->scripts.size() == limits::script_files_max);
  folder.write("one_more.lua");
  refused = read_source_tree(folder.path(), "");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::too_large);

  const Folder data;
  data.write("scripts/x.lua");
  data.write("data/large.bin", std::string(limits::data_file_bytes_max, 'x'));
  CHECK(read_source_tree(data.path("scripts"), data.path("data")));
  data.write("data/large.bin", std::string(limits::data_file_bytes_max + 1, 'x'));
  CHECK_FALSE(read_source_tree(data.path("scripts"), data.path("data")));
  data.write("data/large.bin", "");
  for (size_t i = 1; i < limits::data_files_max; ++i) data.write("data/n" + std::to_string(i));
  CHECK(read_source_tree(data.path("scripts"), data.path("data")));
  data.write("data/one_more");
  CHECK_FALSE(read_source_tree(data.path("scripts"), data.path("data")));
}

TEST_CASE("what cannot be resolved or is no file is refused by its name") {
  const Folder folder;
  folder.write("scripts/a.lua");
  folder.write("data/models.json", "{}");
  const auto refusal = [&] {
    const auto tree = read_source_tree(folder.path("scripts"), folder.path("data"));
    return tree ? std::string() : tree.error().what;
  };
  const auto expect_refused = [&](const std::string& below, const std::string& why) {
    const std::string said = refusal();
    INFO(said);
    CHECK(said.find(folder.path(below)) != std::string::npos);
    CHECK(said.find(why) != std::string::npos);
    fs::remove(folder.path(below));
    CHECK(refusal() == "");
  };
  const auto link = [&](const std::string& to, const std::string& below) {
    fs::create_symlink(to, folder.path(below));
  };
  link("loop.lua", "scripts/loop.lua");
  expect_refused("scripts/loop.lua", "symbolic links");
  link("loop", "scripts/loop");  // may be a folder of scripts
  expect_refused("scripts/loop", "symbolic links");
  link("gone", "scripts/dangling.lua");
  expect_refused("scripts/dangling.lua", "No such file");
  REQUIRE(::mkfifo(folder.path("scripts/pipe.lua").c_str(), 0600) == 0);
  expect_refused("scripts/pipe.lua", "no regular file");
  link("loop.json", "data/loop.json");
  expect_refused("data/loop.json", "symbolic links");
  REQUIRE(::mkfifo(folder.path("data/pipe.json").c_str(), 0600) == 0);
  expect_refused("data/pipe.json", "no regular file");

  // An editor's lock, and what is no script, are nobody's business.
  link("user@host.1234", "scripts/.#a.lua");
  link("gone", "scripts/README");
  REQUIRE(::mkfifo(folder.path("scripts/pipe").c_str(), 0600) == 0);
  CHECK(refusal() == "");

  link("loop", "loop");
  const auto looped = read_source_tree(folder.path("loop"), "");
  REQUIRE_FALSE(looped);
  CHECK(looped.error().what.find(folder.path("loop")) != std::string::npos);
  CHECK_FALSE(read_source_tree(folder.path("scripts"), folder.path("loop")));
}

TEST_CASE("links to files and to the root are followed, links to folders below it are not") {
  const Folder folder;
  folder.write("elsewhere/b.lua", "return 2");
  folder.write("scripts/sub/a.lua");
  fs::create_symlink("../elsewhere/b.lua", folder.path("scripts/b.lua"));
  fs::create_directory_symlink("..", folder.path("scripts/sub/up"));
  fs::create_directory_symlink("scripts", folder.path("root"));
  const auto tree = read_source_tree(folder.path("root"), "");
  REQUIRE(tree);
  REQUIRE(tree->scripts.size() == 2);
  CHECK(tree->scripts[0].path == "b.lua");
  CHECK(tree->scripts[0].bytes == "return 2");
  CHECK(tree->scripts[1].path == "sub/a.lua");
}
