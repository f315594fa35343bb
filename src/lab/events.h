// An answer as the events of a stream, made one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lab/answer.h"

namespace mg::lab {

class Events {
 public:
  enum class Kind : uint8_t {
    role,
    text,    // reasoning, content, or a part of a tool call
    finish,  // a choice says why it ended
    usage,
    done,  // [DONE]
  };

  // The answer must outlive it and stay where it is.
  explicit Events(Answer& answer);

  // Appends the next event's data to `out`. Nothing once `done` was given.
  std::optional<Kind> next(std::string& out);

 private:
  enum class Stage : uint8_t { choices, usage, again, done, over };

  Kind next_of_choices(std::string& out);
  void append_delta(std::string& out, const Choice& choice, const Step& step) const;
  void append_usage_member(std::string& out) const;

  Answer& answer_;
  std::string prefix_;  // what every chunk begins with
  size_t turn_ = 0;     // whose choice's step it is
  size_t choices_open_;
  Stage stage_ = Stage::choices;
};

}  // namespace mg::lab
