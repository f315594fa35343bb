#include "script/conf.h"

#include <algorithm>

#include "base/address.h"
#include "base/money.h"

namespace mg::script {
namespace {

using Problems = std::vector<std::string>;

constexpr std::string_view kTypes[] = {"integer", "number", "string", "boolean", "money",
                                       "network", "list",   "map",    "any"};
constexpr std::string_view kKeys[] = {"min", "max", "default", "optional", "one_of", "of"};

template <size_t N>
bool contains(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string_view type_of(const Value& declared) {
  const Table* table = declared.table();
  if (!table || table->list.size() != 1 || !table->list[0].text()) return {};
  return *table->list[0].text();
}

void check_field(const std::string& name, const Value& declared, Problems& problems) {
  const std::string_view type = type_of(declared);
  if (!contains(kTypes, type)) {
    problems.push_back("conf declares '" + name + "' without a type it could have");
    return;
  }
  for (const Field& field : declared.table()->fields)
    if (!contains(kKeys, field.name))
      problems.push_back("conf declares '" + name + "' with an unknown '" + field.name + "'");
  if (!declared["of"].is_nil()) check_field(name + "[]", declared["of"], problems);
}

// One conf field against its declaration.
class Check {
 public:
  Check(const std::string& name, const Value& declared, Problems& problems)
      : name_(name), declared_(declared), problems_(problems) {}

  void value(const Value& given) {
    const std::string_view type = type_of(declared_);
    if (type == "integer") {
      given.integer() ? range(*given.number()) : wrong(given, "an integer");
    } else if (type == "number") {
      given.number() ? range(*given.number()) : wrong(given, "a number");
    } else if (type == "string") {
      given.text() ? choice(given) : wrong(given, "a string");
    } else if (type == "boolean") {
      if (!given.boolean()) wrong(given, "true or false");
    } else if (type == "money") {
      if (!given.text() || !parse_money(*given.text()))
        wrong(given, "an amount of USD as text, such as \"5.00\"");
    } else if (type == "network") {
      if (!given.text() || !IpNetwork::parse(*given.text()))
        wrong(given, "an IP address or network, such as \"10.0.0.0/8\"");
    } else if (type == "list") {
      list(given);
    } else if (type == "map") {
      map(given);
    }
  }

 private:
  void wrong(const Value& given, std::string_view wanted) {
    std::string found(given.type_name());
    if (given.number() || (given.text() && given.text()->size() <= 40))
      found = given.text() ? "\"" + *given.text() + "\"" : number_text(*given.number());
    problems_.push_back("conf." + name_ + " must be " + std::string(wanted) + ", not " + found);
  }

  void range(double number) {
    const Value& least = declared_["min"];
    const Value& most = declared_["max"];
    if (least.number() && number < *least.number())
      problems_.push_back("conf." + name_ + " must be at least " + number_text(*least.number()));
    if (most.number() && number > *most.number())
      problems_.push_back("conf." + name_ + " must be at most " + number_text(*most.number()));
  }

  void choice(const Value& given) {
    const Table* choices = declared_["one_of"].table();
    if (!choices) return;
    if (std::find(choices->list.begin(), choices->list.end(), given) != choices->list.end()) return;
    std::string known;
    for (const Value& one : choices->list)
      known += (known.empty() ? "" : ", ") + (one.text() ? *one.text() : "?");
    problems_.push_back("conf." + name_ + " must be one of: " + known);
  }

  void list(const Value& given) {
    const Table* table = given.table();
    if (!table || !table->fields.empty()) return wrong(given, "a list");
    if (declared_["of"].is_nil()) return;
    for (size_t i = 0; i < table->list.size(); ++i) {
      const std::string name = name_ + "[" + std::to_string(i + 1) + "]";
      Check(name, declared_["of"], problems_).value(table->list[i]);
    }
  }

  void map(const Value& given) {
    const Table* table = given.table();
    if (!table || !table->list.empty()) return wrong(given, "a table with names as keys");
    if (declared_["of"].is_nil()) return;
    for (const Field& field : table->fields) {
      const std::string name = name_ + "." + field.name;
      Check(name, declared_["of"], problems_).value(field.value);
    }
  }

  static std::string number_text(double number) {
    const Value value(number);
    if (const auto integer = value.integer()) return std::to_string(*integer);
    return std::to_string(number);
  }

  const std::string& name_;
  const Value& declared_;
  Problems& problems_;
};

}  // namespace

void check_declaration(const Value& declared, Problems& problems) {
  if (declared.is_nil()) return;
  const Table* table = declared.table();
  if (!table || !table->list.empty()) {
    problems.push_back("conf must declare its fields by name");
    return;
  }
  for (const Field& field : table->fields) {
    const size_t before = problems.size();
    check_field(field.name, field.value, problems);
    if (problems.size() > before) continue;
    const Value& standard = field.value["default"];
    if (!standard.is_nil()) Check(field.name, field.value, problems).value(standard);
  }
}

Value check_conf(const Value& declared, const Value& given, Problems& problems) {
  static const Table kEmpty;
  if (!given.is_nil() && !given.table()) {
    problems.push_back("conf must be a table, not a " + std::string(given.type_name()));
    return {};
  }
  const Table& conf = given.table() ? *given.table() : kEmpty;
  if (declared.is_nil()) return Value(conf);
  if (!conf.list.empty()) problems.push_back("conf takes names, not a list");
  Table checked = conf;
  for (const Field& field : conf.fields)
    if (!declared.table()->find(field.name))
      problems.push_back("conf has an unknown key '" + field.name + "'");
  for (const Field& field : declared.table()->fields) {
    if (const Value* value = conf.find(field.name)) {
      Check(field.name, field.value, problems).value(*value);
    } else if (const Value& standard = field.value["default"]; !standard.is_nil()) {
      checked.set(field.name, standard);
    } else if (!field.value["optional"].boolean() || !*field.value["optional"].boolean()) {
      problems.push_back("conf." + field.name + " is required");
    }
  }
  return Value(std::move(checked));
}

}  // namespace mg::script
