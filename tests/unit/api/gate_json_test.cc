// gate.json, as a policy sees it; what the bridge itself must keep is tried in
// script/json_table_test.
#include "policies/world.h"

using namespace mg;
using namespace mg::api;

namespace {

// What the hook's lines said, one after the other.
std::vector<std::string> said(const std::string& lines) {
  api::test::World world;
  const auto policies = world.hook(Phase::admit, lines);
  policies->admit(world.request);
  return world.ears.lines;
}

}  // namespace

TEST_CASE("gate.json goes both ways and loses nothing") {
  const auto lines = said(R"lua(
    local text = '{"a":[],"b":null,"n":9007199254740993,"o":{}}'
    local value = gate.json.decode(text)
    gate.log("info", gate.json.encode(value))
    gate.log("info", tostring(value.n) .. " " .. tostring(value.b == gate.json.null))
    gate.log("info", gate.json.encode({ list = gate.json.array({}), more = { 1, "x" } })))lua");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].ends_with(R"({"a":[],"b":null,"n":9007199254740993,"o":{}})"));
  CHECK(lines[1].ends_with("9007199254740993 true"));
  CHECK(lines[2].ends_with(R"({"list":[],"more":[1,"x"]})"));
}

TEST_CASE("gate.json is read-only, and what is no JSON is an error a policy can catch") {
  const auto lines = said(R"lua(
    local ok, why = pcall(gate.json.decode, "{]")
    gate.log("info", tostring(ok) .. " " .. type(why))
    gate.log("info", tostring(pcall(function() gate.json.null = 1 end))))lua");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with("false string"));
  CHECK(lines[1].find("false") != std::string::npos);
}
