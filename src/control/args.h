// The arguments of a command, read by name and checked. Whoever sends them (command line, control
// socket, one day an HTTP API) sends JSON; what is wrong is said in the words of the command line.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/json_value.h"
#include "base/money.h"
#include "base/result.h"

namespace mg::control {

class Args {
 public:
  explicit Args(const Json& json) : json_(json) {}

  // Each notes the first thing that is wrong; ask ok() once, at the end.
  std::string text(const char* name);  // required, not empty
  std::string text_or(const char* name, std::string otherwise);
  std::optional<std::string> optional_text(const char* name);
  std::vector<std::string> texts(const char* name);  // absent: none
  // What people call something (base/label.h): required, or empty where absent; never empty where
  // it is given, so that nobody believes to have set what he has not.
  std::string label(const char* name, size_t bytes_max);
  std::string label_or_none(const char* name, size_t bytes_max);
  std::vector<std::string> labels(const char* name, size_t bytes_max, size_t count_max);
  int64_t limit(const char* name, int64_t most);  // absent: 0, which is none; else 1 or more
  int64_t count_or(const char* name, int64_t otherwise);  // 0 or more
  bool truth(const char* name);                           // absent: false
  Money money(const char* name);                          // required, more than 0
  std::optional<Money> optional_money(const char* name);  // 0 or more
  Id tenant(const char* name);
  Id key(const char* name);
  Id request(const char* name);
  // "24h" from now on, or an RFC 3339 time; 0 where absent.
  int64_t time_ms(const char* name, int64_t now_ms);
  // The same for an end, which may be over: 0 is none, and the beginning of 1970 is not that.
  int64_t end_ms(const char* name, int64_t now_ms);
  // "24h" back from now, or an RFC 3339 time; `otherwise` where absent.
  int64_t since_ms(const char* name, int64_t now_ms, int64_t otherwise);

  // Errors: invalid, also for an argument nobody asked for.
  Result<> ok();

 private:
  const Json* find(const char* name);
  void wrong(const char* name, std::string_view must_be);

  const Json& json_;
  std::set<std::string> asked_;
  std::string problem_;
};

}  // namespace mg::control
