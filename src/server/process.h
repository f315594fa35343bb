// The server as a whole: the store and its threads, the workers, the generation they serve, and
// what makes a new one. Everything here is on the main thread unless it says otherwise.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "control/operations.h"
#include "server/channels.h"
#include "server/config.h"
#include "server/control_socket.h"
#include "server/generation.h"
#include "server/source_watch.h"
#include "server/worker.h"

namespace mg::server {

// What a process reports on its way, one JSON line each on standard output.
class Announcements {
 public:
  virtual ~Announcements() = default;
  virtual void listening(const SocketAddress& address, bool tls) = 0;
  virtual void ready(uint64_t generation) = 0;
  virtual void draining() = 0;
};

// Prints them.
class PrintedAnnouncements : public Announcements {
 public:
  void listening(const SocketAddress& address, bool tls) override;
  void ready(uint64_t generation) override;
  void draining() override;
};

class Process final : private gateway::ProcessView, private control::Site {
 public:
  // Opens the store, builds the first generation, starts the workers. Errors: what stands in the
  // way, in words for the person at the terminal: conflict (a store or an address in use), invalid
  // (a policy, with file and line), not_found, io.
  static Result<std::unique_ptr<Process>> start(Config config, Clock& clock,
                                                Announcements& announcements);
  ~Process() override;

  // Serves until SIGTERM or SIGINT, or until stop() is called; then drains.
  void run();
  void stop() { begin_drain(); }

  event::UvLoop& loop() { return loop_; }
  // For commands of this very process (demo): as the control socket would run them.
  control::Operations& operations() { return *operations_; }
  const std::vector<SocketAddress>& addresses() const { return addresses_; }

 private:
  Process(Config config, Clock& clock, Announcements& announcements);

  Result<> open_store();
  Result<> open_first_generation();
  Result<> start_workers();
  Result<> probe_addresses();
  Result<Credentials> load_credentials() const;
  void watch_signals();

  // Reloading.
  void on_sources_changed(Result<script::SourceTree> sources);
  event::Task<> reload_changed();
  event::Task<Result<uint64_t>> take_up(Result<script::SourceTree> sources);
  event::Task<Result<uint64_t>> adopt(script::SourceTree tree);
  std::shared_ptr<const gateway::World> make_world();
  event::Task<Result<>> publish();
  event::Task<> on_hangup();
  void tell_what_waits(const Config& fresh) const;
  std::string new_mistake(const std::vector<ChannelConfig>& channels);

  // control::Site
  event::Task<Result<>> publish_directory() override;
  event::Task<Result<Json>> reload() override;
  std::vector<control::ChannelView> channels() override;

  // gateway::ProcessView, on workers' threads
  gateway::Readiness readiness() override;
  std::string metrics_text() override;

  void begin_drain();
  event::Task<> drain();
  void on_housekeeping();

  Config config_;
  Clock& clock_;
  Announcements& announcements_;
  SystemRng rng_;
  event::UvLoop loop_;
  event::UvSockets sockets_;
  // What workers want done on the main thread.
  std::unique_ptr<event::Waker> main_waker_;
  std::unique_ptr<event::Mailbox<std::function<void()>>> to_main_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<ledger::LedgerThreads> ledger_threads_;
  std::unique_ptr<ledger::Client> client_;
  std::unique_ptr<directory::Editor> editor_;
  control::Vault vault_;
  std::unique_ptr<gateway::Recorder> recorder_;
  script::Watchdog watchdog_;
  limit::Buckets buckets_;
  gateway::HealthBoard health_;
  gateway::IdempotencyTable idempotency_;
  std::shared_ptr<const tls::TrustStore> trust_;
  std::shared_ptr<tls::TicketKeys> tickets_;
  std::optional<SourceWatch> sources_;
  std::optional<Result<script::SourceTree>> changed_;  // read while another reload was under way
  bool reloading_ = false;
  std::set<std::string> complaints_told_;  // of the world before: said once, not at each change
  std::shared_ptr<const script::Bundle> bundle_;
  std::shared_ptr<const gateway::Catalogue> catalogue_;
  std::optional<WorkerSurroundings> surroundings_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<SocketAddress> addresses_;
  std::optional<control::RunningBooks> books_;
  std::optional<control::Writing> writing_;
  std::optional<control::Operations> operations_;
  std::unique_ptr<ControlSocket> control_;
  std::vector<std::unique_ptr<event::SignalWatch>> signals_;
  event::Timer housekeeping_;
  bool draining_ = false;

  std::mutex shared_mutex_;  // guards what follows: workers read it
  std::shared_ptr<const gateway::World> world_;
  std::string policies_status_ = "ok";
};

}  // namespace mg::server
