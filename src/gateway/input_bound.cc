#include "gateway/input_bound.h"

#include <algorithm>

#include "gateway/character.h"

namespace mg::gateway {
namespace {

// Signs of ASCII: 26 small letters, then these, then 32 marks.
enum Sign : uint8_t {
  kCapital = 26,
  kDigit,
  kSpace,
  kNewline,
  kTab,
  kControl,
  kMarks,
  kSigns = 64
};

// What a price remembers of the sign before: a small letter itself, else these.
enum Row : uint8_t {
  kAfterCapital = 26,
  kAfterDigit,
  kAfterSpace,
  kAfterStart,
  kAfterOpen,
  kAfterClose,
  kAfterQuote,
  kAfterSeparator,
  kAfterEnd,
  kAfterDash,
  kAfterOperator,
  kAfterHigh,
  kAfterSame,
  kRows,
};

constexpr int kSignUnit = 64;
constexpr int kFactorUnit = 32;
constexpr int kClassUnit = 32;
constexpr unsigned kMiddleLetters = 5;
constexpr unsigned kFarLetters = 10;

static_assert(ceiling::kSigns.size() == size_t{kRows} * kSigns);

constexpr std::array<uint8_t, 128> ascii_signs() {
  std::array<uint8_t, 128> table{};
  uint8_t mark = kMarks;
  for (unsigned c = 0; c < 128; ++c) {
    table[c] = kControl;
    if (c >= 'a' && c <= 'z') table[c] = static_cast<uint8_t>(c - 'a');
    if (c >= 'A' && c <= 'Z') table[c] = kCapital;
    if (c >= '0' && c <= '9') table[c] = kDigit;
    if (c > ' ' && c < 127 && table[c] == kControl) table[c] = mark++;
  }
  table[' '] = kSpace;
  table['\n'] = table['\r'] = kNewline;
  table['\t'] = kTab;
  return table;
}
constexpr auto kSignOf = ascii_signs();

constexpr std::array<uint8_t, kSigns> rows_of_signs() {
  std::array<uint8_t, kSigns> table{};
  for (uint8_t s = 0; s < kSigns; ++s) table[s] = s < kMarks ? s : uint8_t{kAfterOperator};
  const auto put = [&table](std::string_view marks, Row row) {
    for (char c : marks) table[kSignOf[static_cast<uint8_t>(c)]] = row;
  };
  put("([{<", kAfterOpen);
  put(")]}>", kAfterClose);
  put("\"'`", kAfterQuote);
  put(",;:", kAfterSeparator);
  put(".!?", kAfterEnd);
  put("-_", kAfterDash);
  table[kCapital] = kAfterCapital;
  table[kDigit] = kAfterDigit;
  table[kSpace] = kAfterSpace;
  table[kNewline] = table[kTab] = table[kControl] = kAfterStart;
  return table;
}
constexpr auto kRowOf = rows_of_signs();

constexpr uint32_t kNothing = UINT32_MAX;  // no code point

// The character beyond ASCII that the text begins with; a byte that begins none is U+FFFD.
Character character_at(std::string_view utf8) {
  const auto lead = static_cast<uint8_t>(utf8[0]);
  const size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint32_t code = lead & (0x7Fu >> bytes);
  bool valid = lead >= 0xC2 && lead < 0xF5 && utf8.size() >= bytes;
  for (size_t i = 1; valid && i < bytes; ++i) {
    const auto byte = static_cast<uint8_t>(utf8[i]);
    valid = (byte & 0xC0) == 0x80;
    code = code << 6 | (byte & 0x3F);
  }
  return valid ? Character{code, bytes} : Character{kReplacement, 1};
}

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// An image scaled down to fit, in pixels.
void fit_long_side(int64_t& w, int64_t& h, int64_t side) {
  const int64_t longest = std::max(w, h);
  if (longest <= side) return;
  w = std::max<int64_t>(w * side / longest, 1);
  h = std::max<int64_t>(h * side / longest, 1);
}

int64_t tiles_of_512(int64_t w, int64_t h) {
  fit_long_side(w, h, 2048);
  const int64_t shortest = std::min(w, h);
  if (shortest > 768) {
    w = ceil_div(w * 768, shortest);
    h = ceil_div(h * 768, shortest);
  }
  return ceil_div(w, 512) * ceil_div(h, 512);
}

int64_t gemini_tokens(int64_t w, int64_t h) {
  const int64_t side = std::clamp<int64_t>(std::min(w, h) * 2 / 3, 256, 768);
  const int64_t tiles = w <= 384 && h <= 384 ? 1 : ceil_div(w, side) * ceil_div(h, side);
  return tiles * 258;
}

}  // namespace

int64_t image_tokens_max(ImageRule rule, ImageShape image) {
  const bool known = image.width > 0 && image.height > 0;
  const bool low = image.detail == ImageDetail::low;
  const int64_t w = image.width;
  const int64_t h = image.height;
  const int64_t tiles = low ? 0 : known ? tiles_of_512(w, h) : 8;
  switch (rule) {
    case ImageRule::tiles:
      return 85 + 170 * tiles;
    case ImageRule::small_tiles:
      return 2833 + 5667 * tiles;
    case ImageRule::patches: {  // at most 1536 of them, and the dearest factor is 2.46
      const int64_t patches = known ? ceil_div(w, 32) * ceil_div(h, 32) : 1536;
      return std::min<int64_t>(patches, 1536) * 246 / 100 + 1;
    }
    case ImageRule::claude:
      return known ? std::min<int64_t>(w * h / 750 + 16, 1640) : 1640;
    case ImageRule::claude_47:
      return known ? std::min<int64_t>(w * h / 750 + 16, 4840) : 4840;
    // Newer models take a fixed number by resolution level, 1120 unless asked for more; what nobody
    // knows is taken for a photograph of 12 megapixels.
    case ImageRule::gemini:
      return known ? std::max<int64_t>(gemini_tokens(w, h), 1120) : 6192;
    case ImageRule::qwen: {
      const int64_t most = image.detail == ImageDetail::high ? 16'386 : 2'562;
      return known ? std::min(ceil_div(w, 28) * ceil_div(h, 28) + 2, most) : most;
    }
    case ImageRule::other:
      return 6400;
  }
  return 6400;
}

void InputShape::add_text(std::string_view utf8) {
  bytes_ += static_cast<int64_t>(utf8.size());
  ++strings_;
  int64_t sum = 0;
  unsigned row = kAfterStart;
  unsigned letters = 0;  // in the run of letters so far
  uint32_t before = kNothing;
  uint32_t before_that = kNothing;
  for (size_t i = 0; i < utf8.size();) {
    const auto c = static_cast<uint8_t>(utf8[i]);
    if (c >= 0x80) {
      const Character character = character_at(utf8.substr(i));
      count(character, character.code == before || character.code == before_that);
      i += character.bytes;
      row = kAfterHigh;
      letters = 0;
      before_that = before;
      before = character.code;
      continue;
    }
    ++i;
    const unsigned sign = kSignOf[c];
    if (sign < kCapital) {  // a small letter, as most are: its row is itself
      if (c == before && c == before_that) row = kAfterSame;
      const unsigned price = ceiling::kSigns[row * kSigns + sign];
      if (++letters <= kMiddleLetters) {
        sum += price;
      } else {
        sum += letters > kFarLetters ? ceiling::kFarLetter : price + ceiling::kMiddleLetter;
      }
      row = sign;
    } else {
      if (c == before) row = kAfterSame;
      sum += ceiling::kSigns[row * kSigns + sign];
      letters = sign == kCapital ? letters + 1 : 0;
      row = kRowOf[sign];
    }
    before_that = before;
    before = c;
  }
  signs_ += sum;
}

void InputShape::count(Character character, bool again) {
  if (again) {
    characters_[kClasses - 1] += static_cast<uint32_t>(character.bytes);
    return;
  }
  const Script script = script_of(character.code);
  const bool rare = script == Script::han && han_tier(character.code) < 2;
  ++characters_[rare ? kClasses - 2 : static_cast<size_t>(script)];
}

void InputShape::add_tool(std::string_view json) {
  add_text(json);
  ++tools_;
}

void InputShape::add_format(std::string_view json) {
  add_text(json);
  ++formats_;
}

void InputShape::add_image(ImageShape image) {
  for (size_t rule = 0; rule < images_.size(); ++rule)
    images_[rule] += image_tokens_max(static_cast<ImageRule>(rule), image);
}

// The fitted prices of all strings, in tokens.
int64_t InputShape::priced(Tokenizer tokenizer) const {
  static_assert(ceiling::kClasses.size() == kClasses * kTokenizers);
  const auto t = static_cast<size_t>(tokenizer);
  int64_t characters = 0;
  for (size_t i = 0; i < kClasses; ++i)
    characters += int64_t{characters_[i]} * ceiling::kClasses[t * kClasses + i];
  return ceil_div(signs_ * ceiling::kFactors[t], kSignUnit * kFactorUnit) +
         ceil_div(characters, kClassUnit);
}

int64_t InputShape::text_bound(Tokenizer tokenizer) const {
  const int64_t fitted = priced(tokenizer);
  const bool claude = tokenizer == Tokenizer::claude || tokenizer == Tokenizer::claude_47;
  const int64_t fence = claude ? ceil_div(bytes_ * 8, 5) + 2 * strings_ : bytes_ + strings_;
  return std::min(fitted + fitted / 8 + 16, fence);
}

int64_t InputShape::text_bound(const TokenProfile& profile) const {
  if (profile.tokenizer_is == TokenizerIs::own) return text_bound(profile.tokenizer);
  int64_t most =
      0;  // Nobody knows how such a model cuts text: the worst of the large vocabularies.
  for (int t = 0; t < kTokenizers; ++t) {
    const auto tokenizer = static_cast<Tokenizer>(t);
    if (tokenizer != Tokenizer::claude_47) most = std::max(most, text_bound(tokenizer));
  }
  return most;
}

int64_t input_tokens_bound(const InputShape& shape, const TokenProfile& profile) {
  int64_t sum = shape.text_bound(profile) + shape.tokens_ + profile.request_max;
  sum += shape.messages_ * profile.message_max + shape.tool_calls_ * profile.tool_call_max;
  sum += shape.tools_ * profile.tool_max + shape.formats_ * profile.format_max;
  if (shape.tools_ > 0) sum += profile.tools_max;
  sum += shape.references_ * kReferenceTokens;
  return sum + shape.images_[static_cast<size_t>(profile.images)];
}

int64_t input_overhead_estimate(const InputShape& shape, const TokenProfile& profile) {
  int64_t sum = shape.tokens_ + profile.request + shape.messages_ * profile.message;
  sum += shape.tool_calls_ * profile.tool_call_max / 2 + shape.tools_ * profile.tool_max / 2;
  sum += shape.formats_ * profile.format_max / 2;
  if (shape.tools_ > 0) sum += profile.tools_max / 2;
  return sum + shape.images_[static_cast<size_t>(profile.images)] / 2;
}

int64_t input_text_estimate(const InputShape& shape, const TokenProfile& profile) {
  return shape.priced(profile.tokenizer) * 6 / 7;
}

int64_t input_tokens_estimate(const InputShape& shape, const TokenProfile& profile) {
  return input_text_estimate(shape, profile) + input_overhead_estimate(shape, profile);
}

}  // namespace mg::gateway
