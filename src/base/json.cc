#include "base/json.h"

#include <cstring>

#include "base/text.h"

namespace mg {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the well-formed UTF-8 character at the front, or 0.
size_t utf8_length(std::string_view text) {
  for (size_t n = 1; n <= 4 && n <= text.size(); ++n)
    if (is_utf8(text.substr(0, n))) return n;
  return 0;
}

// True where every byte is printable ASCII that needs no escape, which is nearly always. Eight
// bytes at a time: a byte's high bit is set where it is a control byte, a quote, a backslash or not
// ASCII.
bool is_plain(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = kOnes << 7;
  const auto below = [](uint64_t word, uint64_t n) { return word - kOnes * n; };
  uint64_t found = 0;
  const auto look = [&](uint64_t word) {
    found |=
        word | below(word, 0x20) | below(word ^ kOnes * '"', 1) | below(word ^ kOnes * '\\', 1);
  };
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= text.size(); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    look(word);
  }
  if (at < text.size()) {
    uint64_t word = kOnes * 'x';
    std::memcpy(&word, text.data() + at, text.size() - at);
    look(word);
  }
  return (found & kHighs) == 0;
}

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text.substr(copied, i - copied));
    copied = i + 1;
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        out.append("\\u00");
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
    }
  }
  out.append(text.substr(copied));
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  if (is_plain(text)) {
    out.append(text);
  } else if (is_utf8(text)) {
    append_escaped(out, text);
  } else {
    while (!text.empty()) {
      const size_t n = utf8_length(text);
      append_escaped(out, n ? text.substr(0, n) : kReplacement);
      text.remove_prefix(n ? n : 1);
    }
  }
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

void JsonWriter::separate() {
  if (need_comma_) out_.push_back(',');
  need_comma_ = true;
}

void JsonWriter::open(char bracket) {
  separate();
  out_.push_back(bracket);
  need_comma_ = false;
}

void JsonWriter::close(char bracket) {
  out_.push_back(bracket);
  need_comma_ = true;
}

void JsonWriter::key(std::string_view name) {
  if (is_plain(name)) {  // nearly always, and then it is one stretch of bytes
    out_.append(need_comma_ ? ",\"" : "\"").append(name).append("\":");
  } else {
    separate();
    append_json_string(out_, name);
    out_.push_back(':');
  }
  need_comma_ = false;
}

void JsonWriter::value(std::string_view text) {
  separate();
  append_json_string(out_, text);
}

void JsonWriter::literal(std::string_view json) {
  separate();
  out_.append(json);
}

}  // namespace mg
