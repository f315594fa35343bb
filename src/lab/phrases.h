// The words the lab speaks with: patterns of sentences and what to fill them with, in three
// languages. In a pattern %t stands for a topic of the request, %n for a noun, %a for an adjective,
// %v for a verb, %% for a percent sign. No sentence ends with a blank: what separates two of them
// stands before the second, so that tokens can be counted sentence by sentence (tokens.h).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mg::lab {

enum class Language : uint8_t { english, chinese, code };

struct Phrases {
  std::span<const std::string_view> openings;   // the first sentence of an answer
  std::span<const std::string_view> sentences;  // all others
  std::span<const std::string_view> thoughts;   // of reasoning
  std::span<const std::string_view> nouns;
  std::span<const std::string_view> adjectives;
  std::span<const std::string_view> verbs;
  std::string_view between;     // two sentences
  std::string_view paragraphs;  // the same, where a new one begins
};

const Phrases& phrases(Language language);

}  // namespace mg::lab
