#include "server/allocator.h"

#ifdef MOONGATE_TCMALLOC
#include <gperftools/malloc_extension_c.h>
#else
#include <malloc.h>
#endif

#include <cstddef>

#include "base/limits.h"

namespace mg::server {

#ifdef MOONGATE_TCMALLOC

namespace {

constexpr size_t kThreadCachesBytesMax = 16 * limits::MiB;
constexpr size_t kFreeReserveBytes = 8 * limits::MiB;

}  // namespace

void bound_kept_memory() {
  MallocExtension_SetNumericProperty("tcmalloc.max_total_thread_cache_bytes",
                                     kThreadCachesBytesMax);
}

void give_memory_back() {
  size_t free_bytes = 0;
  if (MallocExtension_GetNumericProperty("tcmalloc.pageheap_free_bytes", &free_bytes) &&
      free_bytes > kFreeReserveBytes)
    MallocExtension_ReleaseToSystem(free_bytes - kFreeReserveBytes);
}

#else

// Left to itself the C library learns from the first large bodies to keep such memory for ever.
void bound_kept_memory() { mallopt(M_MMAP_THRESHOLD, 256 * limits::KiB); }

void give_memory_back() {}

#endif

}  // namespace mg::server
