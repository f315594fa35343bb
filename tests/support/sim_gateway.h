// The whole gateway on one thread: real HTTP, real policies, the real ledger on a store in a
// temporary folder, over a network in memory and under a clock that a test moves.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>

#include "api/policies.h"
#include "base/text.h"
#include "control/operations.h"
#include "gateway/endpoint.h"
#include "http/server.h"
#include "ledger/ledger.h"
#include "limit/buckets.h"
#include "support/corpus.h"
#include "support/sim_sockets.h"
#include "support/sim_upstream.h"

namespace mg::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "moongate-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// No name resolves in a simulation; upstreams are addresses.
struct NoNames final : event::Resolver {
  event::Task<Result<std::vector<IpAddress>>> resolve(std::string name, int64_t) override {
    co_return fail(Errc::not_found, name);
  }
};

struct KeptRecords final : gateway::RecordSink {
  void add(const gateway::DecisionRecord& record) override { all.push_back(record); }
  std::vector<gateway::DecisionRecord> all;
};

struct NoProcess final : gateway::ProcessView {
  gateway::Readiness readiness() override { return {true, 1, "ok", "ok"}; }
  std::string metrics_text() override { return {}; }
};

struct NoSite final : control::Site {
  event::Task<Result<>> publish_directory() override { co_return Result<>(); }
  event::Task<Result<Json>> reload() override { co_return fail(Errc::conflict, "none"); }
  std::vector<control::ChannelView> channels() override { return {}; }
};

// What a client received, taken apart.
struct Answer {
  int status = 0;
  std::string raw;
  std::string head;
  std::string body;  // chunks joined
  bool complete = false;
  std::optional<Error> end;

  std::string field(const std::string& name) const {
    const std::string lower = to_lower(head);
    const size_t at = lower.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const size_t from = at + name.size() + 4;
    return head.substr(from, head.find("\r\n", from) - from);
  }
};

// A client with one connection.
class SimClient final : public event::ReadSink {
 public:
  explicit SimClient(std::unique_ptr<event::Stream> stream) : stream_(std::move(stream)) {
    stream_->read_start(*this);
    parser_.expect(http::Method::post);
  }
  void say(std::string_view bytes) { (void)stream_->write(bytes); }
  event::Stream& stream() { return *stream_; }
  const Answer& answer() const { return answer_; }
  // For the next answer on this connection.
  void again() {
    answer_ = {};
    parser_.expect(http::Method::post);
  }

 private:
  void on_bytes(std::string_view bytes) override {
    answer_.raw.append(bytes);
    while (!bytes.empty() || !answer_.complete) {
      const http::Parsed parsed = parser_.feed(bytes);
      bytes.remove_prefix(parsed.consumed);
      if (parsed.event == http::ParseEvent::head) {
        const http::ResponseHead head = parser_.take_head();
        answer_.status = head.status;
        answer_.head = answer_.raw.substr(0, answer_.raw.find("\r\n\r\n") + 2);
      } else if (parsed.event == http::ParseEvent::body) {
        answer_.body.append(parsed.body);
      } else if (parsed.event == http::ParseEvent::complete) {
        answer_.complete = true;
      } else {
        return;
      }
    }
  }
  void on_read_end(Error error) override { answer_.end = error; }

  std::unique_ptr<event::Stream> stream_;
  http::ResponseParser parser_;
  Answer answer_;
};

class SimGateway {
 public:
  explicit SimGateway(const std::string& data_models = {}) {
    models_json = data_models;
    ledger::LedgerOptions options;
    options.directory = folder.path() + "/store";
    options.map_bytes = size_t{1} << 30;
    ledger = *ledger::Ledger::open(std::move(options), clock);
    driver = std::make_unique<ledger::InlineLedger>(*ledger, loop);
    client = std::make_unique<ledger::Client>(*ledger, loop);
    editor = *directory::Editor::open(*ledger, *client);
    books.emplace(*ledger, *client, *editor);
    writing.emplace(control::Writing{*client, *editor});
    operations.emplace(
        control::Resources{loop, rng, *books, vault, site, folder.path() + "/records", &*writing});
    tenant = run("tenant.create", {{"name", "Acme"}})["id"];
    key = run("key.create", {{"tenant", tenant}})["key"];
    services.emplace(gateway::Services{loop, rng, *client, pool, reader, records, metrics,
                                       idempotency, settings, nullptr});
  }

  ~SimGateway() {
    loop.cancel_spawned();
    loop.settle();
  }

  // Call once channels are there; again after a change of channels, keys or tenants.
  void serve() {
    if (!bundle) bundle = build_bundle();
    const auto catalogue = gateway::Catalogue::parse(*bundle->data("models.json"), "{}");
    REQUIRE(catalogue);
    auto serving = std::make_shared<gateway::Serving>();
    serving->world =
        std::make_shared<gateway::World>(bundle, *catalogue, editor->snapshot(), channels);
    const auto& now = services->serving;
    if (now && now->world->bundle() == bundle) {
      serving->policies = now->policies;
    } else {
      auto policies = api::Policies::open(bundle, {clock, buckets, reports, nullptr});
      REQUIRE(policies);
      serving->policies = std::move(*policies);
    }
    services->serving = serving;
    if (endpoint) return;
    endpoint = std::make_unique<gateway::Endpoint>(*services, process, gateway::Serves{true, true});
    REQUIRE(server.listen(address, event::PortSharing::exclusive, *endpoint, nullptr));
  }

