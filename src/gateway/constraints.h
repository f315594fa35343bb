// What a client asks of routing, in the header field x-moongate-constraints: a JSON object with
// any of
//   only, ignore, order   lists of providers or channels
//   max_price             {"input": "3", "output": "15"}: USD per million tokens
//   allow_fallbacks       false: one candidate, or none
// They are wishes that the routing policy reads; what it makes of them is the operator's business.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/facts.h"
#include "base/result.h"

namespace mg::gateway {

class Constraints {
 public:
  // Errors: invalid, with the member at fault.
  static Result<Constraints> parse(std::string_view json);
  // Views into this object.
  api::ConstraintFacts facts() const;

 private:
  std::vector<std::string> only_;
  std::vector<std::string> ignore_;
  std::vector<std::string> order_;
  std::optional<Rate> input_rate_max_;
  std::optional<Rate> output_rate_max_;
  bool allow_fallbacks_ = true;
};

}  // namespace mg::gateway
