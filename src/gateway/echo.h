// Legacy completions with "echo" begin with their prompt, which its client pays for as input.
#pragma once

#include <cstdint>
#include <string_view>

#include "gateway/token_estimate.h"

namespace mg::gateway {

// How many tokens of an answer's text repeat the prompt of the request with this JSON, by the
// counter that answers are counted with; over so many choices that the client is shown. Takes
// milliseconds for a megabyte.
int64_t echoed_tokens(std::string_view request, int64_t answers, Tokenizer tokenizer);

}  // namespace mg::gateway
