// What single values of the configuration must look like to be of any use.
#pragma once

#include <string_view>

#include "base/address.h"

namespace mg::server {

// "https://app.example" or "http://localhost:3000", as browsers write it: in lower case, without a
// path, and without the port that the scheme has anyway. Anything else would never be equal to what
// a browser sends. "*" is any origin.
bool is_origin(std::string_view text);

// "192.0.2.53", "127.0.0.1:5353", "::1" or "[::1]:53".
bool is_name_server(std::string_view text);

// True where both could not be listened on, were it not that workers share their ports. Port 0 is
// another one each time.
bool overlap(const SocketAddress& a, const SocketAddress& b);

}  // namespace mg::server
