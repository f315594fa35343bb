#include "script/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/limits.h"

namespace mg::script {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_bytes(const fs::path& path, size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::io, "cannot read " + path.string());
  std::string bytes(bytes_max + 1, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (in.bad()) return fail(Errc::io, "cannot read " + path.string());
  bytes.resize(static_cast<size_t>(in.gcount()));
  if (bytes.size() > bytes_max)
    return fail(Errc::too_large,
                path.string() + " has more than " + std::to_string(bytes_max) + " bytes");
  return bytes;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

Result<> read_scripts(const fs::path& root, std::vector<File>& out) {
  std::error_code error;
  fs::recursive_directory_iterator at(root, error), end;
  for (; !error && at != end; at.increment(error)) {
    const fs::path relative = at->path().lexically_relative(root);
    if (at->is_directory()) {
      const bool skipped =
          is_hidden(at->path()) || relative == fs::path("agents") || relative == fs::path("meta");
      if (skipped) at.disable_recursion_pending();
    } else if (at->path().extension() == ".lua" && !is_hidden(at->path())) {
      if (out.size() == limits::script_files_max)
        return fail(Errc::too_large, root.string() + " has more than " +
                                         std::to_string(limits::script_files_max) + " scripts");
      MG_TRY(std::string bytes, read_bytes(at->path(), limits::script_source_bytes_max));
      out.push_back({relative.generic_string(), std::move(bytes)});
    }
  }
  if (error) return fail(Errc::io, root.string() + ": " + error.message());
  return {};
}

Result<> read_data(const fs::path& root, std::vector<File>& out) {
  std::error_code error;
  for (fs::directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    if (!at->is_regular_file() || is_hidden(at->path())) continue;
    if (out.size() == limits::data_files_max)
      return fail(Errc::too_large, root.string() + " has more than " +
                                       std::to_string(limits::data_files_max) + " files");
    MG_TRY(std::string bytes, read_bytes(at->path(), limits::data_file_bytes_max));
    out.push_back({at->path().filename().string(), std::move(bytes)});
  }
  if (error) return fail(Errc::io, root.string() + ": " + error.message());
  return {};
}

void sort_by_path(std::vector<File>& files) {
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
}

}  // namespace

Result<SourceTree> read_source_tree(const std::string& scripts, const std::string& data) {
  SourceTree tree;
  if (!fs::is_directory(scripts)) return fail(Errc::not_found, scripts + " is no folder");
  MG_CHECK(read_scripts(scripts, tree.scripts));
  if (!data.empty() && fs::is_directory(data)) MG_CHECK(read_data(data, tree.data));
  sort_by_path(tree.scripts);
  sort_by_path(tree.data);
  return tree;
}

}  // namespace mg::script
