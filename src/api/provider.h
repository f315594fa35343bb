// A vendor as its table in scripts/providers describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "script/bundle.h"
#include "script/value.h"

namespace mg::api {

// How the credential travels.
enum class AuthStyle : uint8_t {
  bearer,  // Authorization: Bearer KEY
  header,  // the header named in auth_header: KEY
  none,
};

// Where a stream of the vendor says what was used.
enum class UsagePlace : uint8_t {
  last_chunk,    // a chunk of its own with empty choices, or the finish chunk: "usage"
  choice,        // inside choices[0]
  vendor_field,  // in another field: see usage_field
};

struct Provider {
  std::string name;      // of its file
  std::string protocol;  // "openai_chat"
  std::string base_url;  // empty: each channel must name its own
  AuthStyle auth = AuthStyle::bearer;
  std::string auth_header;
  std::string env;        // the usual environment variable of its key
  std::string catalogue;  // provider of the catalogue whose models it serves; empty: any
  // Model ids in the catalogue may carry no vendor prefix while the vendor wants one.
  std::string model_prefix;
  // False where the vendor refuses `stream_options` in a request.
  bool takes_stream_usage = true;
  UsagePlace usage_place = UsagePlace::last_chunk;
  std::string usage_field;  // for vendor_field: "x_groq.usage"
  // The request field that bounds the output, where it is not max_completion_tokens/max_tokens.
  std::string output_limit_field;
};

// Reads one table; what is wrong with it is added to `problems`.
std::optional<Provider> read_provider(const script::Field& table,
                                      std::vector<script::Problem>& problems);

// The vendor of that name in a bundle (which checked it), or nothing.
std::optional<Provider> provider(const script::Bundle& bundle, std::string_view name);

}  // namespace mg::api
