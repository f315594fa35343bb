#include "server/generation.h"

namespace mg::server {

Generation build_generation(const script::SourceTree& tree, uint64_t number) {
  Generation out;
  script::BuildResult built = api::build_policies(tree, number);
  if (!built.bundle) {
    out.problems = built.text();
    return out;
  }
  const std::string* models = built.bundle->data("models.json");
  const std::string* aliases = built.bundle->data("aliases.json");
  if (!models) {
    out.problems = "models.json: there is none in the data folder";
    return out;
  }
  auto catalogue = gateway::Catalogue::parse(*models, aliases ? *aliases : "{}");
  if (!catalogue) {
    out.problems = catalogue.error().what;
    return out;
  }
  out.bundle = std::move(built.bundle);
  out.catalogue = std::move(*catalogue);
  return out;
}

}  // namespace mg::server
