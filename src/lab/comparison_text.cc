#include <fmt/format.h>

#include "base/json.h"
#include "lab/comparison.h"

namespace mg::lab {
namespace {

std::string_view state(const Booked& booked) {
  switch (booked.state) {
    case Booked::State::open:
      return "open";
    case Booked::State::charged:
      return "charged";
    case Booked::State::voided:
      return "voided";
  }
  return "unknown";
}

bool has_told(const Difference& difference) { return difference.kind != Difference::Kind::unknown; }
bool has_booked(const Difference& difference) { return !difference.booked.request.is_nil(); }

void append_told(JsonWriter& json, const Told& told) {
  json.begin_object();
  json.field("status", told.status);
  json.field("heard", name(told.heard));
  json.field("stream", told.is_stream);
  json.key("cost");
  if (told.has_cost()) {
    json.value(to_text(told.cost()));
  } else {
    json.null();
  }
  if (told.has_tokens()) {
    json.field("prompt_tokens", told.prompt_tokens);
    json.field("completion_tokens", told.completion_tokens);
  }
  json.end_object();
}

void append_booked(JsonWriter& json, const Booked& booked) {
  json.begin_object();
  json.field("state", state(booked));
  json.field("charge", to_text(booked.charge));
  if (booked.has_tokens) {
    json.field("input_tokens", booked.input_tokens);
    json.field("output_tokens", booked.output_tokens);
  }
  json.end_object();
}

std::string line(const Difference& difference) {
  const Told& told = difference.told;
  std::string out =
      fmt::format("  {:<16} {}", name(difference.kind),
                  difference.request.is_nil() ? std::string("(no request id)")
                                              : difference.request.text(kRequestPrefix));
  if (has_told(difference)) {
    out += fmt::format("  told {}", told.has_cost() ? to_text(told.cost()) : "no cost");
    if (told.has_tokens())
      out += fmt::format(" for {}+{} tokens", told.prompt_tokens, told.completion_tokens);
    out += fmt::format(" (status {}, {})", told.status, name(told.heard));
  }
  if (!has_booked(difference)) return out + "  ledger: nothing";
  out +=
      fmt::format("  ledger: {} {}", state(difference.booked), to_text(difference.booked.charge));
  if (difference.booked.has_tokens)
    out += fmt::format(" for {}+{} tokens", difference.booked.input_tokens,
                       difference.booked.output_tokens);
  return out;
}

}  // namespace

std::string to_json(const Comparison& comparison) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("verdict", comparison.verdict());
  json.field("requests", comparison.requests);
  json.field("matched", comparison.matched);
  json.field("not_charged", comparison.not_charged);
  json.field("explained", comparison.explained);
  json.field("differing", comparison.differing);
  json.field("told_not_in_ledger", comparison.told_not_booked);
  json.field("in_ledger_not_told", comparison.booked_not_told);
  json.field("open_holds", comparison.open_holds);
  json.field("told_sum", to_text(comparison.told_sum));
  json.field("ledger_sum", to_text(comparison.booked_sum));
  json.field("explained_sum", to_text(comparison.explained_sum));
  json.key("differences");
  json.begin_array();
  for (const Difference& difference : comparison.differences) {
    json.begin_object();
    json.field("kind", name(difference.kind));
    json.field("request", difference.request.is_nil() ? std::string()
                                                      : difference.request.text(kRequestPrefix));
    if (has_told(difference)) {
      json.key("told");
      append_told(json, difference.told);
    }
    if (has_booked(difference)) {
      json.key("ledger");
      append_booked(json, difference.booked);
    }
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return out;
}

std::string to_text(const Comparison& comparison) {
  std::string out = fmt::format(
      "{} requests: {} told what the ledger charged, {} not charged, {} charged and told to nobody "
      "who was still there, {} differ\n"
      "told {} USD, ledger {} USD; {} USD more for clients that had left\n",
      comparison.requests, comparison.matched, comparison.not_charged, comparison.explained,
      comparison.differing, to_text(comparison.told_sum), to_text(comparison.booked_sum),
      to_text(comparison.explained_sum));
  for (const Difference& difference : comparison.differences) out += line(difference) + "\n";
  const auto listed = static_cast<int64_t>(comparison.differences.size());
  if (comparison.differing > listed)
    out += fmt::format("  ... and {} more\n", comparison.differing - listed);
  out += comparison.verdict() ? "Every client was told what the ledger has, to the nano-dollar.\n"
                              : "The ledger and what clients were told do NOT agree.\n";
  return out;
}

}  // namespace mg::lab
