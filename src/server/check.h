// What `moongate check` finds: everything that would keep a server from starting, and what in the
// configuration will not do what its author may think.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace mg::server {

struct CheckReport {
  std::vector<std::string> problems;  // it would not start
  std::vector<std::string>
      warnings;  // it would, but a channel, a model or a certificate is of no use
  size_t channels = 0;
  size_t callable_models = 0;
};

// Reads the store if there is one, also while a server has it open; connects to nobody.
CheckReport check(const Config& config);

}  // namespace mg::server
