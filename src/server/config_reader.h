// Reads typed fields out of a table that a script returned, and gathers what is wrong with it: keys
// nobody knows, values of another type. Used by the configuration.
#pragma once

#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "script/value.h"

namespace mg::server {

class ConfigReader {
 public:
  // `path` names the table in messages: "listen[1].tls".
  ConfigReader(const script::Value& table, std::string path, std::vector<std::string>& problems);
  // Names every key that was not asked for.
  ~ConfigReader();
  ConfigReader(const ConfigReader&) = delete;

  bool has(const char* key);
  std::string text(const char* key, std::string otherwise = {});
  std::string required_text(const char* key);
  int64_t integer(const char* key, int64_t otherwise, int64_t least, int64_t most);
  bool truth(const char* key, bool otherwise);
  std::vector<std::string> texts(const char* key);
  // Calls `read` for the table under the key, if there is one.
  void table(const char* key, const std::function<void(ConfigReader&)>& read);
  // ... for each table of the list under the key.
  void tables(const char* key, const std::function<void(ConfigReader&)>& read);
  // Visits the string keys of the table under the key, whatever they are.
  void map(const char* key,
           const std::function<void(const std::string& name, const script::Value&)>& visit);

  void problem(const char* key, const std::string& what);

 private:
  const script::Value& find(const char* key);
  std::string path_of(const char* key) const;

  const script::Value& table_;
  const std::string path_;
  std::vector<std::string>& problems_;
  std::set<std::string> known_;
};

}  // namespace mg::server
