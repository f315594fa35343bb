// How long the path of a local socket may be: what sockaddr_un has room for, less the byte that
// ends it.
#pragma once

#include <cstddef>

namespace mg::event {

inline constexpr size_t kLocalPathBytesMax = 107;

}  // namespace mg::event
