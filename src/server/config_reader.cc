#include "server/config_reader.h"

namespace mg::server {

ConfigReader::ConfigReader(const script::Value& table, std::string path,
                           std::vector<std::string>& problems)
    : table_(table), path_(std::move(path)), problems_(problems) {}

ConfigReader::~ConfigReader() {
  const script::Table* table = table_.table();
  if (!table) return;
  if (!table->list.empty()) problem("", "has entries without a name");
  for (const script::Field& field : table->fields)
    if (!known_.contains(field.name)) problem(field.name.c_str(), "is not a known key");
}

std::string ConfigReader::path_of(const char* key) const {
  if (path_.empty()) return *key ? key : "the table";
  return *key ? path_ + "." + key : path_;
}

void ConfigReader::problem(const char* key, const std::string& what) {
  problems_.push_back(path_of(key) + " " + what);
}

const script::Value& ConfigReader::find(const char* key) {
  known_.insert(key);
  return table_[key];
}

bool ConfigReader::has(const char* key) { return !find(key).is_nil(); }

std::string ConfigReader::text(const char* key, std::string otherwise) {
  const script::Value& value = find(key);
  if (value.is_nil()) return otherwise;
  if (value.text()) return *value.text();
  problem(key, "must be a string, not a " + std::string(value.type_name()));
  return otherwise;
}

std::string ConfigReader::required_text(const char* key) {
  const size_t before = problems_.size();
  std::string value = text(key);
  if (value.empty() && problems_.size() == before) problem(key, "is required");
  return value;
}

int64_t ConfigReader::integer(const char* key, int64_t otherwise, int64_t least, int64_t most) {
  const script::Value& value = find(key);
  if (value.is_nil()) return otherwise;
  const auto number = value.integer();
  if (number && *number >= least && *number <= most) return *number;
  problem(key,
          "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return otherwise;
}

bool ConfigReader::truth(const char* key, bool otherwise) {
  const script::Value& value = find(key);
  if (value.is_nil()) return otherwise;
  if (value.boolean()) return *value.boolean();
  problem(key, "must be true or false");
  return otherwise;
}

std::vector<std::string> ConfigReader::texts(const char* key) {
  const script::Value& value = find(key);
  std::vector<std::string> out;
  if (value.is_nil()) return out;
  const script::Table* table = value.table();
  bool is_list = table && table->fields.empty();
  for (size_t i = 0; is_list && i < table->list.size(); ++i) {
    if (table->list[i].text()) {
      out.push_back(*table->list[i].text());
    } else {
      is_list = false;
    }
  }
  if (!is_list) problem(key, "must be a list of strings");
  return out;
}

void ConfigReader::table(const char* key, const std::function<void(ConfigReader&)>& read) {
  const script::Value& value = find(key);
  if (value.is_nil()) return;
  if (!value.table()) {
    problem(key, "must be a table, not a " + std::string(value.type_name()));
    return;
  }
  ConfigReader nested(value, path_of(key), problems_);
  read(nested);
}

void ConfigReader::tables(const char* key, const std::function<void(ConfigReader&)>& read) {
  const script::Value& value = find(key);
  if (value.is_nil()) return;
  const script::Table* table = value.table();
  if (!table || !table->fields.empty()) {
    problem(key, "must be a list of tables");
    return;
  }
  for (size_t i = 0; i < table->list.size(); ++i) {
    const std::string path = path_of(key) + "[" + std::to_string(i + 1) + "]";
    if (!table->list[i].table()) {
      problems_.push_back(path + " must be a table");
      continue;
    }
    ConfigReader nested(table->list[i], path, problems_);
    read(nested);
  }
}

void ConfigReader::map(
    const char* key,
    const std::function<void(const std::string& name, const script::Value&)>& visit) {
  const script::Value& value = find(key);
  if (value.is_nil()) return;
  const script::Table* table = value.table();
  if (!table || !table->list.empty()) {
    problem(key, "must be a table with names");
    return;
  }
  for (const script::Field& field : table->fields) visit(field.name, field.value);
}

}  // namespace mg::server
