// Runs a loop for one task, as commands do that are done when it is.
#pragma once

#include <optional>
#include <utility>

#include "event/uv_loop.h"

namespace mg::cli {

template <class T>
event::Task<> run_and_stop(event::UvLoop& loop, event::Task<T> task, std::optional<T>& out) {
  T result = co_await std::move(task);
  out.emplace(std::move(result));
  loop.stop();
}

template <class T>
T run_to_end(event::UvLoop& loop, event::Task<T> task) {
  std::optional<T> out;
  loop.spawn(run_and_stop(loop, std::move(task), out));
  loop.run();
  return std::move(*out);
}

}  // namespace mg::cli
