#include "gateway/usage.h"

#include <simdjson.h>

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "gateway/whole_number.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// Reads counts of one object and remembers whether any of them was none.
class Counts {
 public:
  explicit Counts(dom::object object) : object_(object) {}

  std::optional<int64_t> get(std::string_view name) {
    dom::element value;
    if (object_[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
    const auto number = whole_number(value, 0, limits::usage_tokens_max);
    valid_ = valid_ && number;
    return number;
  }

  // A count inside a nested object, 0 where there is none.
  int64_t detail(std::string_view object, std::string_view name) {
    dom::object details;
    if (object_[object].get(details) != simdjson::SUCCESS) return 0;
    Counts nested(details);
    const int64_t number = nested.get(name).value_or(0);
    valid_ = valid_ && nested.valid_;
    return number;
  }

  bool valid() const { return valid_; }

 private:
  dom::object object_;
  bool valid_ = true;
};

// Moves up to `want` units out of `whole` into a part of it.
int64_t split_off(int64_t& whole, int64_t want) {
  const int64_t part = std::min(whole, want);
  whole -= part;
  return part;
}

}  // namespace

int64_t Usage::input() const {
  int64_t sum = 0;
  for (Meter meter : kMeters) sum += is_input(meter) ? (*this)[meter] : 0;
  return sum;
}

int64_t Usage::output() const {
  int64_t sum = 0;
  for (Meter meter : kMeters) sum += is_input(meter) ? 0 : (*this)[meter];
  return sum;
}

std::optional<Usage> read_usage(const dom::element& element) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) return std::nullopt;
  Counts counts(object);
  const auto prompt = counts.get("prompt_tokens");
  const auto completion = counts.get("completion_tokens");
  const auto total = counts.get("total_tokens");
  // Embeddings have no completion. Who else leaves it out has it in the total.
  if (!prompt || (!completion && !total)) return std::nullopt;

  int64_t in = *prompt;
  const int64_t written = completion.value_or(std::max<int64_t>(0, total.value_or(0) - in));
  // What a vendor counts in the total and nowhere else was written too, out of sight.
  const int64_t hidden = total && completion ? std::max<int64_t>(0, *total - in - written) : 0;
  int64_t out = written + hidden;

  int64_t cached = counts.detail("prompt_tokens_details", "cached_tokens");
  if (cached == 0) cached = counts.get("cached_tokens").value_or(0);
  if (cached == 0) cached = counts.get("prompt_cache_hit_tokens").value_or(0);
  const int64_t cache_write = counts.detail("prompt_tokens_details", "cache_write_tokens");
  const int64_t audio_in = counts.detail("prompt_tokens_details", "audio_tokens");
  const int64_t image_in = counts.detail("prompt_tokens_details", "image_tokens");
  const int64_t reasoning = counts.detail("completion_tokens_details", "reasoning_tokens");
  const int64_t audio_out = counts.detail("completion_tokens_details", "audio_tokens");
  const int64_t image_out = counts.detail("completion_tokens_details", "image_tokens");
  if (!counts.valid()) return std::nullopt;

  // Who reports more from its cache than in all counts the two apart.
  if (cached + cache_write > in) in += cached + cache_write;
  Usage usage;
  usage[Meter::cached_input] = split_off(in, cached);
  usage[Meter::cache_write] = split_off(in, cache_write);
  usage[Meter::input_audio] = split_off(in, audio_in);
  usage[Meter::input_image] = split_off(in, image_in);
  usage[Meter::input] = in;
  usage[Meter::reasoning] = split_off(out, std::max(reasoning, hidden));
  usage[Meter::output_audio] = split_off(out, audio_out);
  usage[Meter::output_image] = split_off(out, image_out);
  usage[Meter::output] = out;
  return usage;
}

std::optional<dom::element> find_usage(const dom::element& document,
                                       const api::Provider& provider) {
  dom::object object;
  if (document.get(object) != simdjson::SUCCESS) return std::nullopt;
  dom::element found;
  const auto is_there = [&](simdjson::simdjson_result<dom::element> at) {
    return at.get(found) == simdjson::SUCCESS && !found.is_null();
  };
  if (is_there(object["usage"])) return found;
  switch (provider.usage_place) {
    case api::UsagePlace::top:
      break;
    case api::UsagePlace::choice:
      if (is_there(object["choices"].at(0)["usage"])) return found;
      break;
    case api::UsagePlace::vendor_field: {
      simdjson::simdjson_result<dom::element> at{dom::element(document)};
      for (std::string_view member : split(provider.usage_field, '.')) at = at[member];
      if (is_there(at)) return found;
      break;
    }
  }
  return std::nullopt;
}

}  // namespace mg::gateway