  // A channel to an upstream on the simulated network.
  std::shared_ptr<gateway::Channel> add_channel(const std::string& id, uint16_t port,
                                                int priority = 1, int weight = 1) {
    if (!bundle) bundle = build_bundle();
    auto channel = std::make_shared<gateway::Channel>();
    channel->id = id;
    channel->provider = *api::provider(*bundle, "openai_compatible");
    http::BaseUrl base = *http::parse_base_url("http://127.0.0.1:" + std::to_string(port) + "/v1");
    channel->destination = http::Destination::make(
        base.origin, {http::PrivateAddresses::allow, http::PlainHttp::refuse}, nullptr);
    REQUIRE(channel->prepare_heads(base.path_prefix,
                                   {"authorization", "Bearer ", "sk-upstream-" + id}));
    channel->priority = priority;
    channel->weight = weight;
    channel->timeouts = {3000, 30'000, 60'000, 600'000};
    channel->models = {{"*", {}}};
    channel->health = health.of(id);
    channels.push_back(channel);
    return channel;
  }

  std::unique_ptr<SimUpstream> add_upstream(uint16_t port) {
    return std::make_unique<SimUpstream>(sockets,
                                         SocketAddress{*IpAddress::parse("127.0.0.1"), port});
  }

  Json run(const std::string& command, Json arguments) {
    const Result<Json> result = finish(loop, operations->run(command, std::move(arguments)));
    if (!result) FAIL(command << ": " << result.error().what);
    return *result;
  }
  void credit(const std::string& amount) {
    run("wallet.credit", {{"tenant", tenant}, {"amount", amount}});
  }
  Json wallet() { return run("wallet.show", {{"tenant", tenant}}); }
  size_t open_holds() const { return ledger->status().open_holds; }

  std::unique_ptr<SimClient> connect() {
    auto stream = finish(loop, sockets.connect(address, 1000));
    REQUIRE(stream);
    return std::make_unique<SimClient>(std::move(*stream));
  }
  std::string request(const std::string& body, const std::string& more = "",
                      const std::string& path = "/v1/chat/completions") const {
    return "POST " + path + " HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer " + key +
           "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
           "\r\n" + more + "\r\n" + body;
  }
  // One request on a connection of its own, and everything that comes of it.
  Answer ask(const std::string& body, const std::string& more = "",
             const std::string& path = "/v1/chat/completions", int64_t wait_ms = 5000) {
    const auto guest = connect();
    guest->say(request(body, more, path));
    loop.run_for_ms(wait_ms);
    return guest->answer();
  }

  TemporaryFolder folder;
  VirtualClock clock;
  SimLoop loop{clock};
  SimSockets sockets{loop};
  SeededRng rng{1};
  NoNames names;
  std::string models_json;
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<ledger::InlineLedger> driver;
  std::unique_ptr<ledger::Client> client;
  std::unique_ptr<directory::Editor> editor;
  control::Vault vault;
  NoSite site;
  std::optional<control::RunningBooks> books;
  std::optional<control::Writing> writing;
  std::optional<control::Operations> operations;
  http::Pool pool{loop, sockets, names};
  gateway::AnswerReader reader;
  KeptRecords records;
  gateway::Metrics metrics;
  gateway::IdempotencyTable idempotency;
  gateway::Settings settings;
  gateway::HealthBoard health;
  limit::Buckets buckets{clock};
  api::Reports reports;
  NoProcess process;
  std::optional<gateway::Services> services;
  std::vector<std::shared_ptr<const gateway::Channel>> channels;
  std::shared_ptr<const script::Bundle> bundle;
  std::unique_ptr<gateway::Endpoint> endpoint;
  http::ServerLimits server_limits;
  http::Server server{loop, sockets, server_limits, http::ServerCapacity{}};
  const SocketAddress address{*IpAddress::parse("127.0.0.1"), 8080};
  std::string tenant;
  std::string key;
  // Shipped scripts, changed by a test before the first serve().
  std::function<void(script::SourceTree&)> edit_sources;

 private:
  std::shared_ptr<const script::Bundle> build_bundle() {
    const std::filesystem::path root = MOONGATE_SOURCE_DIR;
    auto tree = script::read_source_tree(root / "scripts", root / "data");
    REQUIRE(tree);
    if (edit_sources) edit_sources(*tree);
    for (script::File& file : tree->data)
      if (file.path == "models.json" && !models_json.empty()) file.bytes = models_json;
    script::BuildResult built = api::build_policies(*tree, 1);
    if (!built.bundle) FAIL(built.text());
    return built.bundle;
  }
};

}  // namespace mg::test
