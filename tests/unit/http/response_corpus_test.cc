// Every broken or hostile answer of the corpus, at the level of the parser. What the gateway makes
// of a well-formed answer (a redirect, HTML, 401) is not decided here.
#include <catch2/catch.hpp>
#include <cstdio>
#include <map>

#include "support/corpus.h"
#include "unit/http/drive.h"

using namespace mg;
using namespace mg::http;
using namespace mg::http::test;
namespace fs = std::filesystem;

namespace {

Found parse_any_way(const std::string& bytes, Method asked = Method::post) {
  const Found whole = parse_response(bytes, asked);
  for (const auto& cuts : ways_to_cut(bytes)) {
    const Found cut = parse_response(bytes, asked, cuts);
    if (cut.story != whole.story) {
      CAPTURE(cuts.size(), cuts.empty() ? 0 : cuts[0], whole.reason, cut.reason);
      CHECK(cut.story == whole.story);
      break;
    }
  }
  return whole;
}

enum class Verdict { whole, truncated, refused };

// `truncated`: a head was good and relaying may have begun; `refused`: nothing may be relayed.
const std::map<std::string, Verdict> kVerdicts = {
    {"ok", Verdict::whole},
    {"empty", Verdict::refused},
    {"http09", Verdict::refused},
    {"status-000", Verdict::refused},
    {"status-1000", Verdict::refused},
    {"status-neg", Verdict::refused},
    {"v20", Verdict::refused},
    {"cl-twice", Verdict::refused},
    {"cl-te", Verdict::refused},
    {"cl-short", Verdict::truncated},
    {"cl-huge", Verdict::refused},
    {"chunk-neg", Verdict::truncated},
    {"chunk-eof", Verdict::truncated},
    {"chunk-noend", Verdict::truncated},
    {"hdr-nul", Verdict::refused},
    {"hdr-barecr", Verdict::refused},
    {"hdr-nocolon", Verdict::refused},
    {"hdr-bomb", Verdict::refused},
    {"set-cookie", Verdict::whole},
    {"hop-by-hop", Verdict::whole},
    {"100-storm", Verdict::refused},
    {"103", Verdict::whole},
    {"204-body", Verdict::whole},
    {"304", Verdict::whole},
    {"302-self", Verdict::whole},
    {"two-responses", Verdict::whole},
    {"http10", Verdict::whole},
    {"html-200", Verdict::whole},
    {"gzip-unasked", Verdict::whole},
    {"429", Verdict::whole},
    {"503-date", Verdict::whole},
    {"401", Verdict::whole},
    {"reason-long", Verdict::refused},
};

}  // namespace

TEST_CASE("broken upstreams are told from good ones") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "upstream";
  const auto rows = mg::test::read_table(folder / "responses.tsv");
  std::map<Verdict, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string& id = rows[i][0];
    const Found found = parse_any_way(mg::test::read_file(folder / "responses" / (id + ".raw")));
    CAPTURE(id, rows[i][2], found.reason, found.heads, found.complete);
    REQUIRE(kVerdicts.count(id) == 1);
    const Verdict verdict = kVerdicts.at(id);
    CHECK(found.complete == (verdict == Verdict::whole ? 1 : 0));
    CHECK(found.heads == (verdict == Verdict::refused ? 0 : 1));
    CHECK(found.is_refused() == (verdict != Verdict::whole));
    if (found.is_refused()) CHECK(found.error_status == 502);
    ++counts[verdict];
  }
  CHECK(rows.size() == 34);
  std::printf("upstream/responses: whole=%d truncated=%d refused=%d\n", counts[Verdict::whole],
              counts[Verdict::truncated], counts[Verdict::refused]);
}

TEST_CASE("answers that are more or less than they seem") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "upstream" / "responses";
  const auto read = [&](const char* id) {
    return mg::test::read_file(folder / (std::string(id) + ".raw"));
  };
  const auto left_over = [](const std::string& bytes) {
    ResponseParser parser;
    parser.expect(Method::post);
    std::string_view rest = bytes;
    for (;;) {
      const Parsed parsed = parser.feed(rest);
      rest.remove_prefix(parsed.consumed);
      if (parsed.event == ParseEvent::complete) return rest.size();
      REQUIRE(parsed.event != ParseEvent::error);
      REQUIRE(parsed.event != ParseEvent::need_more);
    }
  };
  CHECK(left_over(read("ok")) == 0);
  CHECK(left_over(read("two-responses")) > 100);
  CHECK(left_over(read("204-body")) > 100);
  CHECK(parse_response(read("http10")).closes);
  CHECK(!parse_response(read("ok")).closes);
  CHECK(parse_response(read("103")).story.find("Link") == std::string::npos);
  CHECK(parse_response(read("304")).story.find("304 1.1 keep body 0:0") == 0);
}

TEST_CASE("llhttp's own answers: what it refuses is refused") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "http1" / "llhttp";
  const auto rows = mg::test::read_table(folder / "manifest.tsv");
  std::map<std::string, int> counts;
  for (size_t i = 1; i < rows.size(); ++i) {
    const auto& row = rows[i];
    if (row[0] != "responses") continue;
    const std::string bytes = mg::test::read_file(folder / "responses" / (row[1] + ".raw"));
    const Found found = parse_any_way(bytes);
    CAPTURE(row[1], row[3], row[4], found.complete, found.reason);
    const bool is_after_close = row[4].find("5:") == 0;
    const bool is_pause = row[4].find("22:") == 0;
    if (row[3] == "error" && !is_after_close && !is_pause) CHECK(found.is_refused());
    if (is_after_close) CHECK((found.is_refused() || found.closes));
    ++counts[row[3] + (found.is_refused() ? " refused" : " parsed")];
  }
  for (const auto& [name, count] : counts)
    std::printf("llhttp responses: %s=%d\n", name.c_str(), count);
  CHECK(counts["error refused"] >= 20);
}
