// How a process comes to a new generation: from changed scripts and data, from a changed directory,
// or from a configuration read anew.
#include <atomic>

#include "base/log.h"
#include "server/process.h"

namespace mg::server {
namespace {

// Counts the workers that act by a new world.
struct Confirmations {
  explicit Confirmations(size_t workers) : left(workers) {}
  std::atomic<size_t> left;
  std::mutex mutex;  // guards error
  std::optional<Error> error;
  event::Signal all_done;  // raised on the main thread
};

}  // namespace

std::shared_ptr<const gateway::World> Process::make_world() {
  BuiltChannels built =
      build_channels({config_.channels, *bundle_, *editor_->snapshot(), vault_, trust_, health_});
  std::set<std::string> complaints;
  const auto tell = [&](const char* event, const std::string& reason) {
    if (!complaints_told_.contains(reason)) log_warning(event, {{"reason", reason}});
    complaints.insert(reason);
  };
  for (const std::string& complaint : built.complaints) tell("channel_left_out", complaint);
  auto world = std::make_shared<gateway::World>(bundle_, catalogue_, editor_->snapshot(),
                                                std::move(built.channels));
  for (const std::string& complaint : world->complaints()) tell("model_not_callable", complaint);
  complaints_told_ = std::move(complaints);
  return world;
}

void Process::on_sources_changed(Result<script::SourceTree> sources) {
  changed_ = std::move(sources);
  if (!reloading_) loop_.spawn(reload_changed());
}

event::Task<> Process::reload_changed() {
  reloading_ = true;
  while (changed_) {
    Result<script::SourceTree> sources = std::move(*changed_);
    changed_.reset();
    (void)co_await take_up(std::move(sources));
  }
  reloading_ = false;
}

// Makes what was read the generation that serves, or says everywhere why it is not: in the log, and
// to who asks whether the policies are ok.
event::Task<Result<uint64_t>> Process::take_up(Result<script::SourceTree> sources) {
  Result<uint64_t> generation = fail(Errc::invalid, "");
  if (sources) {
    generation = co_await adopt(std::move(*sources));
  } else {
    generation = tl::unexpected(std::move(sources).error());
  }
  {
    // Only now: who reads that policies are ok finds the generation that made them so.
    std::lock_guard lock(shared_mutex_);
    policies_status_ = generation ? "ok" : generation.error().what;
  }
  if (generation) {
    log_info("reloaded", {{"generation", std::to_string(*generation)}});
  } else {
    log_error("reload_refused", {{"reason", generation.error().what}});
  }
  co_return generation;
}

// Builds a generation from the sources and has every worker act by it; or changes nothing.
event::Task<Result<uint64_t>> Process::adopt(script::SourceTree tree) {
  const uint64_t next = bundle_->generation() + 1;
  const auto build = [tree = std::move(tree), next] { return build_generation(tree, next); };
  Generation built = co_await event::offloaded(loop_, build);
  if (!built.problems.empty()) co_return fail(Errc::invalid, built.problems);
  bundle_ = std::move(built.bundle);
  catalogue_ = std::move(built.catalogue);
  MG_CO_CHECK(co_await publish());
  co_return next;
}

event::Task<Result<>> Process::publish() {
  auto world = make_world();
  const auto confirmations = std::make_shared<Confirmations>(workers_.size());
  for (const auto& worker : workers_) {
    worker->publish(world, [this, confirmations](Result<> outcome) {
      if (!outcome) {
        std::lock_guard lock(confirmations->mutex);
        confirmations->error = outcome.error();
      }
      if (confirmations->left.fetch_sub(1) == 1)
        to_main_->post([confirmations] { confirmations->all_done.raise(); });
    });
  }
  if (!workers_.empty()) co_await confirmations->all_done.wait();
  if (confirmations->error) co_return tl::unexpected(*confirmations->error);
  std::lock_guard lock(shared_mutex_);
  world_ = world;  // what readiness names serves by now
  co_return Result<>();
}

event::Task<Result<>> Process::publish_directory() {
  Result<> done = co_await publish();
  co_return done;
}

event::Task<Result<Json>> Process::reload() {
  while (reloading_) co_await event::sleep_ms(loop_, 1);
  Result<script::SourceTree> sources = sources_->read_now();
  // Somebody is writing: what comes of it is taken up when it has settled.
  if (!sources && sources.error().code == Errc::conflict) co_return tl::unexpected(sources.error());
  reloading_ = true;
  const Result<uint64_t> generation = co_await take_up(std::move(sources));
  reloading_ = false;
  if (changed_) loop_.spawn(reload_changed());  // what the watch saw meanwhile
  if (!generation) co_return tl::unexpected(generation.error());
  co_return Json{{"generation", *generation}};
}

// Why one of these channels could not be served that could, or was not there, until now.
std::string Process::new_mistake(const std::vector<ChannelConfig>& channels) {
  const BuiltChannels built =
      build_channels({channels, *bundle_, *editor_->snapshot(), vault_, trust_, health_});
  for (const std::string& complaint : built.complaints)
    if (!complaints_told_.contains(complaint)) return complaint;
  return {};
}

// Channels are read anew; who changed anything else should not wait for it to act.
void Process::tell_what_waits(const Config& fresh) const {
  std::string names;
  for (const std::string& name : settings_that_differ(config_, fresh))
    if (name != "channels") names += (names.empty() ? "" : ", ") + name;
  if (!names.empty())
    log_warning("restart_needed", {{"settings", names},
                                   {"reason", "changes of these are taken up at the next start"}});
}

// SIGHUP: channels and certificates are read anew; what is wrong with them changes nothing.
event::Task<> Process::on_hangup() {
  Result<Config> fresh = load_config(config_.file, process_environment);
  if (!fresh) {
    log_error("configuration_refused", {{"reason", fresh.error().what}});
    co_return;
  }
  tell_what_waits(*fresh);
  const std::string mistake = new_mistake(fresh->channels);
  if (mistake.empty()) {
    config_.channels = std::move(fresh->channels);
    const Result<> published = co_await publish();
    if (!published) log_error("channels_not_published", {{"reason", published.error().what}});
  } else {
    log_error("channels_refused", {{"reason", mistake}});
  }
  const Result<Credentials> credentials = load_credentials();
  if (!credentials) {
    log_error("certificates_refused", {{"reason", credentials.error().what}});
    co_return;
  }
  for (const auto& worker : workers_) worker->set_credentials(*credentials);
  if (mistake.empty()) log_info("configuration_reread", {});
}

}  // namespace mg::server
