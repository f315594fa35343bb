// How many tokens a text is, for the moments when the provider's own figure is missing: a stream
// without usage, a client that left before it came. An estimate, within a few per cent on prose,
// Chinese and code of some dozens of tokens (tests/unit/gateway/token_estimate_test.cc prints the
// errors on recorded answers); tools/fit_estimator fits it on other texts.
//
// The model imitates what tokenizers of the byte-pair kind do, without their vocabularies: a text
// is a row of words, numbers, marks and blanks; each step from one kind of character to the next
// has a price, and so has each word by its case, its length, and whether it is known to be one
// token. Unknown words cost by their pairs of letters; Han characters by how common they are and
// whether two of them form a known pair. All prices are fitted, one set for each tokenizer.
#pragma once

#include <cstdint>
#include <string_view>

namespace mg::gateway {

// The tokenizers that the prices were fitted to. Models of other vendors count as the nearest of
// these (token_profile.h).
enum class Tokenizer : uint8_t {
  o200k,      // OpenAI from gpt-4o on
  cl100k,     // OpenAI before, and its embeddings
  claude,     // Claude 3 to 4.6
  claude_47,  // Claude from 4.7 on: a smaller vocabulary, a third more tokens
  gemma,      // Gemini
  qwen,
  deepseek,
  llama,   // Llama 3 and 4
  tekken,  // Mistral
};
inline constexpr int kTokenizers = 9;

// Counts one text that arrives in pieces. Where the pieces are cut does not matter, not even inside
// a character; no byte is invalid (what is not UTF-8 counts as U+FFFD); the count never falls; a
// word that has not ended yet counts as one token. Time is linear, nothing is allocated.
class TokenCounter {
 public:
  explicit TokenCounter(Tokenizer tokenizer) : tokenizer_(tokenizer) {}

  void add(std::string_view utf8);
  int64_t tokens() const;

 private:
  struct Prices;

  void take(uint32_t code);
  void take_letter(const Prices& prices, uint32_t code);
  void take_mark(const Prices& prices, uint32_t code, uint8_t symbol);
  void take_high_byte(uint8_t byte);
  void begin_word(uint8_t lead, uint32_t code);
  void extend_word(const Prices& prices, uint32_t code);
  void end_word(const Prices& prices);
  void charge(int price);
  static const Prices& prices_of(Tokenizer tokenizer);

  int64_t total_ = 0;          // what has ended, in 1/256 token
  int32_t below_peak_ = 0;     // how far total_ stands below its highest
  int32_t letter_pairs_ = 0;   // of the word in progress, unscaled
  uint32_t word_hash_ = 0;     // of the word in progress, in lower case
  uint32_t previous_ = 0;      // the code point before
  uint32_t partial_ = 0;       // bits of a code point whose bytes have not all come
  uint8_t missing_ : 2 = 0;    // how many of its bytes have not
  uint8_t lead_ : 3 = 0;       // what stood before the word in progress
  uint8_t shape_ : 2 = 0;      // its case
  bool han_open_ : 1 = false;  // the Han character before may still join with the next
  uint8_t symbol_ : 6 = 63;    // of previous_; 63 at the start
  uint8_t repeats_ : 2 = 0;    // how often previous_ repeats the one before it, 3 at most
  uint8_t run_ = 0;            // place in a run of one symbol; letters of the word in progress
  Tokenizer tokenizer_;
};
static_assert(sizeof(TokenCounter) == 32, "one stands in every stream");

}  // namespace mg::gateway
