// What a request is about, as far as the lab understands it: its language, and a few words of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/phrases.h"

namespace mg::lab {

struct Subject {
  Language language = Language::english;
  std::vector<std::string> topics;  // four at most; none where the text has no word of weight
};

// Looks at the first 2000 bytes. Code is a text that speaks of code; Chinese one with more Han
// characters than words.
Subject subject_of(std::string_view text);

// The first word with a capital that is not the first of its sentence: a name, perhaps. Empty
// where there is none.
std::string_view proper_name(std::string_view text);

}  // namespace mg::lab
