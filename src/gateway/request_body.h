// The body of a client's request, understood as far as routing and money need it, and otherwise
// left alone: what goes upstream is the client's own text with at most two splices in it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "api/facts.h"
#include "base/limits.h"
#include "gateway/echo.h"
#include "gateway/input_bound.h"
#include "gateway/refusal.h"

namespace mg::gateway {

enum class Operation : uint8_t { chat, completion, embedding };
inline constexpr std::array kOperations{Operation::chat, Operation::completion,
                                        Operation::embedding};
std::string_view name(Operation operation);
// Where clients POST it: "/v1/chat/completions"; upstreams have it behind a prefix of their own.
std::string_view path_of(Operation operation);
inline constexpr std::string_view kApiPrefix = "/v1";

// A part of a text, to be replaced; an empty one is a place to insert at.
struct Splice {
  size_t at = 0;
  size_t bytes = 0;
  std::string with;
};

// The text with its splices applied, as pieces of both; they stay valid as long as those do.
// The splices stand in rising order and do not overlap.
std::vector<std::string_view> spliced(std::string_view text, const std::vector<Splice>& splices);

class RequestBody {
 public:
  // Takes the text; it is validated as a whole, and no duplicate member stands in its top level or
  // where its price is read from, so that every reader of it sees the same. The error names the
  // member at fault.
  static tl::expected<RequestBody, Refusal> read(Operation operation, std::string text);

  const std::string& text() const { return text_; }
  size_t bytes() const { return bytes_; }  // of the text, as it came
  const std::string& model() const { return model_; }
  bool is_stream() const { return stream_; }
  // The client wants to be told its usage at the end of a stream.
  bool asks_usage() const { return asks_usage_; }
  int64_t choices() const { return choices_; }
  // How many of these the client is shown: of `best_of` fewer than are written.
  int64_t answers() const { return answers_; }
  // What its answers are asked to begin with; null: nothing.
  const std::shared_ptr<const Prompts>& echoed_prompts() const { return echoed_prompts_; }
  // What the client allows per choice, where it says so.
  std::optional<int64_t> output_limit() const { return output_limit_; }
  const std::string& session() const { return session_; }
  void set_session(std::string_view session) {
    session_ = session.substr(0, limits::session_bytes_max);
  }
  const std::string& service_tier() const { return service_tier_; }
  const api::FeatureFacts& has() const { return has_; }
  // What the input is made of, for counting its tokens once the model is known.
  const InputShape& shape() const { return *shape_; }

  // What a channel is sent: its own name for the model, and the wish for usage where the client
  // left it out and the vendor takes it; or no `stream_options` at all, where the vendor refuses
  // them.
  enum class StreamUsage : uint8_t { as_is, ask, remove };
  std::vector<Splice> splices(std::string_view upstream_model, StreamUsage usage) const;

  // Lets go of the text, which is the large part, once no attempt can need it any more.
  void drop_text() { std::string().swap(text_); }
  // The same for what its tokens are reckoned from.
  void drop_shape() { shape_.reset(); }

 private:
  friend class BodyReader;

  struct Span {
    size_t at = 0;
    size_t bytes = 0;
  };
  enum class StreamOptions : uint8_t { absent, null, object };

  std::string text_;
  size_t bytes_ = 0;
  std::string model_;
  std::string session_;
  std::string service_tier_;
  Span model_at_;               // the value of "model", quotes included
  Span stream_options_at_;      // the value, where it is null; of an object: behind its brace
  Span stream_options_member_;  // from its name to the next one, or from the comma before the last
  Span include_usage_at_;       // the value of include_usage, where it is there
  size_t first_member_at_ = 0;  // behind the opening brace
  StreamOptions stream_options_ = StreamOptions::absent;
  bool stream_options_empty_ = true;
  bool has_include_usage_ = false;
  bool stream_ = false;
  bool asks_usage_ = false;
  int64_t choices_ = 1;
  int64_t answers_ = 1;
  std::optional<int64_t> output_limit_;
  api::FeatureFacts has_;
  std::unique_ptr<InputShape> shape_;
  std::shared_ptr<const Prompts> echoed_prompts_;
};

}  // namespace mg::gateway
