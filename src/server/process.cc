#include "server/process.h"

#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/calendar.h"
#include "base/json.h"
#include "base/log.h"
#include "server/allocator.h"
#include "server/certificate_dates.h"
#include "server/state_folder.h"

namespace mg::server {
namespace {

constexpr int64_t kHousekeepingMs = 5'000;

// Nobody has to listen to a server: what cannot be written is lost.
void print_line(const std::string& line) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, line.data(), line.size());
}

struct NoGuests final : event::AcceptSink {
  void on_accept(std::unique_ptr<event::Stream>) override {}
};

}  // namespace

void PrintedAnnouncements::listening(const SocketAddress& address, bool tls) {
  std::string line;
  JsonWriter json(line);
  json.begin_object();
  json.field("event", "listening");
  json.field("address", address.text());
  json.field("tls", tls);
  json.end_object();
  print_line(line + "\n");
}

void PrintedAnnouncements::ready(uint64_t generation) {
  print_line("{\"event\":\"ready\",\"generation\":" + std::to_string(generation) + "}\n");
}

void PrintedAnnouncements::draining() { print_line("{\"event\":\"draining\"}\n"); }

Process::Process(Config config, Clock& clock, Announcements& announcements)
    : config_(std::move(config)),
      clock_(clock),
      announcements_(announcements),
      loop_(clock),
      sockets_(loop_),
      buckets_(clock),
      housekeeping_(event::Timer::calling<&Process::on_housekeeping>(loop_.timers(), this)) {
  main_waker_ = loop_.make_waker([this] {
    std::vector<std::function<void()>> messages;
    to_main_->take(messages);
    for (const std::function<void()>& message : messages) message();
  });
  to_main_ =
      std::make_unique<event::Mailbox<std::function<void()>>>([this] { main_waker_->wake(); });
}

Process::~Process() {
  loop_.cancel_spawned();
  control_.reset();
  workers_.clear();  // joins them: from here on nobody holds anything
  operations_.reset();
  editor_.reset();
  client_.reset();
  ledger_threads_.reset();  // what was sent is still made durable
  ledger_.reset();
}

Result<std::unique_ptr<Process>> Process::start(Config config, Clock& clock,
                                                Announcements& announcements) {
  bound_kept_memory();
  std::unique_ptr<Process> process(new Process(std::move(config), clock, announcements));
  MG_CHECK(process->probe_addresses());
  MG_CHECK(process->open_store());
  MG_CHECK(process->open_first_generation());
  MG_CHECK(process->start_workers());
  process->watch_signals();
  process->sources_->start();
  process->housekeeping_.start_ms(kHousekeepingMs);
  process->announcements_.ready(process->bundle_->generation());
  return process;
}

// With a port shared between workers a second server would quietly take half the traffic.
Result<> Process::probe_addresses() {
  NoGuests nobody;
  for (const ListenConfig& listen : config_.listen) {
    if (listen.address.port == 0) continue;
    MG_CHECK(sockets_.listen(listen.address, event::PortSharing::exclusive, nobody));
  }
  return {};
}

Result<> Process::open_store() {
  MG_CHECK(make_state_folder(config_));
  ledger::LedgerOptions options;
  options.directory = config_.store();
  options.disk_low_bytes = config_.disk_low_bytes;
  MG_TRY(ledger_, ledger::Ledger::open(std::move(options), clock_));
  ledger_threads_ = std::make_unique<ledger::LedgerThreads>(*ledger_);
  client_ = std::make_unique<ledger::Client>(*ledger_, loop_);
  MG_TRY(editor_, directory::Editor::open(*ledger_, *client_));
  MG_TRY(vault_, control::Vault::open(config_.master_key));
  MG_TRY(recorder_, gateway::Recorder::open({config_.records(), config_.disk_low_bytes}, clock_));
  books_.emplace(*ledger_, *client_, *editor_);
  writing_.emplace(control::Writing{*client_, *editor_});
  operations_.emplace(
      control::Resources{loop_, rng_, *books_, vault_, *this, config_.records(), &*writing_});
  MG_TRY(control_, ControlSocket::open(loop_, sockets_, *operations_, config_.control_socket()));
  return {};
}

Result<> Process::open_first_generation() {
  const std::string authorities =
      config_.upstream_ca.empty() ? std::string(tls::kSystemTrustFile) : config_.upstream_ca;
  MG_TRY(trust_, tls::TrustStore::load(authorities));
  MG_TRY(tickets_, tls::TicketKeys::make());
  sources_.emplace(
      loop_, config_.scripts, config_.data,
      [this](Result<script::SourceTree> sources) { on_sources_changed(std::move(sources)); });
  MG_TRY(const script::SourceTree tree, sources_->read_now());
  const Generation built = build_generation(tree, 1);
  if (!built.problems.empty()) return fail(Errc::invalid, built.problems);
  bundle_ = built.bundle;
  catalogue_ = built.catalogue;
  world_ = make_world();
  return {};
}

