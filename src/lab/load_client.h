// One client of the load tool: asks, listens, thinks, asks again. Internal to this folder.
#pragma once

#include <optional>
#include <string>

#include "http/sse.h"
#include "lab/load.h"

namespace mg::lab {

// What request number `index` of a run is like; follows from the seed and the index alone.
struct Errand {
  int64_t index = 0;
  std::string model;
  bool is_stream = false;
  // Where the client leaves: while it waits for the head, after so many milliseconds; or after so
  // many pieces of the body.
  std::optional<int64_t> leaves_after_ms;
  std::optional<int64_t> leaves_after_pieces;
};
Errand errand(const LoadOptions& options, int64_t index);
std::string request_body(const LoadOptions& options, const Errand& errand);
http::Headers request_headers(const LoadOptions& options, const Errand& errand);

class Load::Client {
 public:
  explicit Client(Load& load) : load_(load) {}
  void start() {
    task_ = run();
    task_.start();
  }

 private:
  // What one request came to.
  struct Outcome {
    Told told;
    std::string error;  // of one that was not complete
    int64_t first_byte_us = 0;
  };

  event::Task<> run();
  event::Task<Outcome> ask(Errand errand);
  event::Task<Result<http::ResponseHead>> exchange_heads(const Errand& errand, Told& told);
  event::Task<Result<>> connect();
  event::Task<> read_plain(const Errand& errand, Outcome& outcome);
  event::Task<> read_stream(const Errand& errand, Outcome& outcome, int64_t started_ns);
  bool take_events(std::string_view bytes, http::SseReader& reader, Outcome& outcome);
  void give_up(Outcome& outcome, const Errand& errand, const Error& error) const;

  Load& load_;
  std::optional<http::Lease> lease_;
  event::Task<> task_;
};

}  // namespace mg::lab
