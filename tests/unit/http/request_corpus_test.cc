// Every hostile and well-formed request of the corpus, at the level of the parser: what must be
// refused is, what must be parsed is, and how the bytes arrive makes no difference.
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "support/corpus.h"
#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;
namespace fs = std::filesystem;

namespace {

Found parse_any_way(const std::string& bytes) {
  const Found whole = parse_requests(bytes);
  for (const auto& cuts : ways_to_cut(bytes)) {
    const Found cut = parse_requests(bytes, cuts);
    if (cut.story != whole.story) {
      CAPTURE(cuts.size(), cuts.empty() ? 0 : cuts[0], whole.reason, cut.reason);
      CHECK(cut.story == whole.story);
      break;
    }
  }
  return whole;
}

bool fits_class(const std::string& wanted, const Found& found) {
  const bool is_4xx = found.error_status >= 400 && found.error_status < 500;
  if (wanted == "R") return found.is_refused() && found.complete == 0;
  if (wanted == "R4") return (is_4xx && found.complete == 0) || found.complete == 1;
  if (wanted == "RW") return found.complete == 0 && (found.is_refused() || found.waits());
  if (wanted == "W") return found.complete == 0 && found.waits();
  if (wanted == "A" || wanted == "A1" || wanted == "E1")
    return found.complete == 1 && !found.is_refused();
  if (wanted == "A1R") return found.complete == 1 && found.is_refused();
  if (wanted == "A2") return found.complete == 2 && !found.is_refused();
  if (wanted == "E3") return found.complete == 3 && !found.is_refused();
  if (wanted == "E" || wanted == "E100") return found.is_refused() != (found.complete == 1);
  return false;
}

// "400/501/close", "2xx + echo": does the text name this status?
bool names_status(const std::string& text, int status) {
  const std::string exact = std::to_string(status);
  return text.find(exact) != std::string::npos ||
         text.find(exact.substr(0, 1) + "xx") != std::string::npos;
}

// What a line of the smuggler's list really is, by the plainest reading of RFC 9112.
enum class Disguise { disguised, none, elsewhere };
Disguise look_through(const std::string& line) {
  size_t exact = 0, others = 0;
  for (size_t from = 0; from <= line.size();) {
    const size_t end = std::min(line.find("\r\n", from), line.size());
    const std::string one = to_lower(line.substr(from, end - from));
    const bool is_exact = one == "transfer-encoding: chunked" || one == "transfer-encoding:chunked";
    const bool is_plain = one == "x: x" || one == "content-encoding: chunked" ||
                          one == "x: x\ttransfer-encoding: chunked" ||
                          one == "x: x transfer-encoding: chunked";
    if (!is_exact && !is_plain) return Disguise::disguised;
    (is_exact ? exact : others) += 1;
    from = end + 2;
  }
  return exact == 1 ? Disguise::none : Disguise::elsewhere;
}

void print_counts(const char* what, const std::map<std::string, int>& counts) {
  std::string line;
  for (const auto& [name, count] : counts) line += " " + name + "=" + std::to_string(count);
  std::printf("%s:%s\n", what, line.c_str());
}

}  // namespace

TEST_CASE("requests of our own making fall into their classes") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "http1";
  const auto rows = mg::test::read_table(folder / "requests-own.tsv");
  std::map<std::string, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& id = rows[i][0];
    const std::string& wanted = rows[i][1];
    const Found found = parse_any_way(mg::test::read_file(folder / "requests" / (id + ".raw")));
    CAPTURE(id, wanted, rows[i][3], found.complete, found.error_status, found.reason);
    CHECK(fits_class(wanted, found));
    ++counts[wanted];
  }
  CHECK(rows.size() == 83);
  print_counts("requests-own", counts);
}

TEST_CASE("requests of Http11Probe get a verdict it accepts") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "http1";
  const auto rows = mg::test::read_table(folder / "requests-http11probe.tsv");
  std::map<std::string, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto& row = rows[i];
    const std::string& pass = row[2];
    const std::string& warn = row[3];
    const Found found = parse_any_way(mg::test::read_file(folder / "requests" / (row[0] + ".raw")));
    CAPTURE(row[0], pass, warn, row[7], found.complete, found.error_status, found.reason);
    const bool rejecting_passes = pass.find("Reject") == 0;
    if (found.is_refused()) {
      // 413 and a close say what "400/close" asks for, more exactly.
      const bool passes = rejecting_passes || names_status(pass, found.error_status) ||
                          pass.find("rejected") != std::string::npos ||
                          (found.error_status == 413 && names_status(pass, 400));
      CHECK((passes || names_status(warn, found.error_status)));
      ++counts[passes ? "refused" : "refused(warn)"];
      if (!passes) std::printf("  warn: %s refused %d\n", row[0].c_str(), found.error_status);
    } else if (found.complete == 1) {
      // What the server then answers is not the parser's to say.
      const bool passes = names_status(pass, 200) || pass.find("405 + Allow") == 0 ||
                          pass.find("Date") != std::string::npos || pass.find("IMF") == 0 ||
                          pass.find("non-1xx") == 0 || pass.find("204") == 0 || pass.empty();
      CHECK((passes || names_status(warn, 200)));
      ++counts[passes ? "parsed" : "parsed(warn)"];
      if (!passes) std::printf("  warn: %s parsed\n", row[0].c_str());
    } else {
      CHECK(found.complete == 0);
      CHECK(pass.find("timeout") != std::string::npos);
      ++counts["waits"];
    }
  }
  CHECK(rows.size() == 184);
  print_counts("requests-http11probe", counts);
}

