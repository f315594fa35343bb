#include "script/source_tree.h"

#include <algorithm>
#include <filesystem>

#include "base/limits.h"
#include "base/regular_file.h"

namespace mg::script {
namespace {

namespace fs = std::filesystem;

enum class FileKind : uint8_t { absent, folder, file, other };

// What a path leads to, links followed. What cannot be found out is an error: it may be a part.
Result<FileKind> kind_of(const fs::path& path) {
  std::error_code error;
  switch (fs::status(path, error).type()) {
    case fs::file_type::not_found:
      return FileKind::absent;
    case fs::file_type::directory:
      return FileKind::folder;
    case fs::file_type::regular:
      return FileKind::file;
    case fs::file_type::none:
    case fs::file_type::unknown:
      return fail(Errc::io, "cannot read " + path.string() + ": " + error.message());
    default:
      return FileKind::other;
  }
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::symlink;
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

// What stands in a folder and is not hidden; hidden ones are not even looked at: an editor's lock
// is a link that leads nowhere.
Result<std::vector<fs::path>> entries_of(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (const fs::directory_iterator end; !error && at != end; at.increment(error))
    if (!is_hidden(at->path())) out.push_back(at->path());
  if (error) return fail(Errc::io, "cannot read " + folder.string() + ": " + error.message());
  return out;
}

Result<> read_script(const fs::path& root, const fs::path& path, std::vector<File>& out) {
  if (out.size() == limits::script_files_max)
    return fail(Errc::too_large, root.string() + " has more than " +
                                     std::to_string(limits::script_files_max) + " scripts");
  MG_TRY(std::string bytes, read_regular_file(path.string(), limits::script_source_bytes_max));
  out.push_back({path.lexically_relative(root).generic_string(), std::move(bytes)});
  return {};
}

Result<> read_scripts(const fs::path& root, const fs::path& folder, std::vector<File>& out) {
  MG_TRY(const std::vector<fs::path> entries, entries_of(folder));
  for (const fs::path& entry : entries) {
    MG_TRY(const FileKind kind, kind_of(entry));
    if (kind == FileKind::folder) {
      const fs::path relative = entry.lexically_relative(root);
      if (relative == fs::path("agents") || relative == fs::path("meta") || is_link(entry))
        continue;
      MG_CHECK(read_scripts(root, entry, out));
    } else if (entry.extension() == ".lua") {
      MG_CHECK(read_script(root, entry, out));
    }
  }
  return {};
}

Result<> read_data(const fs::path& root, std::vector<File>& out) {
  MG_TRY(const std::vector<fs::path> entries, entries_of(root));
  for (const fs::path& entry : entries) {
    MG_TRY(const FileKind kind, kind_of(entry));
    if (kind == FileKind::folder) continue;
    if (out.size() == limits::data_files_max)
      return fail(Errc::too_large, root.string() + " has more than " +
                                       std::to_string(limits::data_files_max) + " files");
    MG_TRY(std::string bytes, read_regular_file(entry.string(), limits::data_file_bytes_max));
    out.push_back({entry.filename().string(), std::move(bytes)});
  }
  return {};
}

void sort_by_path(std::vector<File>& files) {
  std::sort(files.begin(), files.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
}

}  // namespace

Result<SourceTree> read_source_tree(const std::string& scripts, const std::string& data) {
  SourceTree tree;
  MG_TRY(const FileKind scripts_kind, kind_of(scripts));
  if (scripts_kind != FileKind::folder) return fail(Errc::not_found, scripts + " is no folder");
  MG_CHECK(read_scripts(scripts, scripts, tree.scripts));
  if (!data.empty()) {
    MG_TRY(const FileKind data_kind, kind_of(data));
    if (data_kind == FileKind::folder) MG_CHECK(read_data(data, tree.data));
  }
  sort_by_path(tree.scripts);
  sort_by_path(tree.data);
  return tree;
}

}  // namespace mg::script
