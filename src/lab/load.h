// The load tool (`moongate load`): many clients at once, plain and streamed, against a gateway (or
// the lab itself), and a record of what each of them was told. What the ledger says about the same
// requests is compared afterwards (comparison.h).
//
// The same seed asks the same requests, and the same ones hang up. One thread, that of its loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "event/resolver.h"
#include "http/pool.h"
#include "lab/counts.h"
#include "lab/histogram.h"
#include "lab/load_options.h"
#include "lab/told.h"

namespace mg::lab {

// The run so far.
struct Progress {
  int64_t elapsed_ms = 0;
  int64_t begun = 0;
  int64_t ended = 0;
  int64_t complete = 0;
  int64_t hung_up = 0;
  Tally errors;  // refused, cut and failed requests by what was said: "rate_limit_exceeded", "cut"
  Histogram latency;     // of complete answers
  Histogram first_byte;  // of answers that began: the head of a plain one, a stream's first event
  Money cost;            // that clients were told

  int64_t per_second() const { return elapsed_ms > 0 ? ended * 1000 / elapsed_ms : 0; }
};
// One line for people, and a JSON object.
std::string to_line(const Progress& progress);
std::string to_json(const Progress& progress);

class Load {
 public:
  using OnProgress = std::function<void(const Progress&)>;

  // Calls back every progress_ms while it runs, and once at the end. Errors: those of check().
  static Result<std::unique_ptr<Load>> make(event::Loop& loop, event::Sockets& sockets,
                                            event::Resolver& resolver, LoadOptions options,
                                            OnProgress on_progress);
  ~Load();

  // Until every request has ended. Once. Dropping the task ends all clients where they are.
  event::Task<> run();

  // One for each request that was begun and has ended, in the order they ended.
  const std::vector<Told>& told() const { return told_; }
  const Progress& progress() const { return progress_; }

 private:
  class Client;

  Load(event::Loop& loop, event::Sockets& sockets, event::Resolver& resolver, LoadOptions options,
       http::BaseUrl base, OnProgress on_progress);

  bool may_begin() const;
  void note(const Told& told, const std::string& error);
  void client_ended();
  void report();

  event::Loop& loop_;
  const LoadOptions options_;
  const http::BaseUrl base_;
  const http::Destination destination_;
  http::Pool pool_;
  OnProgress on_progress_;
  event::Timer progress_timer_;
  event::Signal all_ended_;
  Progress progress_;
  std::vector<Told> told_;
  int64_t started_ns_ = 0;
  int64_t clients_running_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace mg::lab
