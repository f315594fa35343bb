// Scripts and data made into what a generation consists of, whole or not at all.
#pragma once

#include <memory>
#include <string>

#include "api/policies.h"
#include "gateway/catalogue.h"

namespace mg::server {

struct Generation {
  std::shared_ptr<const script::Bundle> bundle;
  std::shared_ptr<const gateway::Catalogue> catalogue;
  std::string problems;  // empty: both are there; else what is wrong, with file and line
};

// Takes some milliseconds; any thread.
Generation build_generation(const script::SourceTree& tree, uint64_t number);

}  // namespace mg::server
