// How far the ledger has come, for everyone to see.
#pragma once

#include <atomic>
#include <cstdint>

#include "ledger/types.h"

namespace mg::ledger {

struct Progress {
  // Written by the committer after a commit returned; read by every gate. A gate that is about to
  // sleep announces itself before it looks here, and the committer looks for gates after it wrote:
  // sequentially consistent on both sides, so that one of them sees the other.
  std::atomic<Seq> durable{0};
  std::atomic<bool> poisoned{false};

  std::atomic<Seq> ordered{0};
  std::atomic<uint64_t> commits{0};
  std::atomic<int64_t> commit_ns{0};
  std::atomic<size_t> accounts{0};
  std::atomic<size_t> open_holds{0};
};

}  // namespace mg::ledger