TEST_CASE("no sequence of requests is read in two ways") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "http1";
  const auto rows = mg::test::read_table(folder / "sequences-http11probe.tsv");
  std::map<std::string, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& expected = rows[i][3];
    std::string all;
    std::vector<size_t> steps;
    for (std::string_view file : split(rows[i][2], ' ')) {
      if (!all.empty()) steps.push_back(all.size());
      all += mg::test::read_file(folder / "sequences" / std::string(file));
    }
    const Found found = parse_any_way(all);
    CAPTURE(rows[i][0], expected, found.complete, found.error_status, found.reason);
    CHECK(parse_requests(all, steps).story == found.story);
    if (expected.find("400") == 0 || expected.find("417") == 0) {
      const bool refused = found.is_refused();
      if (expected.find("preferred") == std::string::npos &&
          expected.find("pass-through") == std::string::npos) {
        CHECK(refused);
        CHECK(found.complete == 0);
      } else {
        CHECK((refused || found.complete == int(steps.size()) + 1));
      }
      ++counts[refused ? "refused" : "kept apart"];
    } else {
      CHECK(found.complete == int(steps.size()) + 1);
      CHECK(!found.is_refused());
      ++counts["parsed"];
    }
  }
  CHECK(rows.size() == 27);
  print_counts("sequences", counts);
}

TEST_CASE("what llhttp's own tests refuse is refused") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "http1" / "llhttp";
  const auto rows = mg::test::read_table(folder / "manifest.tsv");
  std::map<std::string, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto& row = rows[i];
    if (row[0] != "requests") continue;
    std::string bytes = mg::test::read_file(folder / "requests" / (row[1] + ".raw"));
    // Most of them lack a Host, which alone would be a reason: given one, they must still fall.
    const size_t line_end = bytes.find("\r\n");
    std::string with_host = bytes;
    if (line_end != std::string::npos && to_lower(bytes).find("\r\nhost:") == std::string::npos)
      with_host.insert(line_end + 2, "Host: a\r\n");
    const bool is_pause = row[4].find("22:") == 0 || row[4].find("23:") == 0;
    const bool is_after_close = row[4].find("5:") == 0;
    for (const bool is_given_host : {false, true}) {
      const Found found = parse_any_way(is_given_host ? with_host : bytes);
      CAPTURE(row[1], row[3], row[4], found.complete, found.error_status, found.reason);
      if (row[3] == "error" && is_after_close) {
        CHECK((found.is_refused() || (found.closes && found.complete == 1)));
      } else if (row[3] == "error" && !is_pause) {
        CHECK(found.is_refused());
      } else if (!found.is_refused() && !found.closes && !is_pause) {
        CHECK(found.complete == std::stoi(row[5]));
      }
      if (!is_given_host) continue;
      ++counts[row[3] + (found.is_refused() ? " refused" : " parsed")];
    }
  }
  print_counts("llhttp requests", counts);
}

TEST_CASE("a disguised Transfer-Encoding is refused") {
  CORPUS_OR_SKIP(corpus);
  const auto gadgets = nlohmann::json::parse(
      mg::test::read_file(corpus / "hostile" / "http1" / "smuggler_te_gadgets.json"));
  int tried = 0, refused = 0, exact = 0, elsewhere = 0;
  for (const auto& set : gadgets["gadgets"]) {
    for (const auto& [name, hex] : set.items()) {
      const std::string line = *from_hex(hex.get<std::string>());
      const std::string start = "POST / HTTP/1.1\r\nHost: a\r\n";
      const std::string chunked = "3\r\nabc\r\n0\r\n\r\n";
      CAPTURE(name, line);
      ++tried;
      const Disguise disguise = look_through(line);
      // With a length beside it there is no good reading, unless it is part of another field.
      for (const char* length : {"Content-Length: 30\r\n", "Content-Length: 3\r\n"}) {
        for (const std::string& fields : {length + line + "\r\n", line + "\r\n" + length}) {
          const Found found = parse_any_way(start + fields + "\r\n" + chunked);
          CHECK(found.is_refused() == (disguise != Disguise::elsewhere || found.complete == 1));
        }
      }
      const Found alone = parse_requests(start + line + "\r\n\r\n" + chunked);
      if (disguise == Disguise::none) {
        CHECK(alone.last_body == "abc");
        ++exact;
      } else if (disguise == Disguise::elsewhere) {
        CHECK(alone.story.find("body 0:0") != std::string::npos);
        ++elsewhere;
      } else {
        CHECK(alone.is_refused());
        CHECK(alone.complete == 0);
        ++refused;
      }
    }
  }
  CHECK(tried == 1768);
  std::printf("smuggler: refused=%d exact=%d in another field=%d\n", refused, exact, elsewhere);
}

TEST_CASE("seeds of other people's fuzzers break nothing") {
  CORPUS_OR_SKIP(corpus);
  const fs::path archive = corpus / "hostile" / "http1" / "fuzz" / "h2o-http1-corpus.tar.xz";
  const fs::path folder = fs::temp_directory_path() / ("mg-seeds-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const std::string unpack = "tar -C '" + folder.string() + "' -xJf '" + archive.string() + "'";
  REQUIRE(std::system(unpack.c_str()) == 0);
  int seeds = 0, refused = 0, messages = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const Found found = parse_any_way(mg::test::read_file(entry.path()));
    ++seeds;
    refused += found.is_refused();
    messages += found.complete;
  }
  fs::remove_all(folder);
  CHECK(seeds > 1900);
  std::printf("h2o seeds: %d, refused %d, messages %d\n", seeds, refused, messages);
}
