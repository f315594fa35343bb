#pragma once
#include <array>
#include <cstdint>
#include <string_view>
namespace mg::tls { std::array<uint8_t,32> sha256(std::string_view); }
