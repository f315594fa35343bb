#include "lab/schema.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "lab/seed.h"
#include "lab/speech.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;

constexpr int kDepthMax = 32;
constexpr double kSpan = 100;              // of a number without a maximum
constexpr double kFar = 9007199254740992;  // 2^53: whole numbers are exact up to here
constexpr int64_t kItemsMax = 100;
constexpr size_t kTextBytesMax = 10'000;

class Filler {
 public:
  Filler(const dom::element& root, const Material& material) : root_(root), material_(material) {}

  void fill(std::string& out, const dom::element& element, std::string_view member, uint64_t seed,
            int depth) {
    dom::object schema;
    if (depth > kDepthMax) return void(out += "null");
    if (element.get(schema) != simdjson::SUCCESS) return fill_text(out, {}, member, seed);
    if (fill_listed(out, schema, seed)) return;
    if (const auto other = other_schema(schema)) return fill(out, *other, member, seed, depth + 1);
    const std::string_view type = type_of(schema);
    if (type == "object") return fill_object(out, schema, seed, depth);
    if (type == "array") return fill_array(out, schema, member, seed, depth);
    if (type == "integer" || type == "number") return fill_number(out, schema, type, seed);
    if (type == "boolean") return void(out += seed % 2 ? "true" : "false");
    if (type == "null") return void(out += "null");
    fill_text(out, schema, member, seed);
  }

 private:
  // const, enum and default say the value themselves.
  static bool fill_listed(std::string& out, const dom::object& schema, uint64_t seed) {
    dom::element value;
    dom::array values;
    const bool is_enum = schema["enum"].get(values) == simdjson::SUCCESS && values.size() > 0 &&
                         values.at(seed % values.size()).get(value) == simdjson::SUCCESS;
    if (!is_enum && schema["const"].get(value) != simdjson::SUCCESS &&
        schema["default"].get(value) != simdjson::SUCCESS)
      return false;
    out += simdjson::to_string(value);
    return true;
  }

  std::optional<dom::element> other_schema(const dom::object& schema) const {
    std::string_view pointer;
    dom::element other;
    if (schema["$ref"].get(pointer) == simdjson::SUCCESS && pointer.starts_with('#')) {
      if (pointer == "#") return root_;
      if (root_.at_pointer(pointer.substr(1)).get(other) == simdjson::SUCCESS) return other;
    }
    for (const char* word : {"anyOf", "oneOf", "allOf"}) {
      dom::array choices;
      if (schema[word].get(choices) == simdjson::SUCCESS &&
          choices.at(0).get(other) == simdjson::SUCCESS)
        return other;
    }
    return std::nullopt;
  }

  static std::string_view type_of(const dom::object& schema) {
    std::string_view type;
    dom::array types;
    if (schema["type"].get(types) == simdjson::SUCCESS &&
        types.at(0).get(type) == simdjson::SUCCESS)
      return type;
    if (schema["type"].get(type) == simdjson::SUCCESS) return type;
    dom::element ignored;
    if (schema["properties"].get(ignored) == simdjson::SUCCESS) return "object";
    if (schema["items"].get(ignored) == simdjson::SUCCESS) return "array";
    return "string";
  }

  void fill_object(std::string& out, const dom::object& schema, uint64_t seed, int depth) {
    out += '{';
    dom::object properties;
    if (schema["properties"].get(properties) == simdjson::SUCCESS) {
      bool is_first = true;
      for (const auto& [key, property] : properties) {
        if (!is_first) out += ',';
        is_first = false;
        append_json_string(out, key);
        out += ':';
        fill(out, property, key, mix(seed, key), depth + 1);
      }
    }
    out += '}';
  }

  void fill_array(std::string& out, const dom::object& schema, std::string_view member,
                  uint64_t seed, int depth) {
    dom::element items;
    const bool has_items = schema["items"].get(items) == simdjson::SUCCESS;
    const int64_t least = std::clamp<int64_t>(whole(schema, "minItems").value_or(1), 0, kItemsMax);
    const int64_t most =
        std::max(least, std::min(whole(schema, "maxItems").value_or(least + 1), least + 1));
    const int64_t count = least + static_cast<int64_t>(seed % uint64_t(most - least + 1));
    out += '[';
    for (int64_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      const uint64_t item_seed = mix(seed, static_cast<uint64_t>(i));
      if (has_items) {
        fill(out, items, member, item_seed, depth + 1);
      } else {
        fill_text(out, {}, member, item_seed);
      }
    }
    out += ']';
  }

  static std::optional<int64_t> whole(const dom::object& schema, const char* word) {
    int64_t number = 0;
    if (schema[word].get(number) == simdjson::SUCCESS) return number;
    return std::nullopt;
  }

  static std::optional<double> decimal(const dom::object& schema, const char* word) {
    double number = 0;
    if (schema[word].get(number) == simdjson::SUCCESS) return std::clamp(number, -kFar, kFar);
    return std::nullopt;
  }

