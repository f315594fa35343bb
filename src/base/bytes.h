// Fixed little-endian encoding for records, and their checksum. A reader never reads past its
// bytes: it turns bad and stays bad, and the caller asks once at the end.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mg {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the instruction where the processor has it.
uint32_t crc32c(std::string_view bytes);

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <std::integral T>
  void number(T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out_.append(bytes, sizeof bytes);
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  // A 16-bit length, then the bytes.
  void text(std::string_view bytes);

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view in) : in_(in) {}

  template <std::integral T>
  T number() {
    T value{};
    const std::string_view bytes = raw(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view raw(size_t count);
  std::string_view text();

  // False once anything was read that was not there.
  bool good() const { return good_; }
  // True when all was read, and nothing more.
  bool complete() const { return good_ && in_.empty(); }

 private:
  std::string_view in_;
  bool good_ = true;
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian");

}  // namespace mg
