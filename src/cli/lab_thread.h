// Labs on a thread of their own, for a process that is busy with something else (demo).
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/address.h"
#include "event/uv_loop.h"
#include "lab/options.h"

namespace mg::cli {

class LabThread {
 public:
  // Starts one lab for each of these; returns when all listen on free ports of 127.0.0.1.
  // Errors: those of Sockets::listen.
  static Result<std::unique_ptr<LabThread>> start(std::vector<lab::LabOptions> labs);
  // Ends all connections.
  ~LabThread();

  const std::vector<SocketAddress>& addresses() const { return addresses_; }

 private:
  LabThread() = default;
  Result<> run_until_stopped(std::vector<lab::LabOptions> labs, std::function<void()> started);

  SystemClock clock_;
  std::vector<SocketAddress> addresses_;
  std::unique_ptr<event::Waker> stop_;  // made and dropped by the thread
  std::thread thread_;
};

}  // namespace mg::cli
