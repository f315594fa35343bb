#include "lab/provider.h"

#include <simdjson.h>

#include <algorithm>

#include "base/assert.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "lab/embeddings.h"
#include "lab/plan.h"
#include "lab/seed.h"

namespace mg::lab {
namespace {

namespace dom = simdjson::dom;
using http::Method;

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kModels = "/v1/models";
constexpr int64_t kPpm = 1'000'000;
constexpr int64_t kModelsCreatedS = 1'700'000'000;
constexpr size_t kParserKeepBytes = 1 * limits::MiB;

enum class Endpoint : uint8_t { chat, completions, embeddings, models, model, counts, reset };

struct Route {
  std::string_view path;
  Method method;
  Endpoint endpoint;
};
constexpr Route kRoutes[] = {
    {"/v1/chat/completions", Method::post, Endpoint::chat},
    {"/v1/completions", Method::post, Endpoint::completions},
    {"/v1/embeddings", Method::post, Endpoint::embeddings},
    {kModels, Method::get, Endpoint::models},
    {"/lab/counts", Method::get, Endpoint::counts},
    {"/lab/reset", Method::post, Endpoint::reset},
};
constexpr Route kModelRoute = {kModels, Method::get, Endpoint::model};

const Route* find_route(std::string_view path) {
  for (const Route& route : kRoutes)
    if (path == route.path) return &route;
  if (path.starts_with(kModels) && path.substr(kModels.size()).starts_with('/'))
    return &kModelRoute;
  return nullptr;
}

bool is_own(Endpoint endpoint) {
  return endpoint == Endpoint::counts || endpoint == Endpoint::reset;
}

UsageManner usage_manner(Fault fault) {
  switch (fault) {
    case Fault::missing_usage:
      return UsageManner::missing;
    case Fault::double_usage:
      return UsageManner::twice;
    case Fault::running_usage:
      return UsageManner::running;
    default:
      return UsageManner::proper;
  }
}

void append_model(JsonWriter& json, std::string_view id) {
  json.begin_object();
  json.field("id", id);
  json.field("object", "model");
  json.field("created", kModelsCreatedS);
  json.field("owned_by", "moongate-lab");
  json.end_object();
}

}  // namespace

struct Provider::Parser {
  dom::parser dom;
};

// One POST under way.
struct Provider::Call {
  Endpoint endpoint;
  const http::RequestHead& head;
  std::string_view body;
  dom::object request;
  Knobs knobs;
  Fault fault = Fault::none;
};

Provider::Provider(Clock& clock, const LabOptions& options, Counts& counts, uint64_t seed)
    : clock_(clock), options_(options), counts_(counts), rng_(seed) {}

Provider::~Provider() = default;

Reply Provider::reply(const http::RequestHead& head, std::string& body) {
  Asked<Reply> reply = serve(head, body);
  Reply out = reply ? std::move(*reply) : error_reply(reply.error());
  out.request_id = made_up_id("req_", mix(1, body), 32);
  return out;
}

Reply Provider::rejection(int status, std::string_view reason) const {
  ApiError error;
  error.status = status;
  error.message = reason;
  return error_reply(error);
}

Asked<Reply> Provider::serve(const http::RequestHead& head, std::string& body) {
  const Route* route = find_route(head.path());
  if (!route || !is_own(route->endpoint)) counts_.paths.add(route ? route->path : "other");
  if (!route)
    return tl::unexpected(ApiError{404,
                                   "Invalid URL (" + std::string(http::name(head.method)) + " " +
                                       std::string(head.path().substr(0, 200)) + ")",
                                   "invalid_request_error", "", ""});
  if (head.method != route->method)
    return tl::unexpected(ApiError{405, "Not allowed with this method.", "invalid_request_error",
                                   "", "method_not_allowed"});
  if (route->endpoint == Endpoint::reset) counts_.reset();
  if (is_own(route->endpoint)) {
    Reply reply;
    reply.body = counts_.to_json();
    reply.is_counted = false;
    return reply;
  }
  const std::string_view sent = head.headers.find("authorization").value_or(std::string_view());
  const bool is_known = sent.starts_with(kBearer) &&
                        equal_in_constant_time(sent.substr(kBearer.size()), options_.key);
  if (!options_.key.empty() && !is_known) return tl::unexpected(error_of_status(401));
  if (route->endpoint == Endpoint::models) return model_list();
  if (route->endpoint == Endpoint::model)
    return model_entry(head.path().substr(kModels.size() + 1));

  if (!parser_ || parser_->dom.capacity() > kParserKeepBytes) {
    parser_ = std::make_unique<Parser>();
    MG_ASSERT(parser_->dom.allocate(4 * limits::KiB, limits::body_depth_max) == simdjson::SUCCESS);
  }
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  Call call{route->endpoint, head, body, {}, options_.knobs};
  if (parser_->dom.parse(body.data(), body.size(), false).get(call.request) != simdjson::SUCCESS)
    return not_so({}, "We could not parse the JSON body of your request.");
  return serve_post(call);
}

Asked<Reply> Provider::serve_post(Call& call) {
  const Asked<void> knobs_read = read_knobs(call);
  if (!knobs_read) return tl::unexpected(knobs_read.error());
  std::string_view model;
  if (call.request["model"].get(model) == simdjson::SUCCESS) counts_.models.add(model);
  const Knobs& knobs = call.knobs;
  choose_fault(call);
  Asked<Reply> reply = knobs.status.value_or(200) >= 300
                           ? Asked<Reply>(error_reply(error_of_status(*knobs.status)))
                           : answered(call);
  if (!reply) return reply;
  if (knobs.status) reply->status = *knobs.status;
  if (reply->status >= 300) reply->retry_after = knobs.retry_after.value_or("");
  reply->delay_ms = knobs.delay_ms.value_or(0);
  reply->first_byte_ms = knobs.first_byte_ms.value_or(0);
  reply->interval_ms = knobs.interval_ms.value_or(0);
  reply->fault = call.fault;
  reply->fault_at = knobs.fault_at;
  return reply;
}

Asked<Reply> Provider::answered(Call& call) {
  const UsageManner manner = usage_manner(call.fault);
  const std::string usage = call.knobs.usage.value_or("");
  Reply reply;
  if (call.endpoint == Endpoint::embeddings) {
    Asked<std::string> body = embeddings_answer(call.request, manner, usage);
    if (!body) return tl::unexpected(std::move(body.error()));
    reply.body = std::move(*body);
    return reply;
  }
  bool is_streamed = false;
  if (call.request["stream"].get(is_streamed) != simdjson::SUCCESS) is_streamed = false;
  // A plain answer without an end is made where it is sent.
  const Manner contents{call.knobs.tokens, is_streamed && call.fault == Fault::endless};
  Asked<Answer> answer = call.endpoint == Endpoint::chat ? plan_chat(call.request, contents)
                                                         : plan_completion(call.request, contents);
  if (!answer) return tl::unexpected(std::move(answer.error()));
  answer->created_s = clock_.wall_ms() / 1000;
  answer->usage_manner = manner;
  answer->usage = usage;
  if (answer->is_streamed) {
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.stream = std::move(*answer);
  } else {
    reply.body = plain_answer(*answer);
  }
  return reply;
}

Asked<void> Provider::read_knobs(Call& call) const {
  const auto take = [&](std::string_view name, std::string_view value) -> Asked<void> {
    const Result<> set = call.knobs.set(to_lower(name.substr(kKnobPrefix.size())), value);
    if (!set) return not_so(name, set.error().what);
    return {};
  };
  dom::object metadata;
  if (call.request["metadata"].get(metadata) == simdjson::SUCCESS) {
    for (const auto& [key, value] : metadata) {
      if (!key.starts_with(kKnobPrefix)) continue;
      std::string_view text;
      if (value.get(text) != simdjson::SUCCESS) return not_so(key, "metadata must be strings.");
      if (const Asked<void> taken = take(key, text); !taken) return taken;
    }
  }
  for (const http::Field field : call.head.headers) {
    if (field.name.size() <= kKnobPrefix.size() ||
        !equal_ignoring_case(field.name.substr(0, kKnobPrefix.size()), kKnobPrefix))
      continue;
    if (const Asked<void> taken = take(field.name, field.value); !taken) return taken;
  }
  return {};
}

// Whether this request is struck at all, and by which of the faults.
void Provider::choose_fault(Call& call) {
  Knobs& knobs = call.knobs;
  if (!knobs.status && knobs.faults.empty()) return;
  if (knobs.fault_rate_ppm || knobs.faults.size() > 1) {
    const uint64_t drawn = knobs.fault_seed ? mix(*knobs.fault_seed, call.body) : rng_.draw();
    if (static_cast<int64_t>(drawn % kPpm) >= knobs.fault_rate_ppm.value_or(kPpm)) {
      knobs.status.reset();
      return;
    }
    if (!knobs.faults.empty())
      call.fault = knobs.faults[mix(drawn, uint64_t{1}) % knobs.faults.size()];
  } else if (!knobs.faults.empty()) {
    call.fault = knobs.faults.front();
  }
  if (call.fault != Fault::none) counts_.faults.add(name(call.fault));
}

Reply Provider::model_list() const {
  Reply reply;
  JsonWriter json(reply.body);
  json.begin_object();
  json.field("object", "list");
  json.key("data");
  json.begin_array();
  for (const std::string& id : options_.models) append_model(json, id);
  json.end_array();
  json.end_object();
  return reply;
}

Asked<Reply> Provider::model_entry(std::string_view id) const {
  if (std::find(options_.models.begin(), options_.models.end(), id) == options_.models.end())
    return tl::unexpected(error_of_status(404));
  Reply reply;
  JsonWriter json(reply.body);
  append_model(json, id);
  return reply;
}

Reply Provider::error_reply(const ApiError& error) const {
  Reply reply;
  reply.status = error.status;
  reply.body = to_json(error);
  return reply;
}

}  // namespace mg::lab
