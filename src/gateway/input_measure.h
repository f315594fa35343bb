// How much a request sends, in tokens, judged from its text alone: an estimate for routing and for
// answers that carry no usage, and a bound for holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/facts.h"

namespace simdjson::dom {
class element;
class object;
}  // namespace simdjson::dom

namespace mg::gateway {

struct InputProblem {
  std::string what;
  std::string member;
};

class InputMeasure {
 public:
  // A chat request: its messages, tools and response format. Notes which features it uses.
  std::optional<InputProblem> add_chat(const simdjson::dom::object& request,
                                       api::FeatureFacts& has);
  // `prompt` or `input`: a text, a list of texts, a list of token numbers, or a list of such.
  std::optional<InputProblem> add_inputs(const simdjson::dom::element& input);

  // Texts (or lists of tokens) that add_inputs found.
  int64_t inputs() const { return inputs_; }
  int64_t estimate() const;
  int64_t bound() const;

 private:
  int64_t inputs_ = 0;
};

}  // namespace mg::gateway
