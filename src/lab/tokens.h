// What a token is to the lab: a word or so. Blanks belong to the token behind them; then comes a
// run of at most 16 ASCII letters, digits, apostrophes and underscores, or a run of at most 16 of
// one and the same ASCII mark, or one character of any other kind. Nothing is estimated: the number
// of tokens the lab says it wrote is the number that this rule finds in its text.
#pragma once

#include <cstdint>
#include <string_view>

namespace mg::lab {

// Takes the first token off the front of the text, which must not be empty. Blanks at the very end
// of a text are a token of their own.
std::string_view take_token(std::string_view& text);

int64_t count_tokens(std::string_view text);

}  // namespace mg::lab
