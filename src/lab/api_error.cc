#include "lab/api_error.h"

#include "base/json.h"

namespace mg::lab {

std::string to_json(const ApiError& error) {
  std::string out;
  JsonWriter json(out);
  const auto text_or_null = [&](std::string_view name, const std::string& text) {
    json.key(name);
    if (text.empty()) {
      json.null();
    } else {
      json.value(text);
    }
  };
  json.begin_object();
  json.key("error");
  json.begin_object();
  json.field("message", error.message);
  json.field("type", error.type);
  text_or_null("param", error.param);
  text_or_null("code", error.code);
  json.end_object();
  json.end_object();
  return out;
}

ApiError error_of_status(int status) {
  switch (status) {
    case 401:
      return {status, "Incorrect API key provided.", "invalid_request_error", "",
              "invalid_api_key"};
    case 402:
      return {status, "Your balance is not enough for this request.", "insufficient_quota", "",
              "insufficient_quota"};
    case 403:
      return {status, "This key may not use the model.", "permission_error", "",
              "model_not_allowed"};
    case 404:
      return {status, "The model does not exist or you do not have access to it.",
              "invalid_request_error", "model", "model_not_found"};
    case 429:
      return {status, "Rate limit reached. Please slow down.", "requests", "",
              "rate_limit_exceeded"};
    default:
      break;
  }
  if (status < 500)
    return {status, "The request could not be served.", "invalid_request_error", "", ""};
  if (status == 503)
    return {status, "The engine is overloaded at the moment. Please try again later.",
            "server_error", "", "service_unavailable"};
  return {status, "The server had an error while processing your request.", "server_error", "", ""};
}

}  // namespace mg::lab
