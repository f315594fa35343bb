#include "script/conf.h"

#include "box.h"
#include "script/evaluate.h"

using namespace mg;
using namespace mg::script;

namespace {

Value table(const std::string& text) {
  const Evaluation evaluation = evaluate_table({"t.lua", "return " + text});
  for (const Problem& problem : evaluation.problems) FAIL(problem.text());
  return evaluation.value;
}

// The problems of a conf against a declaration, one a line; "" for none.
std::string check(const std::string& declared, const std::string& conf, Value* out = nullptr) {
  std::vector<std::string> problems;
  const Value d = table(declared);
  check_declaration(d, problems);
  for (const std::string& problem : problems) FAIL(problem);
  const Value checked = check_conf(d, table(conf), problems);
  if (out) *out = checked;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return text;
}

std::string declaration_problem(const std::string& declared) {
  std::vector<std::string> problems;
  check_declaration(table(declared), problems);
  return problems.empty() ? "" : problems.front();
}

}  // namespace

TEST_CASE("a conf is checked field by field, and all at once") {
  const std::string declared =
      "{ per_minute = { 'integer', min = 1, max = 100 }, share = { 'number', max = 1, default = "
      "0.5 }"
      ", mode = { 'string', one_of = { 'a', 'b' }, optional = true }, on = { 'boolean', default = "
      "true } }";
  Value out;
  CHECK(check(declared, "{ per_minute = 1 }", &out) == "");
  CHECK(out["per_minute"].integer() == 1);
  CHECK(*out["share"].number() == 0.5);
  CHECK(*out["on"].boolean());
  CHECK(out["mode"].is_nil());
  CHECK(check(declared, "{ per_minute = 100, mode = 'b', on = false }", &out) == "");
  CHECK_FALSE(*out["on"].boolean());
  CHECK(check(declared, "{}") == "conf.per_minute is required");
  CHECK(check(declared, "{ per_minute = 0 }") == "conf.per_minute must be at least 1");
  CHECK(check(declared, "{ per_minute = 101 }") == "conf.per_minute must be at most 100");
  CHECK(check(declared, "{ per_minute = 1.5 }") ==
        "conf.per_minute must be an integer, not 1.500000");
  CHECK(check(declared, "{ per_minute = '5' }") == "conf.per_minute must be an integer, not \"5\"");
  CHECK(check(declared, "{ per_minute = {} }") == "conf.per_minute must be an integer, not table");
  CHECK(check(declared, "{ per_minute = 5, mode = 'c' }") == "conf.mode must be one of: a, b");
  CHECK(check(declared, "{ per_minute = 5, pre_minute = 1 }") ==
        "conf has an unknown key 'pre_minute'");
  CHECK(check(declared, "{ 5, per_minute = 0, on = 1 }") ==
        "conf takes names, not a list\nconf.on must be true or false, not 1\n"
        "conf.per_minute must be at least 1");
}

TEST_CASE("lists, maps, amounts and networks") {
  CHECK(check("{ l = { 'list', of = { 'string' } } }", "{ l = { 'a', 'b' } }") == "");
  CHECK(check("{ l = { 'list', of = { 'string' } } }", "{ l = { 'a', 1 } }") ==
        "conf.l[2] must be a string, not 1");
  CHECK(check("{ l = { 'list' } }", "{ l = { x = 1 } }") == "conf.l must be a list, not table");
  CHECK(check("{ m = { 'map', of = { 'integer', min = 0 } } }", "{ m = { a = 1, b = -1 } }") ==
        "conf.m.b must be at least 0");
  CHECK(check("{ m = { 'map' } }", "{ m = { 1 } }") ==
        "conf.m must be a table with names as keys, not table");
  CHECK(check("{ m = { 'map', of = { 'list', of = { 'boolean' } } } }",
              "{ m = { a = { true }, b = { 1 } } }") == "conf.m.b[1] must be true or false, not 1");
  CHECK(check("{ a = { 'money' } }", "{ a = '5.00' }") == "");
  CHECK(check("{ a = { 'money' } }", "{ a = 5 }") ==
        "conf.a must be an amount of USD as text, such as \"5.00\", not 5");
  CHECK(check("{ a = { 'money' } }", "{ a = '-5' }") != "");
  CHECK(check("{ n = { 'network' } }", "{ n = '10.0.0.0/8' }") == "");
  CHECK(check("{ n = { 'network' } }", "{ n = '10.0.0.0/33' }") != "");
  CHECK(check("{ x = { 'any' } }", "{ x = { 1, { y = 2 } } }") == "");
}

TEST_CASE("a declaration is itself checked") {
  CHECK(declaration_problem("{ x = { 'integer' } }") == "");
  CHECK(declaration_problem("{ x = { 'intger' } }") ==
        "conf declares 'x' without a type it could have");
  CHECK(declaration_problem("{ x = 'integer' }") ==
        "conf declares 'x' without a type it could have");
  CHECK(declaration_problem("{ x = { 'integer', minimum = 1 } }") ==
        "conf declares 'x' with an unknown 'minimum'");
  CHECK(declaration_problem("{ x = { 'integer', default = 'y' } }") ==
        "conf.x must be an integer, not \"y\"");
  CHECK(declaration_problem("{ x = { 'list', of = { 'what' } } }") ==
        "conf declares 'x[]' without a type it could have");
  CHECK(declaration_problem("{ { 'integer' } }") == "conf must declare its fields by name");
}

TEST_CASE("a module that declares nothing takes any table") {
  std::vector<std::string> problems;
  CHECK(check_conf(Value(), table("{ a = 1 }"), problems)["a"].integer() == 1);
  CHECK(check_conf(Value(), Value(), problems) == Value(Table{}));
  CHECK(problems.empty());
  check_conf(Value(), Value(1), problems);
  CHECK(problems == std::vector<std::string>{"conf must be a table, not a number"});
}