Result<Credentials> Process::load_credentials() const {
  Credentials credentials;
  for (const ListenConfig& listen : config_.listen) {
    if (listen.certificates.empty()) {
      credentials.push_back(nullptr);
      continue;
    }
    MG_TRY(auto loaded, tls::ServerCredentials::load(listen.certificates, tickets_));
    const std::string complaint = certificate_complaint(*loaded, clock_.wall_ms());
    if (!complaint.empty())
      log_warning("certificate_dates", {{"listener", listen.address.text()}, {"what", complaint}});
    credentials.push_back(std::move(loaded));
  }
  return credentials;
}

Result<> Process::start_workers() {
  MG_TRY(const Credentials credentials, load_credentials());
  surroundings_.emplace(WorkerSurroundings{clock_, config_, *ledger_, *recorder_, buckets_,
                                           idempotency_, *this, watchdog_});
  const size_t count = config_.workers > 0 ? static_cast<size_t>(config_.workers)
                                           : std::max(1u, std::thread::hardware_concurrency());
  // Each worker has its share of the memory for bodies, and room for the largest one at least.
  config_.server_limits.bodies_bytes_max =
      std::max<uint64_t>(limits::bodies_bytes_max / count, config_.server_limits.body_bytes_max);
  for (const ListenConfig& listen : config_.listen) addresses_.push_back(listen.address);
  for (size_t i = 0; i < count; ++i) {
    auto worker = std::make_unique<Worker>(*surroundings_, world_);
    // The first one settles which port 0 became.
    MG_TRY(addresses_, worker->start(addresses_, credentials));
    workers_.push_back(std::move(worker));
  }
  for (size_t i = 0; i < addresses_.size(); ++i)
    announcements_.listening(addresses_[i], credentials[i] != nullptr);
  return {};
}

void Process::watch_signals() {
  for (const int number : {SIGTERM, SIGINT})
    signals_.push_back(
        std::make_unique<event::SignalWatch>(loop_, number, [this] { begin_drain(); }));
  signals_.push_back(
      std::make_unique<event::SignalWatch>(loop_, SIGHUP, [this] { loop_.spawn(on_hangup()); }));
}

void Process::run() { loop_.run(); }

void Process::on_housekeeping() {
  housekeeping_.start_ms(kHousekeepingMs);
  give_memory_back();
  if (const Result<size_t> cleared = ledger_->clear_dead_readers(); !cleared)
    log_warning("reader_check_failed", {{"reason", cleared.error().what}});
}

// The first signal drains; a second one does not wait.
void Process::begin_drain() {
  if (draining_) {
    loop_.stop();
    return;
  }
  draining_ = true;
  announcements_.draining();
  loop_.spawn(drain());
}

event::Task<> Process::drain() {
  std::atomic<size_t> left{workers_.size()};
  for (const auto& worker : workers_) worker->drain([&left] { left.fetch_sub(1); });
  const int64_t deadline_ns = loop_.now_ns() + config_.drain_s * kNsPerS;
  while (left.load() > 0 && loop_.now_ns() < deadline_ns) co_await event::sleep_ms(loop_, 10);
  for (const auto& worker : workers_) worker->stop();
  loop_.stop();
}

std::vector<control::ChannelView> Process::channels() {
  std::vector<control::ChannelView> out;
  const int64_t now_ns = clock_.monotonic_ns();
  for (const ChannelConfig& channel : config_.channels) {
    control::ChannelView view{channel.id,       channel.provider, channel.base_url,
                              channel.priority, channel.weight,   ""};
    static constexpr const char* kStates[] = {"closed", "half_open", "open"};
    const auto state = health_.of(channel.id)->state(now_ns, world_->breaker());
    view.breaker = kStates[static_cast<size_t>(state)];
    out.push_back(std::move(view));
  }
  return out;
}

gateway::Readiness Process::readiness() {
  gateway::Readiness out;
  const ledger::LedgerStatus status = ledger_->status();
  std::lock_guard lock(shared_mutex_);
  out.is_ready = status.takes_holds();
  out.generation = world_->generation();
  out.store = status.poisoned ? "poisoned" : status.disk_low ? "disk_low" : "ok";
  out.policies = policies_status_;
  return out;
}

std::string Process::metrics_text() {
  std::vector<const gateway::Metrics*> all;
  for (const auto& worker : workers_) all.push_back(&worker->metrics());
  const ledger::LedgerStatus status = ledger_->status();
  gateway::ProcessFigures figures;
  figures.ledger_ordered = status.ordered;
  figures.ledger_durable = status.durable;
  figures.ledger_commits = status.commits;
  figures.ledger_commit_ns = status.commit_ns;
  figures.open_holds = status.open_holds;
  figures.takes_holds = status.takes_holds();
  figures.records_dropped = recorder_->dropped();
  std::shared_ptr<const gateway::World> world;
  {
    std::lock_guard lock(shared_mutex_);
    world = world_;
  }
  return gateway::prometheus_text(all, *world, figures, clock_.monotonic_ns());
}

}  // namespace mg::server
