#include "gateway/token_estimate.h"

#include <array>
#include <bit>
#include <span>

#include "gateway/character.h"
#include "gateway/token_claude_word_table.h"
#include "gateway/token_weight_table.h"
#include "gateway/token_word_table.h"

namespace mg::gateway {
namespace {

constexpr int kOneToken = 256;             // prices are whole 1/256 tokens
constexpr int kWordPriceMin = 64;          // no word is nearly free, whatever its letters
constexpr unsigned kKnownLettersMin = 4;   // shorter words are not looked up,
constexpr unsigned kKnownLettersMax = 20;  // nor longer ones

// Symbols: letters of Latin scripts are one, each mark of ASCII is one, so is each other script.
enum Symbol : uint8_t {
  kLetter,
  kDigit,
  kSpace,
  kNewline,
  kTab,
  kMarks,  // 32 of ASCII, in its order
  kHan = kMarks + 32,
  kKana,
  kHangul,
  kCjkMark,
  kTypographic,
  kLatinSymbol,
  kCombining,
  kGreek,
  kCyrillic,
  kHebrew,
  kArabic,
  kIndic,
  kSoutheast,
  kEmoji,
  kSymbol,
  kOther,
  kAncient,
  kControl,
  kSymbols,
  kNone = 63,  // before the first character
};

// What a price remembers of the symbol before.
enum Group : uint8_t {
  kAfterLetter,
  kAfterDigit,
  kAfterSpace,
  kAfterStart,  // of a line, or of the text
  kAfterSame,   // the same symbol again
  kAfterOpen,
  kAfterClose,
  kAfterQuote,
  kAfterSeparator,
  kAfterEnd,
  kAfterDash,
  kAfterOperator,
  kAfterCjk,
  kAfterScript,
  kAfterRest,
  kGroups,
};

enum Lead : uint8_t {
  kLeadSpace,
  kLeadStart,
  kLeadMark,
  kLeadDigit,
  kLeadCamel,
  kLeadOther,
  kLeads
};
enum Shape : uint8_t { kLower, kCapital, kSingleCapital, kCapitals, kShapes };

constexpr int kLengths = 16;
constexpr int kCapitalsLengths = 12;
constexpr int kRunScripts = 8;
constexpr int kRunLengths = 6;

constexpr bool is_capital(uint32_t code) { return code - 'A' < 26; }
constexpr bool is_small(uint32_t code) { return code - 'a' < 26; }

constexpr std::array<uint8_t, 128> ascii_symbols() {
  std::array<uint8_t, 128> table{};
  uint8_t mark = kMarks;
  for (uint32_t c = 0; c < 128; ++c) {
    table[c] = kControl;
    if (c >= '0' && c <= '9') table[c] = kDigit;
    if (is_capital(c) || is_small(c)) table[c] = kLetter;
    if (c > ' ' && c < 127 && table[c] == kControl) table[c] = mark++;
  }
  table[' '] = kSpace;
  table['\n'] = table['\r'] = kNewline;
  table['\t'] = kTab;
  return table;
}
constexpr auto kAsciiSymbols = ascii_symbols();

constexpr std::array<uint8_t, 64> groups_of_symbols() {
  std::array<uint8_t, 64> table{};
  for (auto& group : table) group = kAfterRest;
  for (uint8_t s = kMarks; s < kHan; ++s) table[s] = kAfterOperator;
  const auto put = [&table](std::string_view marks, Group group) {
    for (char c : marks) table[kAsciiSymbols[static_cast<uint8_t>(c)]] = group;
  };
  put("([{<", kAfterOpen);
  put(")]}>", kAfterClose);
  put("\"'`", kAfterQuote);
  put(",;:", kAfterSeparator);
  put(".!?", kAfterEnd);
  put("-_", kAfterDash);
  for (uint8_t s = kHan; s <= kCjkMark; ++s) table[s] = kAfterCjk;
  for (uint8_t s = kCombining; s <= kSoutheast; ++s) table[s] = kAfterScript;
  table[kLetter] = kAfterLetter;
  table[kDigit] = kAfterDigit;
  table[kSpace] = kAfterSpace;
  table[kNewline] = table[kTab] = table[kNone] = kAfterStart;
  return table;
}
constexpr auto kGroupOf = groups_of_symbols();

constexpr uint8_t symbol_of_script(Script script) {
  switch (script) {
    case Script::control:
      return kControl;
    case Script::blank:
      return kTab;
    case Script::latin_symbol:
      return kLatinSymbol;
    case Script::latin:
    case Script::latin_a:
    case Script::latin_b:
    case Script::latin_more:
      return kLetter;
    case Script::combining:
      return kCombining;
    case Script::greek:
      return kGreek;
    case Script::cyrillic:
    case Script::cyrillic_more:
      return kCyrillic;
    case Script::hebrew:
      return kHebrew;
    case Script::arabic:
      return kArabic;
    case Script::indic:
      return kIndic;
    case Script::southeast:
      return kSoutheast;
    case Script::symbol:
      return kSymbol;
    case Script::typographic:
      return kTypographic;
    case Script::cjk_mark:
      return kCjkMark;
    case Script::kana:
      return kKana;
    case Script::han:
    case Script::han_more:
      return kHan;
    case Script::hangul:
      return kHangul;
    case Script::emoji:
      return kEmoji;
    case Script::ancient:
      return kAncient;
    case Script::other_two:
    case Script::other_three:
      return kOther;
  }
  return kOther;
}

// The row of a script whose characters have a price by their place in a run, or -1.
constexpr int run_script(uint8_t symbol) {
  constexpr std::array<uint8_t, kRunScripts> rows = {kGreek, kCyrillic,  kArabic, kHebrew,
                                                     kIndic, kSoutheast, kHangul, kKana};
  for (int i = 0; i < kRunScripts; ++i)
    if (rows[static_cast<size_t>(i)] == symbol) return i;
  return -1;
}

constexpr std::array<int8_t, 64> run_scripts() {
  std::array<int8_t, 64> table{};
  for (uint8_t s = 0; s < 64; ++s) table[s] = static_cast<int8_t>(run_script(s));
  return table;
}
constexpr auto kRunScriptOf = run_scripts();

// The place of a letter in the table of pairs.
constexpr unsigned letter_index(uint32_t code) {
  const uint32_t folded = code | 0x20;
  return is_small(folded) && code < 128 ? folded - 'a' : 26;
}

// The words and the pairs of Han characters that a tokenizer knows as one token.
struct Sets {
  std::span<const uint64_t> words;
  std::span<const uint64_t> pairs;
};

constexpr Sets sets_of(Tokenizer tokenizer) {
  switch (tokenizer) {
    case Tokenizer::claude:
      return {words::kClaude, han::kSmall};
    case Tokenizer::claude_47:
      return {words::kClaude47, han::kSmall};
    case Tokenizer::gemma:
    case Tokenizer::qwen:
    case Tokenizer::deepseek:
      return {words::kLarge, han::kLarge};
    default:
      return {words::kLarge, han::kSmall};
  }
}

constexpr Lead lead_after(uint8_t symbol) {
  if (symbol == kSpace) return kLeadSpace;
  if (symbol == kNewline || symbol == kTab || symbol == kNone) return kLeadStart;
  if (symbol == kDigit) return kLeadDigit;
  return symbol >= kMarks && symbol < kHan ? kLeadMark : kLeadOther;
}

}  // namespace

// One fitted set of prices; the rows of token_weight_table.h have this form.
struct TokenCounter::Prices {
  int16_t step[kGroups][kSymbols];
  int16_t word[2][kLeads][kShapes];  // unknown or known words
  int16_t length[2][kLengths];
  int16_t capitals[2][kCapitalsLengths];
  int16_t digit[3];  // by the place in a run, over and over
  int16_t script[kRunScripts][kRunLengths];
  int16_t repeat;        // a character for the fourth time, and so on
  int16_t second_space;  // of a run
  int16_t ninth_space;
  int16_t han_single[4];  // by tier
  int16_t han_joined[4];
  int16_t letters_scale;  // of the pairs of letters
};

const TokenCounter::Prices& TokenCounter::prices_of(Tokenizer tokenizer) {
  static constexpr std::array<Prices, kTokenizers> all = {
      std::bit_cast<Prices>(weights::kO200K),    std::bit_cast<Prices>(weights::kCl100K),
      std::bit_cast<Prices>(weights::kClaude),   std::bit_cast<Prices>(weights::kClaude47),
      std::bit_cast<Prices>(weights::kGemma),    std::bit_cast<Prices>(weights::kQwen),
      std::bit_cast<Prices>(weights::kDeepseek), std::bit_cast<Prices>(weights::kLlama),
      std::bit_cast<Prices>(weights::kTekken)};
  return all[static_cast<size_t>(tokenizer)];
}

void TokenCounter::add(std::string_view utf8) {
  for (const char c : utf8) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80 && missing_ == 0) {
      take(byte);
    } else {
      take_high_byte(byte);
    }
  }
}

