// What an operator should hear about the dates of a listener's certificates.
#pragma once

#include <cstdint>
#include <string>

#include "tls/credentials.h"

namespace mg::server {

// "expired at ...", "expires at ..." within thirty days, "is not valid before ..."; empty while all
// is well. Clients refuse the first and the last, but a server with other listeners goes on
// serving.
std::string certificate_complaint(const tls::ServerCredentials& credentials, int64_t now_ms);

}  // namespace mg::server
