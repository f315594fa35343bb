// libuv closes handles later than their owner dies. So the handle outlives its owner: it loses its
// `data`, every callback that still comes finds no owner and returns, and libuv frees it.
#pragma once

#include <uv.h>

#include <memory>

namespace mg::event {

template <class H>
uv_handle_t* as_handle(H* h) {
  return reinterpret_cast<uv_handle_t*>(h);
}

template <class H>
struct CloseThenDelete {
  void operator()(H* h) const noexcept {
    as_handle(h)->data = nullptr;
    uv_close(as_handle(h), [](uv_handle_t* closed) { delete reinterpret_cast<H*>(closed); });
  }
};

// Fill it only once uv_*_init has succeeded: a handle that was never initialised cannot be closed.
template <class H>
using Handle = std::unique_ptr<H, CloseThenDelete<H>>;

// The owner a callback is for, or nullptr when it died.
template <class Owner, class H>
Owner* owner_of(H* h) {
  return static_cast<Owner*>(as_handle(h)->data);
}

}  // namespace mg::event