void TokenCounter::take_high_byte(uint8_t byte) {
  if (missing_ != 0) {
    if ((byte & 0xC0) == 0x80) {
      partial_ = partial_ << 6 | (byte & 0x3F);
      if (--missing_ == 0) take(partial_);
      return;
    }
    missing_ = 0;
    take(kReplacement);
  }
  if (byte < 0x80) {
    take(byte);
  } else if (byte >= 0xC2 && byte < 0xF5) {
    missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    partial_ = byte & (0x3Fu >> missing_);
  } else {
    take(kReplacement);
  }
}

void TokenCounter::take(uint32_t code) {
  const Prices& prices = prices_of(tokenizer_);
  const uint8_t symbol = code < 128 ? kAsciiSymbols[code] : symbol_of_script(script_of(code));
  const bool equal = code == previous_ && symbol_ != kNone;
  repeats_ = equal ? (repeats_ < 3 ? repeats_ + 1u : 3u) & 3u : 0;
  if (symbol == kLetter) {
    take_letter(prices, code);
  } else {
    take_mark(prices, code, symbol);
  }
  if (repeats_ == 3) charge(prices.repeat);
  previous_ = code;
  symbol_ = symbol & 63;
}

void TokenCounter::take_letter(const Prices& prices, uint32_t code) {
  han_open_ = false;
  if (symbol_ != kLetter) {
    charge(prices.step[kGroupOf[symbol_]][kLetter]);
    begin_word(lead_after(symbol_), code);
  } else if (is_capital(code) && !is_capital(previous_)) {
    end_word(prices);
    begin_word(kLeadCamel, code);
  } else {
    extend_word(prices, code);
  }
}

