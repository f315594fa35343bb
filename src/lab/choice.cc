#include "lab/choice.h"

#include "base/assert.h"
#include "lab/tokens.h"

namespace mg::lab {

std::string_view name(Finish finish) {
  switch (finish) {
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::tool_calls:
      return "tool_calls";
  }
  MG_ASSERT(!"finish out of range");
}

bool Choice::next(Step& step) {
  for (;;) {
    switch (stage_) {
      case Stage::role:
        step = {Step::Kind::role, {}, 0};
        stage_ = Stage::reasoning;
        return true;
      case Stage::reasoning:
        if (say(script_.reasoning, Step::Kind::reasoning, step)) {
          ++reasoning_tokens_;
          return true;
        }
        if (stage_ == Stage::reasoning) stage_ = Stage::content;
        break;
      case Stage::content:
        if (say(script_.content, Step::Kind::content, step)) return true;
        if (stage_ == Stage::content) stage_ = Stage::call;
        break;
      case Stage::call:
        if (call_ == script_.calls.size()) {
          if (call_ > 0) finish_ = Finish::tool_calls;
          stage_ = Stage::finish;
          break;
        }
        if (!spend(count_tokens(script_.calls[call_].name))) break;
        input_ = Speech::given(script_.calls[call_].input);
        stage_ = Stage::input;
        step = {Step::Kind::call, {}, call_};
        return true;
      case Stage::input:
        if (say(input_, Step::Kind::input, step)) return true;
        if (stage_ != Stage::input) break;
        ++call_;
        stage_ = Stage::call;
        break;
      case Stage::finish:
        step = {Step::Kind::finish, {}, 0};
        stage_ = Stage::over;
        return true;
      case Stage::over:
        return false;
    }
  }
}

// False where the speech is over, or the length is used up: then the choice is at its finish.
bool Choice::say(std::optional<Speech>& speech, Step::Kind kind, Step& step) {
  std::string_view token;
  if (!speech || !speech->next(script_.subject, token) || !spend(1)) return false;
  step = {kind, token, call_};
  return true;
}

bool Choice::spend(int64_t tokens) {
  if (script_.tokens_max && tokens_ + tokens > *script_.tokens_max) {
    finish_ = Finish::length;
    stage_ = Stage::finish;
    return false;
  }
  tokens_ += tokens;
  return true;
}

}  // namespace mg::lab
