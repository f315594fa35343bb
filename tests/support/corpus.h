// The shared corpus of recorded and hostile inputs. It lives beside the checkout, never in it:
// MOONGATE_CORPUS names it, ../shared is the default. A test that needs it begins with
//   CORPUS_OR_SKIP(root);
// and is skipped loudly without it, or fails when MOONGATE_CORPUS_REQUIRED=1.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace mg::test {

inline std::optional<std::filesystem::path> corpus() {
  const char* named = std::getenv("MOONGATE_CORPUS");
  const std::filesystem::path root =
      named ? std::filesystem::path(named)
            : std::filesystem::path(MOONGATE_SOURCE_DIR).parent_path() / "shared";
  if (std::filesystem::exists(root / "hostile")) return root;
  return std::nullopt;
}

inline bool corpus_is_required() {
  const char* required = std::getenv("MOONGATE_CORPUS_REQUIRED");
  return required && std::string(required) == "1";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Rows of a tab-separated table, each split into its fields; the first row holds their names.
inline std::vector<std::vector<std::string>> read_table(const std::filesystem::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> fields(1);
    for (char c : line) {
      if (c == '\t') {
        fields.emplace_back();
      } else {
        fields.back().push_back(c);
      }
    }
    rows.push_back(std::move(fields));
  }
  return rows;
}

}  // namespace mg::test

#define CORPUS_OR_SKIP(root)                                                                  \
  const auto root##_found = ::mg::test::corpus();                                             \
  if (!root##_found && ::mg::test::corpus_is_required()) FAIL("MOONGATE_CORPUS is required"); \
  if (!root##_found) {                                                                        \
    std::fprintf(stderr, "SKIPPED: %s:%d needs MOONGATE_CORPUS\n", __FILE__, __LINE__);       \
    return;                                                                                   \
  }                                                                                           \
  const std::filesystem::path& root = *root##_found