  // Bounds that leave no room give the lower one.
  static void fill_number(std::string& out, const dom::object& schema, std::string_view type,
                          uint64_t seed) {
    auto least = decimal(schema, "minimum"), most = decimal(schema, "maximum");
    const auto above = decimal(schema, "exclusiveMinimum");
    const auto below = decimal(schema, "exclusiveMaximum");
    const bool is_whole = type == "integer";
    if (above) least = is_whole ? std::floor(*above) + 1 : *above;
    if (below) most = is_whole ? std::ceil(*below) - 1 : *below;
    const double low = least ? *least : most ? std::min(0.0, *most - kSpan) : 0.0;
    const double high = std::max(low, most.value_or(low + kSpan));
    if (is_whole) {
      const auto first = static_cast<int64_t>(std::ceil(low));
      const auto last = std::max(first, static_cast<int64_t>(std::floor(high)));
      out += std::to_string(first + int64_t(seed % (uint64_t(last - first) + 1)));
      return;
    }
    // Well inside, so that bounds which exclude themselves are kept too.
    const double share = 0.25 + 0.5 * SeededRng(seed).unit();
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, low + (high - low) * share);
    out.append(digits, end.ptr);
  }

  void fill_text(std::string& out, const std::optional<dom::object>& schema,
                 std::string_view member, uint64_t seed) const {
    std::string text;
    std::string_view format;
    if (schema && (*schema)["format"].get(format) == simdjson::SUCCESS)
      text = of_format(format, seed);
    if (text.empty()) text = of_member(member, seed);
    if (schema) {
      const auto least = whole(*schema, "minLength"), most = whole(*schema, "maxLength");
      fit(text, least.value_or(0), most.value_or(kTextBytesMax));
    }
    append_json_string(out, text);
  }

  static std::string of_format(std::string_view format, uint64_t seed) {
    const auto two_digits = [&](uint64_t most) {
      const std::string digits = std::to_string(1 + seed % most);
      return digits.size() < 2 ? "0" + digits : digits;
    };
    const std::string date = "2026-" + two_digits(12) + "-" + two_digits(28);
    if (format == "date") return date;
    if (format == "date-time") return date + "T12:00:00Z";
    if (format == "time") return "12:00:00Z";
    if (format == "duration") return "PT1H";
    if (format == "email") return "moon@example.com";
    if (format == "hostname") return "example.com";
    if (format == "ipv4") return "192.0.2.1";
    if (format == "ipv6") return "2001:db8::1";
    if (format == "uri" || format == "url") return "https://example.com/" + two_digits(99);
    if (format == "uuid") {
      const std::string hex = made_up_id("", seed, 32);
      return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-4" + hex.substr(13, 3) + "-8" +
             hex.substr(17, 3) + "-" + hex.substr(20, 12);
    }
    return {};
  }

  // What stands behind a member's name is guessed: places and names are words with a capital.
  std::string of_member(std::string_view member, uint64_t seed) const {
    const std::string lower = to_lower(member);
    const auto speaks_of = [&](std::initializer_list<std::string_view> words) {
      return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
        return lower.find(word) != std::string::npos;
      });
    };
    if (speaks_of({"location", "city", "place", "country", "name", "person"})) {
      const std::string_view named = proper_name(material_.prompt);
      return std::string(named.empty() ? "Lisbon" : named);
    }
    if (speaks_of({"date", "day"})) return of_format("date", seed);
    if (speaks_of({"query", "question", "search", "text", "input", "expression"}) &&
        !material_.prompt.empty())
      return whole_characters(material_.prompt, 80);
    if (speaks_of({"answer", "summary", "description", "explanation", "reason", "content"}))
      return sentence(Speech::Register::answer, material_.subject, seed);
    const auto& topics = material_.subject.topics;
    if (!topics.empty()) return topics[seed % topics.size()];
    const auto nouns = phrases(material_.subject.language).nouns;
    return std::string(nouns[seed % nouns.size()]);
  }

  static std::string whole_characters(std::string_view text, size_t bytes_max) {
    text = text.substr(0, bytes_max);
    while (!text.empty() && !is_utf8(text)) text.remove_suffix(1);
    return std::string(text);
  }

  // Lengths of a schema count characters, where a byte is at most one.
  static void fit(std::string& text, int64_t least, int64_t most) {
    const auto chars = [&] {
      return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
    };
    least = std::min<int64_t>(least, kTextBytesMax);
    while (chars() > std::max<int64_t>(most, 0) && !text.empty())
      text = whole_characters(text, text.size() - 1);
    if (const int64_t missing = least - chars(); missing > 0)
      text.append(static_cast<size_t>(missing), 'o');
  }

  const dom::element root_;
  const Material& material_;
};

}  // namespace

std::string value_by_schema(const dom::element& schema, const Material& material, uint64_t seed) {
  std::string out;
  Filler(schema, material).fill(out, schema, {}, seed, 0);
  return out;
}

}  // namespace mg::lab
