// What the connections of one lab share. Internal to this folder; one thread.
#pragma once

#include <string>

#include "event/loop.h"
#include "http/writer.h"
#include "lab/counts.h"
#include "lab/options.h"
#include "lab/pacer.h"
#include "lab/provider.h"

namespace mg::lab {

struct Shared {
  Shared(event::Loop& event_loop, LabOptions lab_options, uint64_t seed)
      : loop(event_loop),
        options(std::move(lab_options)),
        pacer(event_loop),
        provider(event_loop.clock(), options, counts, seed) {}

  event::Loop& loop;
  const LabOptions options;
  Counts counts;
  Pacer pacer;
  http::HttpDate date;
  Provider provider;
  std::string out;    // scratch: what one write sends ...
  std::string event;  // ... and what is framed into it; neither is kept over a wait
};

}  // namespace mg::lab
