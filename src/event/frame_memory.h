// Memory for the frames of coroutines. A request is a dozen of them, most too large for malloc's
// own quick lists; freed ones are kept here by size and handed out again.
//
// Each thread has its own; a frame is freed on the thread that made it, as tasks live on one.
// Under sanitizers every frame is an allocation of its own, so that they see what becomes of it.
#pragma once

#include <cstddef>

namespace mg::event {

void* take_frame(size_t bytes);
void give_frame(void* frame, size_t bytes) noexcept;

}  // namespace mg::event
