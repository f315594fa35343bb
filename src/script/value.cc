#include "script/value.h"

#include <algorithm>
#include <cmath>

namespace mg::script {
namespace {

const Value kNil;

constexpr double kLargestExact = 9007199254740992.0;  // 2^53

auto by_name(std::string_view name) {
  return [name](const Field& field) { return field.name < name; };
}

}  // namespace

Value::Value() = default;
Value::Value(bool truth) : data_(truth) {}
Value::Value(double number) : data_(number) {}
Value::Value(std::string text) : data_(std::move(text)) {}
Value::Value(Table table) : data_(std::move(table)) {}
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"nil", "boolean", "number", "string", "table"};
  return kNames[data_.index()];
}

std::optional<int64_t> Value::integer() const {
  const double* n = number();
  if (!n || std::floor(*n) != *n || std::fabs(*n) > kLargestExact) return std::nullopt;
  return static_cast<int64_t>(*n);
}

const Value& Value::operator[](std::string_view name) const {
  const Table* t = table();
  const Value* found = t ? t->find(name) : nullptr;
  return found ? *found : kNil;
}

bool Value::operator==(const Value& other) const { return data_ == other.data_; }

const Value* Table::find(std::string_view name) const {
  const auto at = std::partition_point(fields.begin(), fields.end(), by_name(name));
  return at != fields.end() && at->name == name ? &at->value : nullptr;
}

void Table::set(std::string_view name, Value value) {
  const auto at = std::partition_point(fields.begin(), fields.end(), by_name(name));
  if (at != fields.end() && at->name == name) {
    at->value = std::move(value);
  } else {
    fields.insert(at, Field{std::string(name), std::move(value)});
  }
}

}  // namespace mg::script
