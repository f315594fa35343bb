// Text that the lab says, one token after the other. It is either given or made up as it goes: a
// stream of any length needs no more memory than a sentence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "lab/subject.h"

namespace mg::lab {

// When made-up text ends: with the sentence in which it reaches its length, or right there.
enum class Length : uint8_t { about, exactly };

class Speech {
 public:
  enum class Register : uint8_t { answer, thought };

  static Speech given(std::string text);
  // Begins with `opening` (may be empty), then a sentence that names the subject.
  static Speech made_up(Register manner, std::string opening, uint64_t seed, int64_t tokens,
                        Length length);

  // False at its end. The view is valid until the next call. `subject` is the same at every call.
  bool next(const Subject& subject, std::string_view& token);

 private:
  Speech(std::string text, uint64_t seed) : text_(std::move(text)), rng_(seed) {}
  void add_sentence(const Subject& subject);

  std::string text_;
  size_t at_ = 0;
  SeededRng rng_;
  int64_t tokens_ = 0;  // wanted; 0: the text is all there is
  int64_t said_ = 0;
  uint32_t sentences_ = 0;
  Length length_ = Length::about;
  Register register_ = Register::answer;
};

// One sentence of the register, with nothing before it.
std::string sentence(Speech::Register manner, const Subject& subject, uint64_t seed);

}  // namespace mg::lab
