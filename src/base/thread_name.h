// Names of threads, as ps, top and profilers show them.
#pragma once

namespace mg {

// Of the calling thread, and only once it runs its own work. At most 15 bytes.
void name_this_thread(const char* name);

}  // namespace mg
