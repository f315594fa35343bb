// Legacy completions with "echo" begin with their prompt, which its client pays for as input.
#pragma once

#include <cstdint>

#include "gateway/request_body.h"
#include "gateway/token_profile.h"

namespace mg::gateway {

// How many tokens of an answer's text repeat the request's prompt, by the counter that answers are
// counted with; over all choices that the client is shown. 0 where it asked for no echo. The
// request's text must still be there.
int64_t echoed_tokens(const RequestBody& body, Tokenizer tokenizer);

}  // namespace mg::gateway
