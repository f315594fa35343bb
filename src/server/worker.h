// One worker: a thread with a loop of its own, its listeners, and everything an exchange borrows.
// The process talks to it through its inbox and hears back on the main thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "event/mailbox.h"
#include "event/tcp.h"
#include "gateway/endpoint.h"
#include "gateway/recorder.h"
#include "http/server.h"
#include "limit/buckets.h"
#include "script/watchdog.h"
#include "server/config.h"

namespace mg::server {

// What all workers share; all of it outlives them.
struct WorkerSurroundings {
  Clock& clock;
  const Config& config;
  ledger::Ledger& ledger;
  gateway::Recorder& recorder;
  limit::Buckets& buckets;
  gateway::IdempotencyTable& idempotency;
  gateway::ProcessView& process;
  script::Watchdog& watchdog;
};

using Credentials = std::vector<std::shared_ptr<const tls::ServerCredentials>>;  // by listener

class Worker {
 public:
  // `addresses`: where to listen, resolved (no port 0 but for the first worker of one listener).
  Worker(const WorkerSurroundings& around, std::shared_ptr<const gateway::World> world);
  ~Worker();
  Worker(const Worker&) = delete;

  // Starts the thread and waits until it listens; the bound addresses come back. Errors: what
  // went wrong in it: conflict, io, invalid. Main thread.
  Result<std::vector<SocketAddress>> start(std::vector<SocketAddress> addresses,
                                           Credentials credentials);

  // From the main thread. `done` is called on the worker's thread when it acts by the new world.
  void publish(std::shared_ptr<const gateway::World> world, std::function<void(Result<>)> done);
  void set_credentials(Credentials credentials);
  // Accepts nothing more. `done` is called on the worker's thread once no connection is left.
  void drain(std::function<void()> done);
  // Ends what still runs, settles it, and joins the thread.
  void stop();

  // Any thread.
  const gateway::Metrics& metrics() const { return metrics_; }

 private:
  class Thread;
  using Message = std::function<void(Thread&)>;

  void run(std::vector<SocketAddress> addresses, Credentials credentials,
           std::function<void(Result<std::vector<SocketAddress>>)> started);
  void post(Message message);

  const WorkerSurroundings around_;
  const std::shared_ptr<const gateway::World> first_world_;
  gateway::Metrics metrics_;
  std::unique_ptr<event::Mailbox<Message>> inbox_;  // made by the thread before it reports back
  std::thread thread_;
};

}  // namespace mg::server
