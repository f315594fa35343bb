// A bug is not an error: it stops the process, in every build, with the place it was seen.
#pragma once

namespace mg {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace mg

// Stays on in release builds: a gateway that moves money fails stop rather than wrong.
#define MG_ASSERT(expression)                                  \
  do {                                                         \
    if (__builtin_expect(!(expression), 0))                    \
      ::mg::assertion_failed(#expression, __FILE__, __LINE__); \
  } while (0)
