#include "base/bytes.h"

#include <isa-l/crc.h>

#include "base/assert.h"

namespace mg {

uint32_t crc32c(std::string_view bytes) {
  // The library's "iscsi" polynomial is Castagnoli's; it takes a mutable pointer but only reads.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), 0xffffffffu);
}

void ByteWriter::text(std::string_view bytes) {
  MG_ASSERT(bytes.size() <= 0xffff);
  number(static_cast<uint16_t>(bytes.size()));
  raw(bytes);
}

std::string_view ByteReader::raw(size_t count) {
  if (!good_ || in_.size() < count) {
    good_ = false;
    return {};
  }
  const std::string_view out = in_.substr(0, count);
  in_.remove_prefix(count);
  return out;
}

std::string_view ByteReader::text() {
  const auto size = number<uint16_t>();
  return raw(size);
}

}  // namespace mg
