#include <algorithm>

#include "recorded.h"

namespace mg::test {
namespace {

void add_call(mg::gateway::InputShape& shape, const std::string& name,
              const std::string& arguments) {
  shape.add_tool_call();
  shape.add_text(name);
  shape.add_text(arguments);
}

bool is_one_of(const std::string& key, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const char* k) { return key == k; });
}

void add_text(const std::string& text, Gathered& out) {
  out.shape.add_text(text);
  out.texts.push_back(text);
}

void add_tools(const Json& tools, Gathered& out) {
  out.only_text = false;
  for (const Json& tool : tools) {
    if (const auto list = tool.find("functionDeclarations"); list != tool.end()) {
      for (const Json& declaration : *list) out.shape.add_tool(declaration.dump());
    } else {
      out.shape.add_tool(tool.dump());
    }
  }
}

// One object of a message: a call, an image, a reference. True when nothing within is left to read.
bool add_part(const Json& part, Gathered& out) {
  const std::string type = part.value("type", "");
  const bool image = part.contains("inlineData") || part.contains("image_url") ||
                     part.contains("image") || type == "image" || type == "input_image";
  if (image) {
    out.shape.add_image({});
  } else if (type == "reasoning") {
    out.shape.add_reference();
  } else if (part.contains("functionCall")) {
    const Json& call = part["functionCall"];
    add_call(out.shape, call.value("name", ""), call["args"].dump());
    out.shape.add_text(part.value("thoughtSignature", ""));
  } else if (type == "tool_use") {
    add_call(out.shape, part.value("name", ""), part["input"].dump());
  } else if (part.contains("arguments") && part.contains("name")) {
    add_call(out.shape, part.value("name", ""), part.value("arguments", ""));
  } else {
    return false;
  }
  out.only_text = false;
  return true;
}

void add_value(const Json& value, Gathered& out) {
  if (value.is_string()) {
    add_text(value.get<std::string>(), out);
  } else if (value.is_array()) {
    for (const Json& element : value) add_value(element, out);
  } else if (value.is_object()) {
    if (value.contains("role") || value.value("type", "").starts_with("function_call"))
      out.shape.add_message();
    if (add_part(value, out)) return;
    for (const auto& [name, member] : value.items())
      if (!is_one_of(name, {"role", "type", "id", "tool_call_id", "call_id", "tool_use_id",
                            "status", "cache_control", "annotations"}))
        add_value(member, out);
  }
}

void add_format(const Json& format, Gathered& out) {
  out.shape.add_format(format.dump());
  out.only_text = false;
}

}  // namespace

Gathered gathered(const Json& request) {
  Gathered out;
  for (const auto& [key, value] : request.items()) {
    if (key == "tools" || key == "functions") {
      add_tools(value, out);
    } else if (is_one_of(key, {"messages", "contents", "input", "prompt", "system", "instructions",
                               "systemInstruction", "texts", "query", "documents"})) {
      add_value(value, out);
    } else if (is_one_of(key, {"response_format", "text", "output_config", "output_format"})) {
      add_format(value, out);
    } else if (key == "generationConfig" && value.contains("responseSchema")) {
      add_format(value["responseSchema"], out);
    } else if (key == "parameters" && value.contains("tools")) {
      add_tools(value["tools"], out);
    }
  }
  return out;
}

}  // namespace mg::test
