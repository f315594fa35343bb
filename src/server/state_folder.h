// The folder of ledger, records and control socket: whose it is.
#pragma once

#include <string>

#include "base/result.h"
#include "server/config.h"

namespace mg::server {

// Makes the folder and those above it, itself and the one for records open to us alone. One that
// is there is left as it is, but for an empty one of ours: it may be somebody's, named by mistake.
// Errors: refused when others may write into it; io.
Result<> make_state_folder(const Config& config);

// Whether there is a store yet. Errors: io, when that cannot be seen.
Result<bool> has_store(const Config& config);

}  // namespace mg::server
