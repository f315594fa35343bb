// Writing compact JSON straight into a string, for answers, records and log lines. Documents that
// are built and read by name (control plane, configuration of tools) use json_value.h; bodies of
// clients are never rewritten, they are spliced as text (gateway/body.h).
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace mg {

// The text as a JSON string, with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

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
