#include "control/args.h"

#include <algorithm>

#include "base/calendar.h"
#include "base/label.h"
#include "directory/records.h"

namespace mg::control {
namespace {

// "--daily-limit" as people type it; what a command is about has no dashes, and a value that is a
// secret comes on standard input.
std::string option(std::string_view name) {
  if (name == "id") return "ID";
  if (name == "value") return "the value";
  std::string out = "--" + std::string(name);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::string label_of(size_t bytes_max) {
  return "1 to " + std::to_string(bytes_max) + " bytes without control characters";
}

}  // namespace

const Json* Args::find(const char* name) {
  asked_.insert(name);
  if (!json_.is_object()) return nullptr;
  const auto found = json_.find(name);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

void Args::wrong(const char* name, std::string_view must_be) {
  if (problem_.empty()) problem_ = option(name) + " must be " + std::string(must_be);
}

std::optional<std::string> Args::optional_text(const char* name) {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) {
    wrong(name, "text");
    return std::nullopt;
  }
  return value->get<std::string>();
}

std::string Args::text(const char* name) {
  const auto value = optional_text(name);
  if (!value || value->empty()) {
    if (problem_.empty()) problem_ = option(name) + " is required";
    return {};
  }
  return *value;
}

std::string Args::text_or(const char* name, std::string otherwise) {
  return optional_text(name).value_or(std::move(otherwise));
}

std::vector<std::string> Args::texts(const char* name) {
  std::vector<std::string> out;
  const Json* value = find(name);
  if (!value) return out;
  if (!value->is_array()) {
    wrong(name, "a list");
    return out;
  }
  for (const Json& item : *value) {
    if (!item.is_string()) {
      wrong(name, "a list of texts");
      return {};
    }
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::string Args::label(const char* name, size_t bytes_max) {
  std::string value = text(name);
  if (!is_label(value, bytes_max)) wrong(name, label_of(bytes_max));
  return value;
}

std::string Args::label_or_none(const char* name, size_t bytes_max) {
  const auto value = optional_text(name);
  if (value && !is_label(*value, bytes_max)) wrong(name, label_of(bytes_max));
  return value.value_or("");
}

std::vector<std::string> Args::labels(const char* name, size_t bytes_max, size_t count_max) {
  std::vector<std::string> out = texts(name);
  if (find(name) && (out.empty() || out.size() > count_max))
    wrong(name, "a list of 1 to " + std::to_string(count_max));
  for (const std::string& item : out)
    if (!is_label(item, bytes_max)) wrong(name, label_of(bytes_max) + " each");
  return out;
}

int64_t Args::limit(const char* name, int64_t most) {
  const Json* value = find(name);
  if (!value) return 0;
  // A number beyond int64_t would be read as another one, or is no integer any more.
  const bool is_number = value->is_number_integer() &&
                         !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX);
  if (is_number && value->get<int64_t>() >= 1 && value->get<int64_t>() <= most)
    return value->get<int64_t>();
  wrong(name, "a whole number from 1 to " + std::to_string(most) + "; leave it out for no limit");
  return 0;
}

int64_t Args::count_or(const char* name, int64_t otherwise) {
  const Json* value = find(name);
  if (!value) return otherwise;
  if (!value->is_number_integer() || value->get<int64_t>() < 0) {
    wrong(name, "a whole number, 0 or more");
    return otherwise;
  }
  return value->get<int64_t>();
}

bool Args::truth(const char* name) {
  const Json* value = find(name);
  if (value && !value->is_boolean()) wrong(name, "true or false");
  return value && value->is_boolean() && value->get<bool>();
}

std::optional<Money> Args::optional_money(const char* name) {
  const auto text = optional_text(name);
  if (!text) return std::nullopt;
  const Result<Money> money = parse_money(*text);
  if (!money) {
    wrong(name, "an amount like 10.00: " + money.error().what);
    return std::nullopt;
  }
  return *money;
}

Money Args::money(const char* name) {
  const auto amount = optional_money(name);
  if (!amount && problem_.empty()) problem_ = option(name) + " is required";
  if (amount && amount->is_zero()) wrong(name, "more than 0");
  return amount.value_or(Money());
}

Id Args::tenant(const char* name) {
  const auto id = directory::parse_tenant(text(name));
  if (!id) wrong(name, "the id of a tenant");
  return id.value_or(Id());
}

Id Args::key(const char* name) {
  const auto id = Id::parse(kKeyPrefix, text(name));
  if (!id) wrong(name, "the id of a key (key_...), not its secret");
  return id.value_or(Id());
}

Id Args::request(const char* name) {
  const auto id = Id::parse(kRequestPrefix, text(name));
  if (!id) wrong(name, "a request id (req_...)");
  return id.value_or(Id());
}

int64_t Args::time_ms(const char* name, int64_t now_ms) {
  const auto text = optional_text(name);
  if (!text) return 0;
  if (const auto span = parse_span_ms(*text)) return now_ms + *span;
  if (const auto time = parse_time_ms(*text)) return *time;
  wrong(name, "a span like 24h or a time like 2026-12-31T23:59:59Z");
  return 0;
}

int64_t Args::end_ms(const char* name, int64_t now_ms) {
  const int64_t time = time_ms(name, now_ms);
  return find(name) ? std::max<int64_t>(1, time) : 0;
}

int64_t Args::since_ms(const char* name, int64_t now_ms, int64_t otherwise) {
  const auto text = optional_text(name);
  if (!text) return otherwise;
  if (const auto span = parse_span_ms(*text)) return now_ms - *span;
  if (const auto time = parse_time_ms(*text)) return *time;
  wrong(name, "a span like 24h or a time like 2026-12-31T23:59:59Z");
  return otherwise;
}

Result<> Args::ok() {
  if (!problem_.empty()) return fail(Errc::invalid, problem_);
  if (!json_.is_object()) return {};
  for (const auto& [name, value] : json_.items())
    if (!asked_.contains(name)) return fail(Errc::invalid, "there is no " + option(name));
  return {};
}

}  // namespace mg::control
