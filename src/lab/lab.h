// The built-in provider (`moongate lab`): speaks the OpenAI protocol, answers plausibly and always
// the same to the same request, and misbehaves on demand. For trying the gateway without anybody's
// key, for tests, and as the upstream of measurements; so it keeps little for each stream and does
// one write for each plain answer and each event.
//
//   POST /v1/chat/completions   plain or streamed; tools, structured output, reasoning, images
//   POST /v1/completions        plain or streamed
//   POST /v1/embeddings         as numbers or in base 64
//   GET  /v1/models, /v1/models/ID
//   GET  /lab/counts            what it was asked so far; POST /lab/reset starts anew
//
// How answers can be shaped and spoilt stands in knobs.h and fault.h, what a token is in tokens.h.
// Texts, ids and counts follow from the request; only `created` and the Date header are the
// clock's. Plain HTTP only. One thread, that of its loop; several may live on one loop.
#pragma once

#include <memory>
#include <vector>

#include "event/loop.h"
#include "event/stream.h"
#include "lab/counts.h"
#include "lab/options.h"

namespace mg::lab {

struct Shared;

class Lab final : private event::AcceptSink {
 public:
  // Loop and sockets must outlive it. The seed decides which requests are struck where a share of
  // them is and no knob says which.
  Lab(event::Loop& loop, event::Sockets& sockets, uint64_t seed, LabOptions options);
  // Closes every connection at once. Not from inside a call of its own.
  ~Lab();

  // Where it listens now; may be called more than once. Errors: those of Sockets::listen.
  Result<SocketAddress> listen(const SocketAddress& address);

  const Counts& counts() const;
  void reset_counts();

  // Accepts no more, and ends each connection once it is idle.
  void drain();
  size_t connections() const { return connections_; }

 private:
  class Guest;

  void on_accept(std::unique_ptr<event::Stream> stream) override;
  event::Task<> serve(Guest& guest, std::unique_ptr<event::Stream> stream);
  void leave(Guest& guest);

  // Drops the guests that left, in a turn of its own: none may be dropped while it runs.
  class Sweep final : public event::Deferred {
   public:
    explicit Sweep(Lab& lab) : lab_(lab) {}
    void run() override { lab_.drop(lab_.left_); }

   private:
    Lab& lab_;
  };
  void drop(event::LinkList& guests);

  event::Sockets& sockets_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<event::Listener>> listeners_;
  event::LinkList guests_;
  event::LinkList left_;
  Sweep sweep_;
  size_t connections_ = 0;
};

}  // namespace mg::lab
