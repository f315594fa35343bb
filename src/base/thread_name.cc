#include "base/thread_name.h"

#include <pthread.h>

#include "base/assert.h"

namespace mg {

void name_this_thread(const char* name) {
  MG_ASSERT(pthread_setname_np(pthread_self(), name) == 0);
}

}  // namespace mg
