// Reading a file of the operator's, whatever stands at its path.
#pragma once

#include <string>

#include "base/result.h"

namespace mg {

// The bytes of a regular file, links followed. Never waits, as opening a pipe that nobody writes
// into would. Blocks for the disk; for the main thread, the pool and tests.
// Errors, each with the path: not_found; invalid, when it is a folder or no regular file;
// too_large past `bytes_max`; io.
Result<std::string> read_regular_file(const std::string& path, size_t bytes_max);

}  // namespace mg
