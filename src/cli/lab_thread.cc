#include "cli/lab_thread.h"

#include <future>

#include "event/tcp.h"
#include "lab/lab.h"

namespace mg::cli {

Result<std::unique_ptr<LabThread>> LabThread::start(std::vector<lab::LabOptions> labs) {
  std::unique_ptr<LabThread> out(new LabThread);
  std::promise<Result<>> promise;
  auto started = promise.get_future();
  LabThread& self = *out;
  out->thread_ = std::thread([&self, &promise, labs = std::move(labs)]() mutable {
    bool is_listening = false;
    const Result<> end = self.run_until_stopped(std::move(labs), [&] {
      is_listening = true;
      promise.set_value({});
    });
    if (!is_listening) promise.set_value(end);
  });
  const Result<> result = started.get();
  if (!result) return tl::unexpected(result.error());
  return out;
}

LabThread::~LabThread() {
  if (stop_) stop_->wake();
  if (thread_.joinable()) thread_.join();
}

Result<> LabThread::run_until_stopped(std::vector<lab::LabOptions> labs,
                                      std::function<void()> started) {
  event::UvLoop loop(clock_);
  event::UvSockets sockets(loop);
  std::vector<std::unique_ptr<lab::Lab>> running;
  for (lab::LabOptions& options : labs) {
    running.push_back(
        std::make_unique<lab::Lab>(loop, sockets, running.size() + 1, std::move(options)));
    MG_TRY(const SocketAddress address, running.back()->listen({IpAddress::v4({127, 0, 0, 1}), 0}));
    addresses_.push_back(address);
  }
  stop_ = loop.make_waker([&loop] { loop.stop(); });
  started();
  loop.run();
  stop_.reset();
  return {};
}

}  // namespace mg::cli
