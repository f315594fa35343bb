// What a lab is like before any request says otherwise.
#pragma once

#include <string>
#include <vector>

#include "lab/knobs.h"

namespace mg::lab {

struct LabOptions {
  std::string key;  // what clients must send as bearer token; empty: anything, or nothing
  // What GET /v1/models lists. Requests may name any model.
  std::vector<std::string> models = {
      "gpt-4o",    "gpt-4o-mini",           "o4-mini", "deepseek-chat", "deepseek-reasoner",
      "qwen-plus", "text-embedding-3-small"};
  Knobs knobs;
};

}  // namespace mg::lab
