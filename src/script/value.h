// What a script returned, as data of our own: a configuration, a provider's table, the conf of a
// policy. Read once from Lua (raw, bounded, without calling any script code) and then independent
// of the state it came from. Immutable once shared; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mg::script {

class Value;
struct Field;

// A Lua table: the keys 1..n as a list, the string keys sorted by name. A table with any other
// key (a hole, a fraction, a boolean) is refused when it is read.
struct Table {
  std::vector<Value> list;
  std::vector<Field> fields;

  // Null when there is no such key.
  const Value* find(std::string_view name) const;
  // Adds the key or replaces its value.
  void set(std::string_view name, Value value);
  bool empty() const { return list.empty() && fields.empty(); }
};

class Value {
 public:
  enum class Type : uint8_t { nil, boolean, number, text, table };

  Value();
  Value(bool truth);
  Value(double number);
  Value(int64_t number) : Value(static_cast<double>(number)) {}
  Value(int number) : Value(static_cast<double>(number)) {}
  Value(std::string text);
  Value(const char* text) : Value(std::string(text)) {}
  Value(Table table);
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  Type type() const { return static_cast<Type>(data_.index()); }
  // "nil", "boolean", "number", "string", "table", as Lua says it.
  std::string_view type_name() const;
  bool is_nil() const { return type() == Type::nil; }

  // Each is null or empty when the value is of another type.
  const bool* boolean() const { return std::get_if<bool>(&data_); }
  const double* number() const { return std::get_if<double>(&data_); }
  const std::string* text() const { return std::get_if<std::string>(&data_); }
  const Table* table() const { return std::get_if<Table>(&data_); }
  Table* table() { return std::get_if<Table>(&data_); }
  // A number without fraction that a double holds exactly (up to 2^53 either way).
  std::optional<int64_t> integer() const;

  // The value of a string key; nil for an absent key, and for anything but a table.
  const Value& operator[](std::string_view name) const;

  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, double, std::string, Table> data_;
};

struct Field {
  std::string name;
  Value value;
  bool operator==(const Field&) const = default;
};

inline bool operator==(const Table& a, const Table& b) {
  return a.list == b.list && a.fields == b.fields;
}

}  // namespace mg::script
