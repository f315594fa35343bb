// Room on the disk. Below a mark the ledger takes no new holds, so that those it has can still be
// settled; a ballast file is given up for them when even that gets tight.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace mg::ledger {

// The seam: how many bytes the file system of a path has left for us. Any thread.
class FreeSpace {
 public:
  virtual ~FreeSpace() = default;
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
};

class StatvfsSpace final : public FreeSpace {
 public:
  Result<uint64_t> free_bytes(const std::string& path) override;
};

class DiskGuard {
 public:
  DiskGuard(std::string directory, FreeSpace& space, uint64_t low_bytes, uint64_t ballast_bytes);

  // Before each commit, on the committer's thread: looks, and gives up or takes back the ballast.
  void before_commit();
  // Looks again without touching the ballast. Any thread: who is about to refuse, or is asked
  // whether holds are taken.
  bool looks_low();
  // What the last look saw. Any thread.
  bool is_low() const { return low_.load(std::memory_order_relaxed); }

 private:
  void look();
  void give_up_ballast();
  void take_ballast();

  const std::string directory_;
  const std::string ballast_path_;
  FreeSpace& space_;
  const uint64_t low_bytes_;
  const uint64_t ballast_bytes_;
  std::atomic<bool> low_{false};
  std::atomic<bool> has_ballast_{false};
  std::atomic<uint64_t> free_bytes_{0};
};

}  // namespace mg::ledger
