// The scripts and data files of an installation, as bytes in memory: what a bundle is built from.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mg::script {

// A path is relative to its root and uses '/': "policies/rate_limit.lua", "models.json".
struct File {
  std::string path;
  std::string bytes;
};

struct SourceTree {
  std::vector<File> scripts;  // sorted by path
  std::vector<File> data;     // sorted by path
};

// Reads every *.lua below `scripts` except those of the folders agents/ (units of their own) and
// meta/ (never loaded), and every file directly in `data` (an absent folder counts as empty; pass
// "" for none). Hidden files are skipped. Blocks; for the main thread and tests.
// Errors, each naming the path: not_found when `scripts` is no folder or a link leads nowhere,
// invalid for what is no regular file, too_large past a bound of limits.h, io.
Result<SourceTree> read_source_tree(const std::string& scripts, const std::string& data);

}  // namespace mg::script
