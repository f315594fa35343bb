#include "lab/speech.h"

#include "lab/tokens.h"

namespace mg::lab {
namespace {

constexpr uint32_t kParagraphSentences = 5;

std::string_view pick(std::span<const std::string_view> from, SeededRng& rng) {
  return from[rng.draw() % from.size()];
}

std::string_view pick_topic(const Subject& subject, const Phrases& words, SeededRng& rng) {
  if (subject.topics.empty()) return pick(words.nouns, rng);
  return subject.topics[rng.draw() % subject.topics.size()];
}

void fill(std::string& out, std::string_view pattern, const Subject& subject, SeededRng& rng) {
  const Phrases& words = phrases(subject.language);
  for (size_t at = 0;;) {
    const size_t slot = pattern.find('%', at);
    out.append(pattern.substr(at, slot - at));
    if (slot == std::string_view::npos) return;
    switch (pattern[slot + 1]) {
      case 't':
        out.append(pick_topic(subject, words, rng));
        break;
      case 'n':
        out.append(pick(words.nouns, rng));
        break;
      case 'a':
        out.append(pick(words.adjectives, rng));
        break;
      case 'v':
        out.append(pick(words.verbs, rng));
        break;
      default:
        out.push_back(pattern[slot + 1]);
    }
    at = slot + 2;
  }
}

}  // namespace

Speech Speech::given(std::string text) { return Speech(std::move(text), 0); }

Speech Speech::made_up(Register manner, std::string opening, uint64_t seed, int64_t tokens,
                       Length length) {
  Speech speech(std::move(opening), seed);
  speech.tokens_ = tokens;
  speech.length_ = length;
  speech.register_ = manner;
  return speech;
}

bool Speech::next(const Subject& subject, std::string_view& token) {
  if (length_ == Length::exactly && said_ >= tokens_) return false;
  if (at_ == text_.size()) {
    if (said_ >= tokens_) return false;
    add_sentence(subject);
  }
  std::string_view rest = std::string_view(text_).substr(at_);
  token = take_token(rest);
  at_ += token.size();
  ++said_;
  return true;
}

void Speech::add_sentence(const Subject& subject) {
  text_.clear();
  at_ = 0;
  const Phrases& words = phrases(subject.language);
  if (said_ > 0)
    text_ =
        sentences_ % kParagraphSentences == 0 && sentences_ > 0 ? words.paragraphs : words.between;
  const bool is_first = sentences_++ == 0;
  const auto patterns = register_ == Register::thought ? words.thoughts
                        : is_first                     ? words.openings
                                                       : words.sentences;
  fill(text_, pick(patterns, rng_), subject, rng_);
}

std::string sentence(Speech::Register manner, const Subject& subject, uint64_t seed) {
  const Phrases& words = phrases(subject.language);
  SeededRng rng(seed);
  std::string out;
  fill(out, pick(manner == Speech::Register::thought ? words.thoughts : words.sentences, rng),
       subject, rng);
  return out;
}

}  // namespace mg::lab
