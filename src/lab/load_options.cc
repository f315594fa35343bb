#include "lab/load_options.h"

#include "base/clock.h"
#include "base/limits.h"
#include "http/headers.h"

namespace mg::lab {
namespace {

Result<> within(std::string_view option, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return fail(Errc::invalid, std::string(option) + " must be from " + std::to_string(least) +
                                 " to " + std::to_string(most));
}

}  // namespace

Result<http::BaseUrl> check(const LoadOptions& options) {
  using namespace limits;
  MG_CHECK(within("requests", options.requests, 1, load_requests_max));
  MG_CHECK(within("duration", options.duration_ms, 0, INT64_MAX / kMsPerDay));
  MG_CHECK(within("concurrency", options.concurrency, 1, load_concurrency_max));
  MG_CHECK(within("streams", options.stream_percent, 0, 100));
  MG_CHECK(within("hang-ups", options.hang_up_percent, 0, 100));
  MG_CHECK(within("prompt-tokens", options.prompt_tokens, 1, load_prompt_tokens_max));
  MG_CHECK(within("max-tokens", options.max_tokens.value_or(1), 1, output_tokens_max));
  MG_CHECK(within("think time", options.think_ms, 0, kMsPerDay));
  MG_CHECK(within("progress interval", options.progress_ms, 1, kMsPerDay));
  MG_CHECK(within("timeout", options.timeout_ms, 1, kMsPerDay));
  if (options.models.empty()) return fail(Errc::invalid, "no model is named");
  for (const std::string& model : options.models)
    if (model.empty() || model.size() > model_name_bytes_max)
      return fail(Errc::invalid, "\"" + model + "\" is not the name of a model");
  if (!http::is_field_value(options.key)) return fail(Errc::invalid, "the key is no key");
  return http::parse_base_url(options.url);
}

}  // namespace mg::lab
