#include "lab/subject.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace mg::lab {
namespace {

constexpr size_t kReadBytesMax = 2000;
constexpr size_t kTopicsMax = 4;
constexpr size_t kTopicLettersMin = 4;
constexpr size_t kTopicBytesMax = 24;
constexpr size_t kHanBytes = 3;

constexpr std::array<std::string_view, 48> kWeightless = {
    "about", "after",   "also", "answer",   "been",  "before", "code",  "could",  "does",   "each",
    "every", "explain", "from", "function", "give",  "have",   "hello", "into",   "just",   "know",
    "like",  "make",    "many", "more",     "much",  "need",   "only",  "please", "python", "show",
    "some",  "tell",    "than", "that",     "their", "them",   "then",  "there",  "these",  "they",
    "this",  "want",    "what", "when",     "which", "with",   "write", "your"};
constexpr std::array<std::string_view, 8> kCodeWords = {"```",    "def ",       " code", "function",
                                                        "python", "javascript", " sql",  "program"};
constexpr std::array<std::string_view, 8> kWeightlessHan = {"告诉", "介绍", "说明", "解释",
                                                            "一下", "可以", "如何", "为什么"};
constexpr std::string_view kHanBreaks = "的了吗呢是在我你请和与或怎么什";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
// U+4000 to U+9FFF, which is nearly all Han, judged by the first of three bytes.
bool begins_han(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0xe4 && byte <= 0xe9;
}

bool is_weightless(std::string_view word) {
  return word.size() < kTopicLettersMin ||
         std::find(kWeightless.begin(), kWeightless.end(), to_lower(word)) != kWeightless.end();
}

void add_topic(std::vector<std::string>& topics, std::string_view word) {
  if (topics.size() == kTopicsMax) return;
  const std::string lower = to_lower(word.substr(0, kTopicBytesMax));
  if (std::find(topics.begin(), topics.end(), lower) == topics.end()) topics.push_back(lower);
}

// Calls `take` with each run of ASCII letters.
template <class Take>
void each_word(std::string_view text, Take take) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (!is_letter(text[at])) continue;
    const size_t begin = at;
    while (at < text.size() && is_letter(text[at])) ++at;
    take(text.substr(begin, at - begin), begin);
  }
}

// ... and with each run of Han characters, cut where a word is likely to end.
template <class Take>
void each_han_run(std::string_view text, Take take) {
  size_t begin = 0, end = 0;
  for (size_t at = 0; at <= text.size();) {
    const bool is_han = at + kHanBytes <= text.size() && begins_han(text[at]);
    if (is_han && kHanBreaks.find(text.substr(at, kHanBytes)) == std::string_view::npos) {
      end = at += kHanBytes;
      continue;
    }
    const std::string_view run = text.substr(begin, end - begin);
    const bool has_weight =
        run.size() >= 2 * kHanBytes &&
        std::find(kWeightlessHan.begin(), kWeightlessHan.end(), run) == kWeightlessHan.end();
    if (has_weight) take(run);
    at += is_han ? kHanBytes : 1;
    begin = end = at;
  }
}

}  // namespace

Subject subject_of(std::string_view text) {
  text = text.substr(0, kReadBytesMax);
  Subject subject;
  size_t words = 0;
  std::vector<std::string> topics, han_topics;
  each_word(text, [&](std::string_view word, size_t) {
    ++words;
    if (!is_weightless(word)) add_topic(topics, word);
  });
  const size_t han = static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_han));
  each_han_run(text,
               [&](std::string_view run) { add_topic(han_topics, run.substr(0, kTopicBytesMax)); });
  const std::string lower = to_lower(text);
  const bool speaks_of_code =
      std::any_of(kCodeWords.begin(), kCodeWords.end(),
                  [&](std::string_view word) { return lower.find(word) != std::string::npos; });
  if (han > words) {
    subject.language = Language::chinese;
    subject.topics = std::move(han_topics);
  } else {
    subject.language = speaks_of_code ? Language::code : Language::english;
    subject.topics = std::move(topics);
  }
  return subject;
}

std::string_view proper_name(std::string_view text) {
  std::string_view found;
  text = text.substr(0, kReadBytesMax);
  each_word(text, [&](std::string_view word, size_t at) {
    const bool follows_word =
        at >= 2 && text[at - 1] == ' ' && (is_letter(text[at - 2]) || text[at - 2] == ',');
    if (found.empty() && word.size() > 1 && is_capital(word[0]) && follows_word) found = word;
  });
  return found;
}

}  // namespace mg::lab
