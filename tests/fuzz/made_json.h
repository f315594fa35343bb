// JSON documents made of a fuzzer's bytes: mostly valid, oddly spelled, with the member names that
// matter at any depth and more than once. Random bytes alone would hardly ever get past a parser.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mg::fuzz {

class MadeJson {
 public:
  // `names` are the keys to draw from. Both must outlive it.
  MadeJson(FuzzedDataProvider& data, std::span<const std::string_view> names)
      : data_(data), names_(names) {}

  std::string value(int depth = 0) {
    switch (data_.ConsumeIntegralInRange<int>(0, depth < kDepthMax ? 9 : 6)) {
      case 0:
        return "null";
      case 1:
        return data_.ConsumeBool() ? "true" : "false";
      case 2:
        return std::to_string(data_.ConsumeIntegralInRange<int>(-3, 300));
      case 3:
        return drawn({"0", "-0", "1.5e3", "2.50", "1E-7", "9223372036854775807",
                      "18446744073709551615", "18446744073709551616", "0.1", "1e400"});
      case 4:
      case 5:
        return string(drawn({"", "hello", "text", "image_url", "user", "{", "}", "usage"}));
      case 6:
        if (data_.ConsumeIntegralInRange<int>(0, 3) == 0)
          return drawn({R"("\ud83d")", R"("\ude00 a")", R"("\ud83d\ude00")"});
        return '"' + data_.ConsumeRandomLengthString(12) + '"';
      case 7:
        return array(depth);
      default:
        return object({}, depth);
    }
  }

  struct Member {
    std::string_view name;
    std::string value;
  };
  // An object with these members, and others between them.
  std::string object(const std::vector<Member>& members, int depth = 0) {
    std::string out = "{" + blank();
    bool is_first = true;
    const auto add = [&](std::string_view name, const std::string& text) {
      if (!is_first) out += "," + blank();
      is_first = false;
      out += string(name) + blank() + ":" + blank() + text + blank();
    };
    const auto add_others = [&] {
      for (int n = data_.ConsumeIntegralInRange<int>(0, kOthersMax); n > 0; --n)
        add(names_[data_.ConsumeIntegralInRange<size_t>(0, names_.size() - 1)], value(depth + 1));
    };
    if (members.empty()) add_others();
    for (const Member& member : members) {
      if (data_.ConsumeBool()) add_others();
      add(member.name, member.value);
    }
    return out + "}";
  }

  std::string blank() { return drawn({"", "", "", " ", "\n", "\t", "\r\n  "}); }

  // Quoted; one of its letters may be spelled as an escape.
  std::string string(std::string_view text) {
    const auto escaped = data_.ConsumeIntegralInRange<size_t>(0, 3 * text.size());
    std::string out = "\"";
    for (size_t i = 0; i < text.size(); ++i) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned char>(text[i]));
      out += i + 1 == escaped ? std::string(code) : std::string(1, text[i]);
    }
    return out + '"';
  }

 private:
  static constexpr int kDepthMax = 4;
  static constexpr int kOthersMax = 3;

  std::string array(int depth) {
    std::string out = "[" + blank();
    for (int n = data_.ConsumeIntegralInRange<int>(0, 3); n > 0; --n)
      out += value(depth + 1) + blank() + (n > 1 ? "," : "");
    return out + "]";
  }

  std::string drawn(std::initializer_list<std::string_view> choices) {
    return std::string(
        choices.begin()[data_.ConsumeIntegralInRange<size_t>(0, choices.size() - 1)]);
  }

  FuzzedDataProvider& data_;
  std::span<const std::string_view> names_;
};

}  // namespace mg::fuzz
