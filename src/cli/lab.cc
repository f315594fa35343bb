#include "lab/lab.h"

#include "base/rng.h"
#include "base/text.h"
#include "cli/cli.h"
#include "event/file_watch.h"
#include "event/tcp.h"
#include "server/process.h"

namespace mg::cli {
namespace {

constexpr uint16_t kLabPort = 9000;
constexpr int64_t kDrainMs = 30'000;
constexpr int64_t kDrainStepMs = 10;

struct Options {
  uint16_t port = kLabPort;
  std::string key, models;
  uint64_t seed = 1;
  std::map<std::string, std::string> knobs;  // by name; empty: not given
};

Result<lab::LabOptions> read(const Options& options) {
  lab::LabOptions out;
  out.key = options.key;
  if (!options.models.empty()) {
    out.models.clear();
    for (std::string_view model : split(options.models, ','))
      out.models.emplace_back(trimmed(model));
  }
  for (const auto& [name, value] : options.knobs)
    if (!value.empty()) MG_CHECK(out.knobs.set(name, value));
  return out;
}

event::Task<> drain(event::UvLoop& loop, lab::Lab& lab) {
  lab.drain();
  for (int64_t waited_ms = 0; lab.connections() > 0 && waited_ms < kDrainMs;
       waited_ms += kDrainStepMs)
    co_await event::sleep_ms(loop, kDrainStepMs);
  loop.stop();
}

int serve(const Options& options) {
  auto wanted = read(options);
  if (!wanted) return misused(wanted.error().what);
  SystemClock clock;
  event::UvLoop loop(clock);
  event::UvSockets sockets(loop);
  lab::Lab lab(loop, sockets, options.seed, std::move(*wanted));
  const auto address = lab.listen({IpAddress::v4({127, 0, 0, 1}), options.port});
  if (!address) return failed(address.error().what + "; choose another with --port");
  server::PrintedAnnouncements announcements;
  announcements.listening(*address, false);
  bool is_draining = false;
  const auto on_signal = [&] {
    if (is_draining) return loop.stop();
    is_draining = true;
    announcements.draining();
    loop.spawn(drain(loop, lab));
  };
  const event::SignalWatch terminated(loop, SIGTERM, on_signal);
  const event::SignalWatch interrupted(loop, SIGINT, on_signal);
  loop.run();
  loop.cancel_spawned();
  return 0;
}

}  // namespace

void add_lab(Cli& cli) {
  const auto options = std::make_shared<Options>();
  CLI::App* lab =
      cli.command(nullptr, "lab", "Run the built-in provider, which misbehaves on demand",
                  [options] { return serve(*options); });
  lab->add_option("--port", options->port, "On 127.0.0.1; 0: any that is free")
      ->transform(decimal<uint16_t>())
      ->capture_default_str();
  lab->add_option("--key", options->key, "The bearer token that clients must send");
  lab->add_option("--models", options->models, "What GET /v1/models lists: a,b");
  lab->add_option("--seed", options->seed, "Of the choice which requests a fault strikes")
      ->transform(decimal<uint64_t>());
  for (const lab::KnobNote& note : lab::knob_notes())
    lab->add_option("--" + std::string(note.name), options->knobs[std::string(note.name)],
                    std::string(note.effect))
        ->type_name(std::string(note.value));
  lab->footer(lab::knob_help());
}

}  // namespace mg::cli
