// How many tokens a request can be on its way in, before anybody has counted: the input part of a
// hold. The bound stays above the provider's own count without being far above it.
//
// Why it holds. ASCII text is priced by pairs of neighbouring signs and the place in a run of
// letters, each character beyond ASCII by its class; prices are never negative and were fitted so
// that nearly no text has more tokens than its price: of prose in forty languages, code, and text
// made to be bad (random strings of every script, base64, digits, blanks, emoji, short patterns
// repeated, words reversed, escapes of escapes), counted by all public tokenizers. An eighth and a
// few tokens are added to that. The sum is cut at what is provable: a byte-level tokenizer never
// makes more tokens than a text has bytes (Claude's, whose tokens also mark case and the ends of
// words, has made up to 1.51 a byte; 1.6 is taken).
// What it is not: a proof for every text. Someone who searches for texts that this prices too low
// finds short patterns, repeated many times, of up to two or three times their price; the hold is
// then extended when the true count is known.
// What a request does not carry is not in it: stored conversations and files that it only names
// are taken as kReferenceTokens each, results of the provider's own search not at all.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "gateway/token_profile.h"

namespace mg::gateway {

// How closely the client wants an image looked at.
enum class ImageDetail : uint8_t { automatic, low, high };

struct ImageShape {
  ImageDetail detail = ImageDetail::automatic;
  int32_t width = 0;  // pixels; 0 where nobody knows (an image by URL)
  int32_t height = 0;
};

// The most tokens such an image costs. Its bytes do not matter.
int64_t image_tokens_max(ImageRule rule, ImageShape image);

inline constexpr int64_t kReferenceTokens = 2048;

// A code point and how many bytes stand for it.
struct Character {
  uint32_t code;
  size_t bytes;
};

// What a request is made of, gathered while its body is read: one pass over its strings at
// about 2 ns a byte, nothing allocated, no tokenizer chosen yet. All strings are UTF-8 without
// JSON's escapes.
class InputShape {
 public:
  // A string that the model reads: of a message, an instruction, a name, a tool's result.
  void add_text(std::string_view utf8);
  void add_message() { ++messages_; }
  // A tool's definition: its JSON as the client wrote it, which no provider renders longer.
  void add_tool(std::string_view json);
  // A call in the conversation's history; its texts are added by themselves.
  void add_tool_call() { ++tool_calls_; }
  // The schema that the answer must follow.
  void add_format(std::string_view json);
  void add_image(ImageShape image);
  // Something stored with the provider that the request names: a conversation, a reasoning item.
  void add_reference() {
    ++references_;
    is_open_ = true;
  }
  // It brings in what nobody can size from here: the provider searches, or reads what is encoded.
  void add_open() { is_open_ = true; }
  // Then more than the bound may be true.
  bool is_open() const { return is_open_; }
  // Anything with a count of its own: audio, a document's pages.
  void add_tokens(int64_t count) { tokens_ += count; }

 private:
  friend int64_t input_tokens_bound(const InputShape&, const TokenProfile&);
  friend int64_t input_text_estimate(const InputShape&, const TokenProfile&);
  friend int64_t input_overhead_estimate(const InputShape&, const TokenProfile&);

  int64_t text_bound(Tokenizer tokenizer) const;
  int64_t text_bound(const TokenProfile& profile) const;
  int64_t priced(Tokenizer tokenizer) const;
  void count(Character character, bool again);

  static constexpr size_t kClasses = 28;

  int64_t signs_ = 0;  // the sum of pairs of ASCII signs, in 1/64 token
  int64_t bytes_ = 0;
  int64_t strings_ = 0;
  int64_t tokens_ = 0;
  int64_t messages_ = 0;
  int64_t tools_ = 0;
  int64_t tool_calls_ = 0;
  int64_t formats_ = 0;
  int64_t references_ = 0;
  bool is_open_ = false;
  std::array<int64_t, kImageRules> images_{};    // tokens, by rule
  std::array<uint32_t, kClasses> characters_{};  // beyond ASCII, by class
};

// At least the tokens of input that the provider will count, for a model of that profile.
int64_t input_tokens_bound(const InputShape& shape, const TokenProfile& profile);

// About that many, for limits and policies, without a second pass: within 15 % for prose; a request
// with tools can be some hundred tokens off.
int64_t input_tokens_estimate(const InputShape& shape, const TokenProfile& profile);
// Of that its texts alone.
int64_t input_text_estimate(const InputShape& shape, const TokenProfile& profile);

// What is beside the texts in that estimate: frames of messages, tools, images. Together with a
// TokenCounter over the same texts it stands for the provider's figure where that never came.
int64_t input_overhead_estimate(const InputShape& shape, const TokenProfile& profile);

}  // namespace mg::gateway
