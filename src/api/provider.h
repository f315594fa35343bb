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

// Where a stream of the vendor says what was used. A "usage" at the top of a chunk counts with
// every vendor.
enum class UsagePlace : uint8_t {
  top,           // there and nowhere else
  choice,        // also inside choices[0]
  vendor_field,  // also in the field named usage_field
};

struct Provider {
  std::string name;      // of its file
  std::string protocol;  // "openai_chat"
  std::string base_url;  // empty: each channel must name its own
  AuthStyle auth = AuthStyle::bearer;
  std::string auth_header;
  std::string env;        // the usual environment variable of its key
  std::string catalogue;  // provider of the catalogue whose models it serves; empty: any
  // What the vendor wants before the catalogue's name of a model.
  std::string model_prefix;
  // False where the vendor refuses `stream_options` in a request.
  bool takes_stream_usage = true;
  UsagePlace usage_place = UsagePlace::top;
  std::string usage_field;  // for vendor_field: "x_groq.usage"
};

// Reads one table; what is wrong with it is added to `problems`.
std::optional<Provider> read_provider(const script::Field& table,
                                      std::vector<script::Problem>& problems);

// The vendor of that name in a bundle (which checked it), or nothing.
std::optional<Provider> provider(const script::Bundle& bundle, std::string_view name);

}  // namespace mg::api
