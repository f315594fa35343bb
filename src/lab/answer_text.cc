#include "lab/answer_text.h"

#include <charconv>

#include "base/json.h"

namespace mg::lab {

void append_number(std::string& out, int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end.ptr);
}

void append_answer_head(std::string& out, const Answer& answer, std::string_view object) {
  out += "{\"id\":";
  append_json_string(out, answer.id);
  out += ",\"object\":\"";
  out += object;
  out += "\",\"created\":";
  append_number(out, answer.created_s);
  out += ",\"model\":";
  append_json_string(out, answer.model);
  if (answer.operation == Operation::chat) {
    out += ",\"service_tier\":\"default\",\"system_fingerprint\":";
    append_json_string(out, answer.fingerprint);
  }
  out += ",\"choices\":[";
}

void append_call_head(std::string& out, const ToolCall& call, std::optional<size_t> index) {
  const bool is_function = call.kind == ToolCall::Kind::function;
  out += '{';
  if (index) {
    out += "\"index\":";
    append_number(out, static_cast<int64_t>(*index));
    out += ',';
  }
  out += "\"id\":";
  append_json_string(out, call.id);
  out += is_function ? ",\"type\":\"function\",\"function\":{\"name\":"
                     : ",\"type\":\"custom\",\"custom\":{\"name\":";
  append_json_string(out, call.name);
  out += is_function ? ",\"arguments\":" : ",\"input\":";
}

void append_finish(std::string& out, const Choice& choice) {
  out += "\"finish_reason\":\"";
  out += name(choice.finish());
  out += '"';
}

}  // namespace mg::lab
