// What one client of the load tool was told about its request. Kept for every request of a run, so
// of fixed size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/money.h"

namespace mg::lab {

enum class Heard : uint8_t {
  complete,  // a good answer, to its end
  cut,       // a good head, and then an error, or an end too early
  hung_up,   // the client left on purpose
  refused,   // an error status
  failed,    // nothing that could be called an answer
};
std::string_view name(Heard heard);

struct Told {
  static constexpr int64_t kNothing = -1;

  Id request;  // nil: it was not told
  int64_t cost_nanos = kNothing;
  int32_t prompt_tokens = kNothing;
  int32_t completion_tokens = kNothing;
  uint16_t status = 0;  // 0: no head came
  Heard heard = Heard::failed;
  bool is_stream = false;
  bool is_cost_unreadable = false;  // there was one, and it was no amount
  bool may_lack_cost = false;       // so long that its cost could not be said in a header
  uint8_t retries = 0;              // sent again because a kept connection turned out to be closed

  bool has_cost() const { return cost_nanos != kNothing; }
  Money cost() const { return Money::nanos(cost_nanos); }
  bool has_tokens() const { return prompt_tokens != kNothing; }
  void take_cost(std::string_view text);
};
static_assert(sizeof(Told) <= 48, "one stands for every request");

// Takes tokens and cost from the member "usage" of a JSON document, where it has one. A cost is
// read from its very digits.
void take_usage(std::string_view json, Told& told);
// True for a document with a member "error" that is not null.
bool is_error(std::string_view json);
// error.code of an answer, or its type; empty where it has none.
std::string error_code(std::string_view json);

}  // namespace mg::lab
