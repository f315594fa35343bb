// Errors in the shape of the OpenAI protocol.
#pragma once

#include <string>
#include <string_view>

namespace mg::lab {

struct ApiError {
  int status = 400;
  std::string message;
  std::string type = "invalid_request_error";
  std::string param;  // empty: null
  std::string code;   // empty: null
};

// {"error":{"message":...,"type":...,"param":...,"code":...}}
std::string to_json(const ApiError& error);

// What a provider says with such a status.
ApiError error_of_status(int status);

}  // namespace mg::lab
