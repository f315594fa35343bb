// The provider without its wire: from a request to what is to be sent, and how it is to be spoilt.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/rng.h"
#include "http/head.h"
#include "lab/answer.h"
#include "lab/asked.h"
#include "lab/counts.h"
#include "lab/options.h"

namespace mg::lab {

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string body;              // of a plain answer
  std::optional<Answer> stream;  // or an answer to be streamed
  std::string request_id;
  std::string retry_after;  // empty: none
  int64_t delay_ms = 0;
  int64_t first_byte_ms = 0;
  int64_t interval_ms = 0;
  Fault fault = Fault::none;
  std::optional<int64_t> fault_at;
  bool is_counted = true;  // false for the lab's own paths
};

// One per lab, one thread.
class Provider {
 public:
  // All must outlive it. `seed` decides which requests are struck where no knob does.
  Provider(Clock& clock, const LabOptions& options, Counts& counts, uint64_t seed);
  ~Provider();

  // `body` is used as scratch memory.
  Reply reply(const http::RequestHead& head, std::string& body);
  // To what is no request.
  Reply rejection(int status, std::string_view reason) const;

 private:
  struct Call;
  struct Parser;

  Asked<Reply> serve(const http::RequestHead& head, std::string& body);
  Asked<Reply> serve_post(Call& call);
  Asked<Reply> answered(Call& call);
  Asked<Reply> model_entry(std::string_view id) const;
  Reply model_list() const;
  Asked<void> read_knobs(Call& call) const;
  void choose_fault(Call& call);
  Reply error_reply(const ApiError& error) const;

  Clock& clock_;
  const LabOptions& options_;
  Counts& counts_;
  SeededRng rng_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace mg::lab
