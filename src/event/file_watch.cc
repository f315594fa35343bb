#include "event/file_watch.h"

#include <csignal>

namespace mg::event {

void FileWatch::watch(const std::vector<std::string>& directories) {
  // Made anew each time: a directory of the same name may be another one by now.
  watches_.clear();
  for (const std::string& directory : directories) {
    auto raw = std::make_unique<uv_fs_event_t>();
    MG_ASSERT(uv_fs_event_init(loop_.uv(), raw.get()) == 0);
    Handle<uv_fs_event_t> handle(raw.release());
    as_handle(handle.get())->data = this;
    const int status = uv_fs_event_start(
        handle.get(),
        [](uv_fs_event_t* h, const char*, int, int) {
          if (auto* self = owner_of<FileWatch>(h)) self->on_hint_();
        },
        directory.c_str(), 0);
    if (status == 0) watches_[directory] = std::move(handle);
  }
}

SignalWatch::SignalWatch(UvLoop& loop, int signal_number, std::function<void()> on_signal)
    : on_signal_(std::move(on_signal)) {
  auto raw = std::make_unique<uv_signal_t>();
  MG_ASSERT(uv_signal_init(loop.uv(), raw.get()) == 0);
  handle_ = Handle<uv_signal_t>(raw.release());
  as_handle(handle_.get())->data = this;
  uv_signal_start(
      handle_.get(),
      [](uv_signal_t* h, int) {
        if (auto* self = owner_of<SignalWatch>(h)) self->on_signal_();
      },
      signal_number);
}

SignalWatch::~SignalWatch() {
  const int number = handle_.get()->signum;
  handle_.reset();
  std::signal(number, SIG_IGN);
}

}  // namespace mg::event
