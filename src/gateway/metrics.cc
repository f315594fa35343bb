#include "gateway/metrics.h"

#include <fmt/format.h>

#include "gateway/world.h"

namespace mg::gateway {
namespace {

// Appends lines of one metric after another, each with its HELP and TYPE.
class Page {
 public:
  explicit Page(const std::vector<const Metrics*>& workers) : workers_(workers) {}

  void begin(std::string_view metric, std::string_view type, std::string_view help) {
    metric_ = metric;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", metric, help, metric,
                   type);
  }
  template <class Value>
  void line(std::string_view labels, const Value& value) {
    const std::string braces = labels.empty() ? "" : fmt::format("{{{}}}", labels);
    fmt::format_to(std::back_inserter(text_), "{}{} {}\n", metric_, braces, value);
  }
  template <class Pick>
  uint64_t sum(Pick pick) const {
    uint64_t total = 0;
    for (const Metrics* worker : workers_) total += pick(*worker).value();
    return total;
  }
  template <class Pick>
  void counter(std::string_view metric, std::string_view help, Pick pick) {
    begin(metric, "counter", help);
    line("", sum(pick));
  }
  template <class Pick>
  void histogram(std::string_view metric, std::string_view help, Pick pick) {
    begin(metric, "histogram", help);
    uint64_t below = 0;
    const std::string base(metric);
    for (size_t i = 0; i <= kLatencyEdgesMs.size(); ++i) {
      below += sum([&](const Metrics& m) -> const Counter& { return pick(m).buckets[i]; });
      metric_ = base + "_bucket";
      line(i < kLatencyEdgesMs.size() ? fmt::format("le=\"{}.{:03}\"", kLatencyEdgesMs[i] / 1000,
                                                    kLatencyEdgesMs[i] % 1000)
                                      : std::string("le=\"+Inf\""),
           below);
    }
    const uint64_t ms = sum([&](const Metrics& m) -> const Counter& { return pick(m).sum_ms; });
    metric_ = base + "_sum";
    line("", fmt::format("{}.{:03}", ms / 1000, ms % 1000));
    metric_ = base + "_count";
    line("", below);
  }
  std::string take() { return std::move(text_); }

