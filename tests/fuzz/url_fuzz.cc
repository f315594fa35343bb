// Base URLs: what is accepted has one spelling, can stand in a request, and an address that is not
// public is never allowed without leave.
#include "base/assert.h"
#include "http/head_rules.h"
#include "http/url.h"

using namespace mg;
using namespace mg::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto url = parse_base_url({reinterpret_cast<const char*>(data), size});
  if (!url) return 0;
  const Origin& origin = url->origin;
  MG_ASSERT(is_host(origin.host_field()));
  MG_ASSERT(url->path_prefix.empty() || is_target(Method::get, url->path_prefix));
  const std::string written = std::string(origin.scheme == Scheme::https ? "https" : "http") +
                              "://" + origin.host_field() + url->path_prefix;
  const auto again = parse_base_url(written);
  MG_ASSERT(again && again->origin == origin && again->path_prefix == url->path_prefix);
  const bool is_allowed = check_origin(origin, {}).has_value();
  if (origin.address) MG_ASSERT(!is_allowed || origin.address->is_public());
  if (origin.scheme == Scheme::http) MG_ASSERT(!is_allowed);
  return 0;
}
