#include "server/worker.h"

#include <future>
#include <list>

#include "base/thread_name.h"
#include "event/resolver.h"

namespace mg::server {
namespace {

// Decision records of one turn, handed to the recorder in one go.
class RecordBuffer final : public gateway::RecordSink, private event::TurnEnd {
 public:
  RecordBuffer(event::Loop& loop, gateway::Recorder& recorder) : recorder_(recorder) {
    loop.at_turn_end(*this);
  }
  ~RecordBuffer() { on_turn_end(); }
  void add(const gateway::DecisionRecord& record) override { record.write(lines_); }

 private:
  void on_turn_end() override {
    if (!lines_.empty()) recorder_.add(lines_);
  }
  gateway::Recorder& recorder_;
  std::string lines_;
};

}  // namespace

// Everything that lives on the worker's thread.
class Worker::Thread {
 public:
  Thread(const WorkerSurroundings& around, gateway::Metrics& metrics)
      : around_(around),
        slot_(around.watchdog),
        loop_(around.clock),
        sockets_(loop_),
        ledger_(around.ledger, loop_),
        records_(loop_, around.recorder) {
    metrics_ = &metrics;
  }

  ~Thread() {
    // Exchanges that still run are dropped here; their holds settle themselves, and the ledger's
    // client carries the settlements before it goes.
    loop_.cancel_spawned();
  }

  Result<> open(std::shared_ptr<const gateway::World> world) {
    MG_TRY(lookup_, event::make_ares_lookup(loop_, around_.config.resolver));
    resolver_ = std::make_unique<event::CachingResolver>(loop_, *lookup_);
    pool_ = std::make_unique<http::Pool>(loop_, sockets_, *resolver_);
    services_.emplace(gateway::Services{loop_, rng_, ledger_, *pool_, reader_, records_, *metrics_,
                                        around_.idempotency, around_.config.settings, nullptr});
    MG_CHECK(serve(std::move(world)));
    server_ = std::make_unique<http::Server>(loop_, sockets_, around_.config.server_limits,
                                             around_.config.capacity);
    return {};
  }

  Result<std::vector<SocketAddress>> listen(const std::vector<SocketAddress>& addresses,
                                            const Credentials& credentials) {
    std::vector<SocketAddress> bound;
    for (size_t i = 0; i < addresses.size(); ++i) {
      endpoints_.push_back(std::make_unique<gateway::Endpoint>(*services_, around_.process,
                                                               around_.config.listen[i].serves));
      MG_TRY(const SocketAddress address,
             server_->listen(addresses[i], event::PortSharing::between_workers, *endpoints_.back(),
                             credentials[i]));
      bound.push_back(address);
    }
    return bound;
  }

  // A world of the same bundle keeps the state its scripts have.
  Result<> serve(std::shared_ptr<const gateway::World> world) {
    auto serving = std::make_shared<gateway::Serving>();
    const auto& now = services_->serving;
    if (now && now->world->bundle() == world->bundle()) {
      serving->policies = now->policies;
    } else {
      const api::Seams seams{around_.clock, around_.buckets, reports_, &slot_};
      MG_TRY(auto opened, api::Policies::open(world->bundle(), seams));
      serving->policies = std::move(opened);
    }
    serving->world = std::move(world);
    services_->serving = serving;
    alive_.push_back(serving);
    retire_oldest();
    return {};
  }

  void set_credentials(const Credentials& credentials) {
    for (size_t i = 0; i < credentials.size(); ++i) server_->set_credentials(i, credentials[i]);
  }

  void drain(std::function<void()> done) { loop_.spawn(report_drained(std::move(done))); }

  event::UvLoop& loop() { return loop_; }

 private:
  event::Task<> report_drained(std::function<void()> done) {
    co_await server_->drain();
    done();
  }

  // Beyond the bound of living generations, the oldest one gives up its scripts: exchanges of it
  // that still run ask the newest.
  void retire_oldest() {
    alive_.remove_if([](const std::weak_ptr<gateway::Serving>& one) { return one.expired(); });
    while (alive_.size() > limits::generations_alive_max) {
      if (const auto oldest = alive_.front().lock()) oldest->policies.reset();
      alive_.pop_front();
    }
  }

  const WorkerSurroundings& around_;
  SystemRng rng_;
  script::WatchSlot slot_;
  event::UvLoop loop_;
  event::UvSockets sockets_;
  ledger::Client ledger_;
  std::unique_ptr<event::Lookup> lookup_;
  std::unique_ptr<event::CachingResolver> resolver_;
  std::unique_ptr<http::Pool> pool_;
  gateway::AnswerReader reader_;
  RecordBuffer records_;
  gateway::Metrics* metrics_;
  api::Reports reports_;
  std::optional<gateway::Services> services_;
  std::list<std::weak_ptr<gateway::Serving>> alive_;
  std::vector<std::unique_ptr<gateway::Endpoint>> endpoints_;
  std::unique_ptr<http::Server> server_;
};

Worker::Worker(const WorkerSurroundings& around, std::shared_ptr<const gateway::World> world)
    : around_(around), first_world_(std::move(world)) {}

Worker::~Worker() {
  if (thread_.joinable()) stop();
}

Result<std::vector<SocketAddress>> Worker::start(std::vector<SocketAddress> addresses,
                                                 Credentials credentials) {
  std::promise<Result<std::vector<SocketAddress>>> started;
  auto outcome = started.get_future();
  thread_ = std::thread([this, &started, addresses = std::move(addresses),
                         credentials = std::move(credentials)]() mutable {
    run(std::move(addresses), std::move(credentials),
        [&started](Result<std::vector<SocketAddress>> result) {
          started.set_value(std::move(result));
        });
  });
  Result<std::vector<SocketAddress>> result = outcome.get();
  if (!result) thread_.join();
  return result;
}

void Worker::run(std::vector<SocketAddress> addresses, Credentials credentials,
                 std::function<void(Result<std::vector<SocketAddress>>)> started) {
  name_this_thread("worker");
  Thread thread(around_, metrics_);
  const auto waker = thread.loop().make_waker([&] {
    std::vector<Message> messages;
    inbox_->take(messages);
    for (Message& message : messages) message(thread);
  });
  inbox_ = std::make_unique<event::Mailbox<Message>>([&waker] { waker->wake(); });
  if (Result<> opened = thread.open(first_world_); !opened) {
    started(tl::unexpected(opened.error()));
    return;
  }
  Result<std::vector<SocketAddress>> bound = thread.listen(addresses, credentials);
  const bool is_up = bound.has_value();
  started(std::move(bound));
  if (is_up) thread.loop().run();
}

void Worker::post(Message message) { inbox_->post(std::move(message)); }

void Worker::publish(std::shared_ptr<const gateway::World> world,
                     std::function<void(Result<>)> done) {
  post([world = std::move(world), done = std::move(done)](Thread& thread) {
    done(thread.serve(world));
  });
}

void Worker::set_credentials(Credentials credentials) {
  post([credentials = std::move(credentials)](Thread& thread) {
    thread.set_credentials(credentials);
  });
}

void Worker::drain(std::function<void()> done) {
  post([done = std::move(done)](Thread& thread) { thread.drain(done); });
}

void Worker::stop() {
  post([](Thread& thread) { thread.loop().stop(); });
  thread_.join();
}

}  // namespace mg::server