 private:
  const std::vector<const Metrics*>& workers_;
  std::string metric_;
  std::string text_;
};

// A label as the text format has it. Names of channels are plain by the rules of the configuration;
// a page that is no longer read as a whole would be too high a price for trusting that here.
std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

void write_requests(Page& page) {
  page.begin("moongate_requests_started_total", "counter",
             "Requests with a known key, by operation.");
  for (size_t i = 0; i < kOperations.size(); ++i)
    page.line(fmt::format("operation=\"{}\"", name(kOperations[i])),
              page.sum([&](const Metrics& m) -> const Counter& { return m.started[i]; }));
  page.begin("moongate_requests_total", "counter", "Requests answered, by operation and status.");
  for (size_t i = 0; i < kOperations.size(); ++i)
    for (size_t digit = 2; digit < 6; ++digit)
      page.line(fmt::format("operation=\"{}\",status=\"{}xx\"", name(kOperations[i]), digit),
                page.sum([&](const Metrics& m) -> const Counter& { return m.ended[i][digit]; }));
  page.begin("moongate_refusals_total", "counter", "Refusals by code, unauthenticated ones too.");
  for (size_t i = 0; i < kCodes; ++i)
    page.line(fmt::format("code=\"{}\"", name(static_cast<Code>(i))),
              page.sum([&](const Metrics& m) -> const Counter& { return m.refused[i]; }));
  page.counter("moongate_policy_refusals_total", "Refusals that a policy decided.",
               [](const Metrics& m) -> const Counter& { return m.refused_by_policy; });
  page.begin("moongate_requests_in_flight", "gauge", "Requests being served now.");
  page.line("", page.sum([](const Metrics& m) -> const Counter& { return m.in_flight; }));
  page.counter("moongate_clients_left_total", "Answers whose client left before their end.",
               [](const Metrics& m) -> const Counter& { return m.client_left; });
  page.counter("moongate_upstreams_broken_total", "Answers that broke off after their first byte.",
               [](const Metrics& m) -> const Counter& { return m.upstream_broke; });
  page.counter("moongate_holds_used_up_total", "Streams ended because the wallet had no more.",
               [](const Metrics& m) -> const Counter& { return m.hold_used_up; });
  page.histogram("moongate_request_duration_seconds", "From the head of a request to its end.",
                 [](const Metrics& m) -> const Histogram& { return m.latency; });
  page.histogram("moongate_first_byte_seconds", "From the head of a request to the first byte out.",
                 [](const Metrics& m) -> const Histogram& { return m.first_byte; });
}

void write_money(Page& page, const ProcessFigures& process) {
  page.begin("moongate_tokens_total", "counter", "Units settled, by meter.");
  for (Meter meter : kMeters)
    page.line(fmt::format("meter=\"{}\"", name(meter)),
              page.sum([&](const Metrics& m) -> const Counter& {
                return m.tokens[static_cast<size_t>(meter)];
              }));
  page.counter("moongate_charged_nano_usd_total", "Charges settled, in nano-USD.",
               [](const Metrics& m) -> const Counter& { return m.charged_nanos; });
  page.counter("moongate_usages_counted_total", "Settlements by our own count of the answer.",
               [](const Metrics& m) -> const Counter& { return m.counted_usages; });
  page.begin("moongate_ledger_records_ordered", "counter", "Number of the last record ordered.");
  page.line("", process.ledger_ordered);
  page.begin("moongate_ledger_records_durable", "counter", "Number of the last record on disk.");
  page.line("", process.ledger_durable);
  page.begin("moongate_ledger_commits_total", "counter", "Commits since the start.");
  page.line("", process.ledger_commits);
  page.begin("moongate_ledger_commit_nanoseconds_total", "counter", "Time spent in commits.");
  page.line("", process.ledger_commit_ns);
  page.begin("moongate_ledger_open_holds", "gauge", "Holds not yet settled.");
  page.line("", process.open_holds);
  page.begin("moongate_ledger_takes_holds", "gauge", "1 while new requests can be paid for.");
  page.line("", process.takes_holds ? 1 : 0);
  page.begin("moongate_records_dropped_total", "counter",
             "Decision records the disk did not keep up with.");
  page.line("", process.records_dropped);
}

void write_channels(Page& page, const World& world, int64_t now_ns) {
  page.begin("moongate_generation", "gauge", "The generation of policies and data that serves.");
  page.line("", world.generation());
  page.begin("moongate_channel_breaker", "gauge", "0 closed, 1 half-open, 2 open.");
  for (const auto& channel : world.channels())
    page.line(label("channel", channel->id),
              static_cast<int>(channel->health->state(now_ns, world.breaker())));
  page.begin("moongate_channel_in_flight", "gauge", "Requests under way to the channel.");
  for (const auto& channel : world.channels())
    page.line(label("channel", channel->id), channel->health->in_flight());
  page.begin("moongate_channel_error_ppm", "gauge", "Share of failed attempts, smoothed.");
  for (const auto& channel : world.channels())
    page.line(label("channel", channel->id), channel->health->error_ppm());
}

}  // namespace

void Histogram::observe(int64_t ms) {
  size_t at = 0;
  while (at < kLatencyEdgesMs.size() && ms > kLatencyEdgesMs[at]) ++at;
  buckets[at].add();
  sum_ms.add(static_cast<uint64_t>(ms));
}

void Metrics::count_end(Operation operation, int status) {
  const auto digit = static_cast<size_t>(status / 100);
  if (digit < 6) ended[static_cast<size_t>(operation)][digit].add();
}

void Metrics::count_usage(const Usage& usage, Money charge) {
  for (Meter meter : kMeters)
    tokens[static_cast<size_t>(meter)].add(static_cast<uint64_t>(usage[meter]));
  charged_nanos.add(static_cast<uint64_t>(charge.nanos()));
}

std::string prometheus_text(const std::vector<const Metrics*>& workers, const World& world,
                            const ProcessFigures& process, int64_t now_ns) {
  Page page(workers);
  write_requests(page);
  write_money(page, process);
  write_channels(page, world, now_ns);
  return page.take();
}

}  // namespace mg::gateway
