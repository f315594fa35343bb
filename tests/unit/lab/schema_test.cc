#include "lab/schema.h"

#include <simdjson.h>

#include <catch2/catch.hpp>

#include "base/json_value.h"
#include "base/text.h"

using namespace mg;
using namespace mg::lab;

namespace {

// Whether a value satisfies a schema, judged by a second and simpler reading of it.
bool satisfies(const Json& value, const Json& schema, const Json& root) {
  if (schema.contains("$ref")) {
    const std::string pointer = schema["$ref"].get<std::string>().substr(1);
    return satisfies(value, pointer.empty() ? root : root.at(Json::json_pointer(pointer)), root);
  }
  for (const char* word : {"anyOf", "oneOf"})
    if (schema.contains(word))
      return std::any_of(schema[word].begin(), schema[word].end(),
                         [&](const Json& one) { return satisfies(value, one, root); });
  if (schema.contains("const")) return value == schema["const"];
  if (schema.contains("enum"))
    return std::find(schema["enum"].begin(), schema["enum"].end(), value) != schema["enum"].end();
  // Without a type, what else it says tells what is meant.
  std::string type = schema.contains("properties") ? "object"
                     : schema.contains("items")    ? "array"
                                                   : "any";
  if (schema.contains("type"))
    type = schema["type"].is_array() ? schema["type"][0] : schema["type"];
  if (type == "any" && !schema.contains("minLength") && !schema.contains("maxLength")) return true;
  if (type == "integer" || type == "number") {
    if (type == "integer" ? !value.is_number_integer() : !value.is_number()) return false;
    const double number = value.get<double>();
    return number >= schema.value("minimum", -1e300) && number <= schema.value("maximum", 1e300) &&
           number > schema.value("exclusiveMinimum", -1e300) &&
           number < schema.value("exclusiveMaximum", 1e300);
  }
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "array") {
    if (!value.is_array() || value.size() < schema.value("minItems", size_t{0}) ||
        value.size() > schema.value("maxItems", size_t{1000}))
      return false;
    return std::all_of(value.begin(), value.end(), [&](const Json& item) {
      return !schema.contains("items") || satisfies(item, schema["items"], root);
    });
  }
  if (type == "object") {
    if (!value.is_object()) return false;
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [key, property] : properties.items())
      if (!value.contains(key) || !satisfies(value[key], property, root)) return false;
    return value.size() == properties.size();
  }
  if (!value.is_string()) return false;
  const auto text = value.get<std::string>();
  const auto chars = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  return chars >= schema.value("minLength", size_t{0}) &&
         chars <= schema.value("maxLength", size_t{1'000'000});
}

std::string fill(std::string_view schema, uint64_t seed, std::string_view prompt) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(schema);
  const Subject subject = subject_of(prompt);
  return value_by_schema(parser.parse(padded), {subject, prompt}, seed);
}

}  // namespace

TEST_CASE("values satisfy their schemas, whatever the seed") {
  const char* schemas[] = {
      R"({"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":7},"unit":{"enum":["c","f"]}},"required":["city"]})",
      R"({"type":"array","items":{"type":"number","minimum":0.2,"maximum":0.8},"minItems":3,"maxItems":5})",
      R"({"type":"integer","exclusiveMinimum":4,"exclusiveMaximum":6})",
      R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})",
      R"({"type":"integer","maximum":-5})",
      R"({"type":"integer","minimum":9007199254740990})",
      R"({"type":"integer","minimum":5.2,"maximum":6.1})",
      R"({"type":["string","null"],"maxLength":3})",
      R"({"type":"string","minLength":200,"maxLength":210})",
      R"({"const":{"a":[1,null,"x"]}})",
      R"({"anyOf":[{"type":"boolean"},{"type":"null"}]})",
      R"({"properties":{"nested":{"properties":{"deep":{"items":{"type":"boolean"}}}}},"type":"object"})",
      R"({"type":"object","properties":{"step":{"$ref":"#/$defs/step"}},"$defs":{"step":{"type":"object","properties":{"why":{"type":"string"},"result":{"type":"number"}}}}})",
      R"({"type":"array","minItems":0,"maxItems":0,"items":{"type":"string"}})",
      R"({"type":"array"})",
      R"({"type":"object"})",
      R"({"type":"string"})",
      R"({"type":"null"})",
  };
  for (const char* schema : schemas) {
    const Json parsed = *parse_json(schema);
    for (uint64_t seed = 0; seed < 200; ++seed) {
      for (const char* prompt : {"What is the weather in Seattle?", "月门在中国园林", ""}) {
        const std::string text = fill(schema, seed, prompt);
        INFO(schema << "\n" << text);
        const Result<Json> value = parse_json(text);
        REQUIRE(value);
        CHECK(satisfies(*value, parsed, parsed));
        if (seed == 0) CHECK(fill(schema, seed, prompt) == text);
      }
    }
  }
}

TEST_CASE("a value speaks of what was asked, and keeps formats") {
  CHECK(fill(R"({"properties":{"location":{"type":"string"}}})", 1, "Weather in Seattle today?") ==
        R"({"location":"Seattle"})");
  CHECK(fill(R"({"properties":{"location":{"type":"string"}}})", 1, "weather?") ==
        R"({"location":"Lisbon"})");
  CHECK(fill(R"({"properties":{"query":{"type":"string"}}})", 1, "moon gates") ==
        R"({"query":"moon gates"})");
  CHECK(fill(R"({"format":"date","type":"string"})", 3, "").size() == 12);
  const std::string uuid = fill(R"({"format":"uuid","type":"string"})", 3, "");
  CHECK(uuid.size() == 38);
  CHECK(uuid[15] == '4');
  CHECK(fill(R"({"format":"email"})", 3, "") == R"("moon@example.com")");
  CHECK(fill("true", 3, "").front() == '"');
}

TEST_CASE("schemas that never end, or make no sense, still give JSON") {
  const std::string endless = fill(
      R"({"type":"object","properties":{"next":{"$ref":"#"},"other":{"type":"boolean"}}})", 1, "");
  CHECK(parse_json(endless));
  CHECK(endless.size() < 10'000);
  for (const char* odd :
       {R"({"enum":[]})", R"({"type":"spaceship"})", R"({"$ref":"#/nowhere"})", R"({"anyOf":[]})",
        R"({"type":[]})", R"({"type":"array","minItems":1000000000})", R"({"minLength":99999999})",
        R"({"type":"integer","minimum":10,"maximum":1})", R"({"properties":3,"type":"object"})",
        R"({"maxLength":-4})", R"({"type":"array","items":3,"maxItems":-1})", "[]", "3"}) {
    const std::string text = fill(odd, 7, "moon");
    INFO(odd << "\n" << text.substr(0, 200));
    CHECK(parse_json(text));
    CHECK(text.size() < 100'000);
  }
}
