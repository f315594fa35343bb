// Writing compact JSON straight into a string, for answers, records and log lines. Documents that
// are built and read by name (control plane, configuration of tools) use json_value.h; bodies of
// clients are never rewritten, they are spliced as text (gateway/request_body.h).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace mg {

// The text as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

// The name of a member, written out when the program is compiled: ,"name":
template <size_t kBytes>
struct JsonName {
  consteval JsonName(const char (&name)[kBytes]) {
    for (size_t i = 0; i + 1 < kBytes; ++i) {
      const char c = name[i];
      MG_ASSERT(c >= ' ' && c <= '~' && c != '"' && c != '\\');  // so it does not compile
      text[i + 2] = c;
    }
    text[0] = ',';
    text[1] = text[kBytes + 1] = '"';
    text[kBytes + 2] = ':';
  }
  char text[kBytes + 3] = {};
};

// Appends compact JSON to a string. The caller keeps the order right: begin, fields, end.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(bool truth) { literal(truth ? "true" : "false"); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T number) { literal(std::to_string(number)); }
  void null() { literal("null"); }
  // Text that is JSON already: a number in decimal, or a whole value.
  void literal(std::string_view json);

  template <class T>
  void field(std::string_view name, const T& v) {
    key(name);
    value(v);
  }
  // The same for names that never change, where speed matters.
  template <JsonName kName, class T>
  void field(const T& v) {
    out_.append(kName.text + !need_comma_, sizeof kName.text - !need_comma_);
    need_comma_ = false;
    value(v);
  }
  void field_literal(std::string_view name, std::string_view json) {
    key(name);
    literal(json);
  }

 private:
  void separate();
  void open(char bracket);
  void close(char bracket);

  std::string& out_;
  bool need_comma_ = false;
};

}  // namespace mg