void TokenCounter::begin_word(uint8_t lead, uint32_t code) {
  lead_ = lead & 7;
  shape_ = is_capital(code) ? kSingleCapital : kLower;
  word_hash_ = hashed(kHashSeed, is_capital(code) ? code | 0x20 : code);
  letter_pairs_ = 0;
  run_ = 1;
  if (below_peak_ < kOneToken) below_peak_ = kOneToken;
}

void TokenCounter::extend_word(const Prices& prices, uint32_t code) {
  letter_pairs_ += weights::kLetters[letter_index(previous_) * 27 + letter_index(code)];
  if (++run_ <= kKnownLettersMax) {
    word_hash_ = hashed(word_hash_, is_capital(code) ? code | 0x20 : code);
    if (run_ == 2 && shape_ == kSingleCapital) shape_ = is_capital(code) ? kCapitals : kCapital;
    return;
  }
  // A word this long is none that is known. Its price so far is charged now, so that a run of any
  // length shows in the count, and no sum grows with it.
  if (run_ == kKnownLettersMax + 1) {
    charge(prices.word[0][lead_][shape_]);
    charge(shape_ == kCapitals ? prices.capitals[0][kCapitalsLengths - 1]
                               : prices.length[0][kLengths - 1]);
  }
  if (run_ == 255 || run_ == kKnownLettersMax + 1) {
    charge(letter_pairs_ * prices.letters_scale / kOneToken);
    letter_pairs_ = 0;
    run_ = kKnownLettersMax + 2;
  }
}

void TokenCounter::end_word(const Prices& prices) {
  const unsigned n = run_;
  if (n > kKnownLettersMax) {
    charge(letter_pairs_ * prices.letters_scale / kOneToken);
    return;
  }
  const bool known = n >= kKnownLettersMin && in_set(sets_of(tokenizer_).words, word_hash_);
  int price = prices.word[known][lead_][shape_];
  price += shape_ == kCapitals ? prices.capitals[known][std::min(n, 12u) - 1]
                               : prices.length[known][std::min(n, 16u) - 1];
  if (!known) price += letter_pairs_ * prices.letters_scale / kOneToken;
  charge(std::max(price, kWordPriceMin));
}

void TokenCounter::take_mark(const Prices& prices, uint32_t code, uint8_t symbol) {
  if (symbol_ == kLetter) end_word(prices);
  const bool same = symbol == symbol_;
  charge(prices.step[same ? uint8_t{kAfterSame} : kGroupOf[symbol_]][symbol]);
  // A run of digits counts 1, 2, 3, 1, 2 ...; all others stop far beyond what has a price.
  run_ = !same ? 1 : symbol == kDigit ? run_ % 3 + 1 : run_ < 200 ? run_ + 1 : 200;
  if (symbol == kDigit) {
    charge(prices.digit[run_ - 1]);
  } else if (symbol == kSpace) {
    if (run_ == 2) charge(prices.second_space);
    if (run_ == 9) charge(prices.ninth_space);
  } else if (symbol == kHan) {
    const bool joined =
        han_open_ && in_set(sets_of(tokenizer_).pairs, hashed(hashed(kHashSeed, previous_), code));
    charge((joined ? prices.han_joined : prices.han_single)[han_tier(code)]);
    han_open_ = !joined;
    return;
  } else if (kRunScriptOf[symbol] >= 0) {
    charge(prices.script[kRunScriptOf[symbol]][std::min<int>(run_, kRunLengths) - 1]);
  }
  han_open_ = false;
}

void TokenCounter::charge(int price) {
  total_ += price;
  below_peak_ = std::max(below_peak_ - price, 0);
}

int64_t TokenCounter::tokens() const { return (total_ + below_peak_ + kOneToken / 2) / kOneToken; }

}  // namespace mg::gateway
