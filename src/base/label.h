// Texts by which people call things: names, groups, tags, notes. They come out again in terminals,
// header fields, metrics and logs, so none holds a control character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mg {

// C0, DEL and, as UTF-8, C1: what a terminal or a header field would take for a command.
bool has_control(std::string_view text);

// The same text with its control characters written out, as \u001b: for a terminal, which would
// obey them.
std::string visible(std::string_view text);

// From 1 to `bytes_max` bytes without control characters.
bool is_label(std::string_view text, size_t bytes_max);

// A label of letters, digits and . _ : - only: it needs quoting nowhere.
bool is_plain_label(std::string_view text, size_t bytes_max);

}  // namespace mg
