// Vectors for texts: of unit length, and the same for the same text and number of dimensions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/answer.h"
#include "lab/asked.h"

namespace mg::lab {

// 1536 dimensions where nothing is said, 3072 for models that are called large.
std::vector<float> embedding_of(const Input& input, int64_t dimensions);

// The whole answer to POST /v1/embeddings, as numbers or in base 64. `usage` stands in the place of
// the true one; empty: the true one.
Asked<std::string> embeddings_answer(const simdjson::dom::object& request, UsageManner manner,
                                     std::string_view usage);

}  // namespace mg::lab
