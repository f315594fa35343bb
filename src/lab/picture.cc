#include "lab/picture.h"

#include <algorithm>

#include "tls/base64.h"

namespace mg::lab {
namespace {

constexpr std::string_view kBase64 = ";base64,";
constexpr size_t kDecodeCharsMax = 64 * 1024;  // where a JPEG has its frame header at the latest
constexpr int64_t kPictureTokens = 85;
constexpr int64_t kTileTokens = 170;
constexpr int64_t kTilesMax = 8;
constexpr uint32_t kTilePixels = 512;

uint32_t big_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (unsigned char byte : bytes) value = value << 8 | byte;
  return value;
}

uint32_t little_endian16(std::string_view bytes) {
  return static_cast<unsigned char>(bytes[0]) | static_cast<unsigned char>(bytes[1]) << 8;
}

void measure_png(std::string_view file, Picture& picture) {
  if (file.size() < 24) return;
  picture.width = big_endian(file.substr(16, 4));
  picture.height = big_endian(file.substr(20, 4));
}

void measure_gif(std::string_view file, Picture& picture) {
  if (file.size() < 10) return;
  picture.width = little_endian16(file.substr(6));
  picture.height = little_endian16(file.substr(8));
}

// Walks the segments up to the frame header (ITU T.81, annex B).
void measure_jpeg(std::string_view file, Picture& picture) {
  for (size_t at = 2; at + 9 < file.size() && file[at] == '\xff';) {
    const auto marker = static_cast<unsigned char>(file[at + 1]);
    const bool is_frame =
        marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (is_frame) {
      picture.height = big_endian(file.substr(at + 5, 2));
      picture.width = big_endian(file.substr(at + 7, 2));
      return;
    }
    at += 2 + big_endian(file.substr(at + 2, 2));
  }
}

}  // namespace

Picture look_at(std::string_view url) {
  Picture picture;
  const size_t mark = url.find(kBase64);
  if (!url.starts_with("data:") || mark == std::string_view::npos) return picture;
  const std::string_view data = url.substr(mark + kBase64.size());
  const size_t padding = data.ends_with("==") ? 2 : data.ends_with("=") ? 1 : 0;
  picture.bytes = std::max(data.size() / 4 * 3, padding) - padding;
  const auto file =
      tls::base64_decode(data.size() > kDecodeCharsMax ? data.substr(0, kDecodeCharsMax) : data);
  if (!file) return picture;
  const std::string_view bytes = *file;
  if (bytes.starts_with("\x89PNG")) measure_png(bytes, picture);
  if (bytes.starts_with("GIF8")) measure_gif(bytes, picture);
  if (bytes.starts_with("\xff\xd8")) measure_jpeg(bytes, picture);
  return picture;
}

int64_t picture_tokens(const Picture& picture, std::string_view detail) {
  if (detail == "low") return kPictureTokens;
  const int64_t across = (int64_t{picture.width} + kTilePixels - 1) / kTilePixels;
  const int64_t down = (int64_t{picture.height} + kTilePixels - 1) / kTilePixels;
  return kPictureTokens + kTileTokens * std::min(kTilesMax, across * down);
}

std::string described(const Picture& picture) {
  if (picture.width > 0)
    return "The image is " + std::to_string(picture.width) + " by " +
           std::to_string(picture.height) + " pixels.";
  if (picture.bytes > 0) return "The image has " + std::to_string(picture.bytes) + " bytes.";
  return "The image stands at an address of its own.";
}

std::string described_in_chinese(const Picture& picture) {
  if (picture.width > 0)
    return "图片大小为" + std::to_string(picture.width) + "乘" + std::to_string(picture.height) +
           "像素。";
  if (picture.bytes > 0) return "图片有" + std::to_string(picture.bytes) + "字节。";
  return "图片在另一个地址。";
}

}  // namespace mg::lab
