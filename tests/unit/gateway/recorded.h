// Recorded answers and requests of providers, read as the tests of counting need them: the texts
// that a model wrote beside the provider's figure, and what a request is made of.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_value.h"
#include "gateway/input_bound.h"
#include "support/corpus.h"

namespace mg::test {

struct ToolCall {
  std::string name;
  std::string arguments;
};

struct RecordedAnswer {
  std::vector<std::string> texts;  // one for each choice
  std::string reasoning;
  std::vector<ToolCall> calls;
  int64_t output = 0;            // the provider's figure, reasoning included; 0 if there is none
  int64_t hidden_reasoning = 0;  // how much of it is reasoning that was not shown
  int64_t input = 0;
};

struct Recording {
  std::string name;  // of the case; for translations with dialect and turn
  std::string vendor;
  std::string model;
  std::string path;
  std::string fidelity;
  Json request;  // null where only the answer was kept
  RecordedAnswer answer;
};

// Every answered chat, completion, message or embedding of the corpus, whole and streamed.
std::vector<Recording> recordings(const std::filesystem::path& corpus);

// What the gateway would gather from such a request, in any of the protocols, and its texts.
struct Gathered {
  gateway::InputShape shape;
  std::vector<std::string> texts;
  bool only_text = true;  // no tools, images, schemas, references
};
Gathered gathered(const Json& request);

// The events of a stream that are JSON.
std::vector<Json> events_of(std::string_view stream);

}  // namespace mg::test
