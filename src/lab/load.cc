#include "lab/load.h"

#include <fmt/format.h>

#include "base/json.h"
#include "lab/load_client.h"

namespace mg::lab {
namespace {

constexpr size_t kReserveMax = 1'000'000;

}  // namespace

Result<std::unique_ptr<Load>> Load::make(event::Loop& loop, event::Sockets& sockets,
                                         event::Resolver& resolver, LoadOptions options,
                                         OnProgress on_progress) {
  MG_TRY(http::BaseUrl base, check(options));
  return std::unique_ptr<Load>(new Load(loop, sockets, resolver, std::move(options),
                                        std::move(base), std::move(on_progress)));
}

Load::Load(event::Loop& loop, event::Sockets& sockets, event::Resolver& resolver,
           LoadOptions options, http::BaseUrl base, OnProgress on_progress)
    : loop_(loop),
      options_(std::move(options)),
      base_(std::move(base)),
      destination_(http::Destination::make(
          base_.origin, {http::PrivateAddresses::allow, http::PlainHttp::allow}, options_.trust)),
      pool_(loop, sockets, resolver),
      on_progress_(std::move(on_progress)),
      progress_timer_(event::Timer::calling<&Load::report>(loop.timers(), this)) {
  told_.reserve(std::min(kReserveMax, static_cast<size_t>(options_.requests)));
}

Load::~Load() = default;

event::Task<> Load::run() {
  started_ns_ = loop_.now_ns();
  progress_timer_.start_ms(options_.progress_ms);
  const int64_t clients = std::min(options_.concurrency, options_.requests);
  clients_running_ = clients;
  for (int64_t i = 0; i < clients; ++i) {
    clients_.push_back(std::make_unique<Client>(*this));
    clients_.back()->start();
  }
  co_await all_ended_.wait();
  // The last client has called from inside its own task, which must not be dropped there.
  co_await event::next_turn(loop_);
  clients_.clear();
  report();
  progress_timer_.stop();
}

bool Load::may_begin() const {
  if (progress_.begun >= options_.requests) return false;
  return options_.duration_ms == 0 ||
         loop_.now_ns() - started_ns_ < options_.duration_ms * kNsPerMs;
}

void Load::note(const Told& told, const std::string& error) {
  told_.push_back(told);
  ++progress_.ended;
  if (told.heard == Heard::complete) ++progress_.complete;
  if (told.heard == Heard::hung_up) ++progress_.hung_up;
  if (!error.empty()) progress_.errors.add(error);
  if (!told.has_cost()) return;
  const Result<Money> sum = progress_.cost.plus(told.cost());
  if (sum) progress_.cost = *sum;
}

void Load::client_ended() {
  if (--clients_running_ == 0) all_ended_.raise();
}

void Load::report() {
  progress_.elapsed_ms = (loop_.now_ns() - started_ns_) / kNsPerMs;
  if (on_progress_) on_progress_(progress_);
  progress_timer_.start_ms(options_.progress_ms);
}

std::string to_line(const Progress& progress) {
  const auto ms = [](int64_t us) { return fmt::format("{}.{}", us / 1000, us % 1000 / 100); };
  std::string line = fmt::format(
      "{:>6} s  {} of {} ended  {}/s  latency p50 {} ms p99 {} ms  first byte p50 {} ms p99 {} ms  "
      "cost {} USD",
      progress.elapsed_ms / 1000, progress.ended, progress.begun, progress.per_second(),
      ms(progress.latency.percentile_us(500)), ms(progress.latency.percentile_us(990)),
      ms(progress.first_byte.percentile_us(500)), ms(progress.first_byte.percentile_us(990)),
      to_text(progress.cost));
  if (progress.hung_up > 0) line += fmt::format("  hung up {}", progress.hung_up);
  for (const auto& [error, count] : progress.errors.all())
    line += fmt::format("  [{}] {}", error, count);
  return line;
}

std::string to_json(const Progress& progress) {
  std::string out;
  JsonWriter json(out);
  const auto times = [&](std::string_view key, const Histogram& histogram) {
    json.key(key);
    json.begin_object();
    json.field("p50", histogram.percentile_us(500));
    json.field("p90", histogram.percentile_us(900));
    json.field("p99", histogram.percentile_us(990));
    json.field("max", histogram.percentile_us(1000));
    json.end_object();
  };
  json.begin_object();
  json.field("elapsed_ms", progress.elapsed_ms);
  json.field("begun", progress.begun);
  json.field("ended", progress.ended);
  json.field("complete", progress.complete);
  json.field("hung_up", progress.hung_up);
  json.field("per_second", progress.per_second());
  json.key("errors");
  json.begin_object();
  for (const auto& [error, count] : progress.errors.all()) json.field(error, count);
  json.end_object();
  times("latency_us", progress.latency);
  times("first_byte_us", progress.first_byte);
  json.field("cost", to_text(progress.cost));
  json.end_object();
  return out;
}

}  // namespace mg::lab
