#include "lab/counts.h"

#include "base/json.h"
#include "base/limits.h"

namespace mg::lab {

void Tally::add(std::string_view name) {
  ++sum_;
  const auto found = counts_.find(name);
  if (found != counts_.end()) {
    ++found->second;
  } else if (counts_.size() < limits::lab_counted_names_max) {
    counts_.emplace(name, 1);
  } else {
    ++counts_["other"];
  }
}

int64_t Tally::of(std::string_view name) const {
  const auto found = counts_.find(name);
  return found == counts_.end() ? 0 : found->second;
}

std::string Counts::to_json() const {
  std::string out;
  JsonWriter json(out);
  const auto add = [&](std::string_view name, const Tally& tally) {
    json.key(name);
    json.begin_object();
    for (const auto& [key, count] : tally.all()) json.field(key, count);
    json.end_object();
  };
  json.begin_object();
  json.field("requests", paths.sum());
  add("paths", paths);
  add("models", models);
  add("statuses", statuses);
  add("faults", faults);
  json.field("connections", connections);
  json.field("connections_open", connections_open);
  json.field("streams_open", streams_open);
  json.field("streams_ended", streams_ended);
  json.field("clients_left", clients_left);
  json.end_object();
  return out;
}

void Counts::reset() {
  const int64_t open = connections_open, streams = streams_open;
  *this = Counts();
  connections_open = open;
  streams_open = streams;
}

}  // namespace mg::lab
