// What an upstream's answer says, as far as money and the relay need it: plain answers as a whole,
// streamed ones chunk by chunk. The bytes themselves are left alone.
#pragma once

#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "gateway/token_estimate.h"
#include "gateway/usage.h"

namespace mg::gateway {

class Echo;

using FinishedChoices = std::bitset<limits::choices_max>;

// One chunk of a stream, or a plain answer.
struct AnswerFacts {
  bool is_json = false;      // an object; otherwise nothing else here means anything
  bool is_error = false;     // it carries an error instead of an answer
  bool has_choices = false;  // at least one: something was answered, or is being
  bool has_answer = false;   // choices, or embeddings
  bool is_finished = false;  // a choice says why it ended
  FinishedChoices finished;  // which ones, by index
  bool has_usage = false;
  std::optional<Usage> usage;  // absent although has_usage: the numbers were no counts
  int64_t audio_tokens = 0;    // of sound and pictures in it, by our own count; as text is counted,
  int64_t image_tokens = 0;    // only where there is a counter
};

// Parsers and scratch memory for one worker. One thread.
class AnswerReader {
 public:
  AnswerReader();
  ~AnswerReader();

  // `provider` says where its vendor puts the usage. Also adds the text that was generated to the
  // counter, where there is one: content, reasoning, refusals, names and arguments of tool calls;
  // of a completion's text what no echo accounts for.
  AnswerFacts read(std::string_view json, const api::Provider& provider, TokenCounter* generated,
                   Echo* echo = nullptr);

  static bool is_object(std::string_view json);
  // The message of an error answer, of its first error where it is a list; empty: none was found.
  static std::string error_text(std::string_view json);
  // All that an error says of itself, the first of a list: message, type and code, a line each. Not
  // what it repeats of the request in other members. Nothing where it is no JSON.
  static std::optional<std::string> error_words(std::string_view json);

 private:
  struct Parsers;
  std::unique_ptr<Parsers> parsers_;
};

// The usage in a part of a long answer: the last member of that name in it. Nothing where there is
// none that is whole.
std::optional<AnswerFacts> usage_in_part(std::string_view part);

// The document with `cost`, a JSON number, in its top-level usage object: in the place of one that
// the upstream gave, else as a member more. Where a member stands twice, it is in both, so that no
// reader believes another's. Nothing where there is no usage, or where one is not an object.
std::optional<std::string> with_cost(std::string_view json, std::string_view cost);

}  // namespace mg::gateway
