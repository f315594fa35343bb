#include "gateway/endpoint.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "gateway/caller.h"
#include "gateway/cors.h"
#include "gateway/exchange.h"
#include "gateway/model_list.h"

namespace mg::gateway {
namespace {

constexpr std::string_view kModels = "/v1/models";
constexpr std::string_view kLive = "/health/live";
constexpr std::string_view kReady = "/health/ready";
constexpr std::string_view kMetrics = "/metrics";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";

// The escapes of a target are well formed (http/head_rules.h).
std::string unescaped(std::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    out.append(from_hex(path.substr(i + 1, 2)).value_or("%"));
    i += 2;
  }
  return out;
}

std::optional<Operation> find_post(std::string_view path) {
  for (const Operation operation : kOperations)
    if (path == path_of(operation)) return operation;
  return std::nullopt;
}

bool is_models_path(std::string_view path) {
  return path == kModels || path.starts_with("/v1/models/");
}

bool is_get_path(std::string_view path) {
  return path == "/" || is_models_path(path) || path == kLive || path == kReady || path == kMetrics;
}

bool is_watched_path(std::string_view path) {
  return path == kLive || path == kReady || path == kMetrics;
}

Refusal refusal_for(const http::ParseError& error) {
  switch (error.status) {
    case 408:
      return refusal(Code::request_timeout, std::string(error.reason));
    case 413:
      return refusal(Code::request_too_large, std::string(error.reason));
    case 431:
      return refusal(Code::headers_too_large, std::string(error.reason));
    default: {
      Refusal no = refusal(Code::invalid_request, std::string(error.reason));
      no.status = error.status;
      return no;
    }
  }
}

}  // namespace

event::Task<> Endpoint::serve(http::ServerConnection& client) {
  const std::optional<Operation> asked = asked_operation(client);
  if (asked) return exchange(client, *asked);
  return answer(client);
}

// Of a request that becomes an exchange.
std::optional<Operation> Endpoint::asked_operation(const http::ServerConnection& client) const {
  const http::RequestHead& head = client.head();
  if (!serves_.api || head.method != http::Method::post ||
      client.pressure() >= http::Pressure::refuse)
    return std::nullopt;
  return find_post(head.path());
}

// All others, at once.
event::Task<> Endpoint::answer(http::ServerConnection& client) {
  const http::RequestHead& head = client.head();
  // Who watches over us must not take a crowd for a death.
  if (client.pressure() >= http::Pressure::refuse && !is_watched_path(head.path())) {
    refuse(client, refusal(Code::overloaded, "too many connections"));
    co_return;
  }
  const bool is_post = serves_.api && find_post(head.path()).has_value();
  switch (head.method) {
    case http::Method::options:
      answer_options(client);
      co_return;
    case http::Method::get:
    case http::Method::head:
      if (serves_.api && is_models_path(head.path())) {
        co_await answer_models(client);
        co_return;
      }
      if (is_get_path(head.path())) co_return answer_get(client);
      break;
    default:
      break;
  }
  if (!is_post && !is_get_path(head.path())) {
    refuse(client, refusal(Code::not_found, "there is nothing at this path"));
    co_return;
  }
  http::Headers headers = base_headers(client);
  headers.add("allow", is_post ? "POST, OPTIONS" : "GET, HEAD, OPTIONS");
  headers.add("content-type", kJsonType);
  const Refusal no = refusal(Code::method_not_allowed, "this path does not take that method");
  services_.metrics.count_refusal(no.kind);
  client.respond(no.status, headers, no.body());
}

event::Task<> Endpoint::exchange(http::ServerConnection& client, Operation operation) {
  Exchange exchange(services_, client, operation);
  co_await exchange.run();
}

void Endpoint::answer_get(http::ServerConnection& client) {
  const std::string_view path = client.head().path();
  if (path == kLive) return respond(client, 200, kJsonType, R"({"status":"ok"})");
  if (path == kReady) return answer_ready(client);
  if (path == kMetrics && serves_.metrics)
    return respond(client, 200, kPrometheus, process_.metrics_text());
  if (!serves_.api || path == kMetrics)
    return refuse(client, refusal(Code::not_found, "there is nothing at this path"));
  respond(client, 200, kJsonType, R"({"service":"moongate","api":"/v1"})");
}

void Endpoint::answer_ready(http::ServerConnection& client) {
  const Readiness readiness = process_.readiness();
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  json.field("status", readiness.is_ready ? "ready" : "unavailable");
  if (serves_.metrics) {
    json.field("generation", readiness.generation);
    json.field("store", readiness.store);
    json.field("policies", readiness.policies);
  }
  json.end_object();
  respond(client, readiness.is_ready ? 200 : 503, kJsonType, body);
}

event::Task<> Endpoint::answer_models(http::ServerConnection& client) {
  const http::RequestHead& head = client.head();
  auto caller = authenticate(head.headers, services_.serving->world->directory(),
                             services_.loop.clock().wall_ms());
  if (!caller) co_return refuse(client, caller.error());
  const IpAddress ip = client_address(client.peer(), head.headers.joined("x-forwarded-for"),
                                      services_.settings.trusted_proxies);
  const std::string name =
      head.path() == kModels ? "" : unescaped(head.path().substr(kModels.size() + 1));
  ModelList list(services_, std::move(*caller), ip);
  tl::expected<std::string, Refusal> body;
  if (name.empty()) {
    body = co_await list.all();
  } else {
    body = list.one(name);
  }
  if (!body) co_return refuse(client, body.error());
  http::Headers headers = base_headers(client);
  headers.set("x-moongate-generation", std::to_string(list.generation()));
  headers.add("content-type", kJsonType);
  client.respond(200, headers, *body);
}

void Endpoint::answer_options(http::ServerConnection& client) {
  http::Headers headers = base_headers(client);
  const auto origin = client.head().headers.find("origin");
  if (origin) {
    for (const http::Field field : preflight_headers(*origin, services_.settings.cors_origins))
      headers.set(field.name, field.value);
  }
  headers.set("allow", "GET, HEAD, POST, OPTIONS");
  client.respond(204, headers, {});
}

void Endpoint::refuse(http::ServerConnection& client, const Refusal& no) {
  services_.metrics.count_refusal(no.kind);
  http::Headers headers = base_headers(client);
  headers.add("content-type", kJsonType);
  no.add_headers(headers);
  client.respond(no.status, headers, no.body());
}

void Endpoint::respond(http::ServerConnection& client, int status, std::string_view type,
                       std::string_view body) {
  http::Headers headers = base_headers(client);
  headers.add("content-type", type);
  client.respond(status, headers, body);
}

http::Headers Endpoint::base_headers(http::ServerConnection& client) {
  http::Headers headers;
  headers.add("x-request-id", Id::make(services_.loop.clock(), services_.rng).text(kRequestPrefix));
  headers.add("x-moongate-generation", std::to_string(services_.serving->world->generation()));
  if (const auto origin = client.head().headers.find("origin"))
    add_cors(headers, *origin, services_.settings.cors_origins);
  return headers;
}

void Endpoint::reject(http::ServerConnection& client, const http::ParseError& error) {
  refuse(client, refusal_for(error));
}

}  // namespace mg::gateway
