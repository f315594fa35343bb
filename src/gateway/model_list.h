// The models a key may use, as the OpenAI protocol lists them, with what they cost and hold. A
// model stands there under each of its names that the key may use: that its own list names, and
// that no policy would refuse it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "event/task.h"
#include "gateway/caller.h"
#include "gateway/services.h"

namespace mg::gateway {

// One look at the list, for one caller. The services must outlive it.
class ModelList {
 public:
  ModelList(const Services& services, Caller caller, IpAddress ip);
  ModelList(const ModelList&) = delete;

  uint64_t generation() const { return serving_->world->generation(); }

  // {"object":"list","data":[...]}; may take several turns. A refusal where a policy failed.
  event::Task<tl::expected<std::string, Refusal>> all();
  // One of them, by id or alias. Refusals: model_not_found, a policy that failed.
  tl::expected<std::string, Refusal> one(std::string_view name);

 private:
  tl::expected<bool, Refusal> has(const Model& model, std::string_view name);

  const Services& services_;
  const std::shared_ptr<const Serving> serving_;
  const Caller caller_;
  const std::string id_;
  const std::string key_id_;
  api::RequestFacts facts_;
};

// A key's list of models has names (ids or aliases), or patterns in which '*' stands for anything.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace mg::gateway
