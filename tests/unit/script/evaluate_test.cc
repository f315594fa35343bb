#include "script/evaluate.h"

#include "box.h"

using namespace mg;
using namespace mg::script;

namespace {

Evaluation configuration(const std::string& text) {
  return evaluate_configuration({"moongate.lua", text},
                                [](std::string_view name) -> std::optional<std::string> {
                                  if (name == "KEY") return "secret";
                                  if (name == "EMPTY") return "";
                                  return std::nullopt;
                                });
}

}  // namespace

TEST_CASE("a configuration sees env and required, and nothing else") {
  const Evaluation e = configuration(
      "return { key = required(env('KEY')), none = env('NONE'), empty = env('EMPTY'), n = 1 + 1 }");
  CHECK(e.problems.empty());
  CHECK(*e.value["key"].text() == "secret");
  CHECK(e.value["none"].is_nil());
  CHECK(*e.value["empty"].text() == "");
  CHECK(e.value["n"].integer() == 2);
  for (const char* name : {"os", "io", "gate", "require", "print"})
    CHECK(configuration(std::string("return { x = ") + name + " }").value["x"].is_nil());
}

TEST_CASE("everything that is missing is named at once") {
  const Evaluation e = configuration(
      "return {\n  a = required(env('FIRST')),\n  b = required(env('KEY')),\n"
      "  c = required(env('SECOND')),\n  d = required(nil),\n}");
  REQUIRE(e.problems.size() == 3);
  CHECK(e.problems[0].text() ==
        "moongate.lua:2: the environment variable FIRST is required and not set");
  CHECK(e.problems[1].text() ==
        "moongate.lua:4: the environment variable SECOND is required and not set");
  CHECK(e.problems[2].text() == "moongate.lua:5: a required value is missing");
}

TEST_CASE("errors name file and line") {
  const auto problem = [](const std::string& text) {
    const Evaluation e = configuration(text);
    REQUIRE(e.problems.size() == 1);
    return e.problems[0].text();
  };
  CHECK(problem("return {\n  x = = 1\n}").find("moongate.lua:2: ") == 0);
  CHECK(problem("local t = nil\nreturn t.x").find("moongate.lua:2: attempt to index") == 0);
  CHECK(problem("return 42") == "moongate.lua: the file must return a table, not a number");
  CHECK(problem("return { f = function() end }").find("the table.f is a function") !=
        std::string::npos);
  CHECK(problem("while true do end").find("budget") != std::string::npos);
  CHECK(problem("\x1bLJ\x02").find("moongate.lua") == 0);
  // What follows a missing value still shows.
  const Evaluation e = configuration("return { x = required(env('NO')) .. 'suffix' }");
  REQUIRE(e.problems.size() == 2);
  CHECK(e.problems[1].what.find("concatenate") != std::string::npos);
}

TEST_CASE("a file may be as long as the bound and no longer") {
  const std::string head = "return {} --";
  const std::string most = head + std::string(limits::script_source_bytes_max - head.size(), 'x');
  CHECK(configuration(most).problems.empty());
  CHECK(configuration(most + "x").problems.size() == 1);
}

TEST_CASE("messages are taken apart into file, line and text") {
  const Problem p = problem_from("policies/x.lua:12: it: broke", "other.lua");
  CHECK(p.file == "policies/x.lua");
  CHECK(p.line == 12);
  CHECK(p.what == "it: broke");
  CHECK(problem_from("no place: at all", "other.lua").text() == "other.lua: no place: at all");
  CHECK(problem_from("plain", "other.lua").text() == "other.lua: plain");
}
