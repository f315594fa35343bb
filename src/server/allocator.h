// What the memory allocator keeps of what was freed. Moongate links tcmalloc, which takes less
// processor time than the C library's for many small pieces; sanitizers bring their own.
#pragma once

namespace mg::server {

// Bounds what is kept for the threads that free it. Once, before there are other threads.
void bound_kept_memory();

// Where much is free, gives whole runs of it to the system until a reserve is left, or less: after
// a burst of large bodies the process would stay as large as it was at its height. From any thread;
// to be called now and then. Meanwhile (about 10 ms for 100 MiB) who needs new pages waits.
void give_memory_back();

}  // namespace mg::server
