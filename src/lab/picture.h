// What the lab sees of an image: how large it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mg::lab {

struct Picture {
  uint32_t width = 0;  // in pixels; 0 where it is not known
  uint32_t height = 0;
  size_t bytes = 0;  // of the file; 0 where only its address was sent
};

// Of a data URL with PNG, GIF or JPEG in base 64; of anything else what can be said of it.
Picture look_at(std::string_view url);

// 85 tokens, and where the size is known and detail is not "low", 170 for each tile of 512 by 512
// pixels begun, of 8 at the most.
int64_t picture_tokens(const Picture& picture, std::string_view detail);

// "The image is 640 by 480 pixels." and the like, in a few words.
std::string described(const Picture& picture);
std::string described_in_chinese(const Picture& picture);

}  // namespace mg::lab
