#include "http/sse.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "support/corpus.h"

using namespace mg;
using namespace mg::http;
namespace fs = std::filesystem;

namespace {

struct Event {
  std::string type, data, id;
  bool has_data = false;
  int64_t retry_ms = -1;
  bool operator==(const Event&) const = default;
};

struct Read {
  std::vector<Event> events;
  std::vector<std::string> raws;
  std::string rest;
  bool too_large = false;

  // What a reader of events sees: those with data, and nothing of how they were written.
  std::vector<Event> dispatched() const {
    std::vector<Event> out;
    for (const Event& event : events)
      if (event.has_data) out.push_back(event);
    return out;
  }
  std::string all_bytes() const {
    std::string all;
    for (const std::string& raw : raws) all += raw;
    return all + rest;
  }
};

Read read_stream(const std::string& bytes, const std::vector<size_t>& cuts = {},
                 size_t event_bytes_max = limits::sse_event_bytes_max) {
  SseReader reader(event_bytes_max);
  Read read;
  size_t from = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t to = i < cuts.size() ? cuts[i] : bytes.size();
    const std::string piece = bytes.substr(from, to - from);  // its own heap block
    from = to;
    std::string_view left = piece;
    SseEvent event;
    SseStep step;
    while ((step = reader.next(left, event)) == SseStep::event) {
      read.events.push_back({std::string(event.type), std::string(event.data),
                             std::string(event.id.value_or("")), event.has_data,
                             event.retry_ms.value_or(-1)});
      read.raws.emplace_back(event.raw);
    }
    if (step == SseStep::too_large) {
      read.too_large = true;
      return read;
    }
    if (!left.empty()) std::abort();
  }
  read.rest = reader.rest();
  return read;
}

// The rules of the specification, read one character at a time: slow, and written down otherwise
// than the reader, so that both being wrong in one way is unlikely.
std::vector<Event> by_the_book(std::string text) {
  if (text.rfind("\xef\xbb\xbf", 0) == 0) text.erase(0, 3);
  std::vector<std::string> lines(1);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_break = text[i] == '\r' || text[i] == '\n';
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    if (is_break) {
      lines.emplace_back();
    } else {
      lines.back().push_back(text[i]);
    }
  }
  lines.pop_back();  // what no line break ended
  std::vector<Event> events;
  Event event;
  for (const std::string& line : lines) {
    if (line.empty()) {
      if (event.has_data) event.data.pop_back();
      if (event.has_data) events.push_back(event);
      event = Event();
      continue;
    }
    const size_t colon = line.find(':');
    const std::string name = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.erase(0, 1);
    if (name == "data") {
      event.has_data = true;
      event.data += value + "\n";
    }
    if (name == "event") event.type = value;
    if (name == "id" && value.find('\0') == std::string::npos) event.id = value;
    if (name == "retry" && !value.empty() && value.size() < 18 &&
        value.find_first_not_of("0123456789") == std::string::npos)
      event.retry_ms = std::stoll(value);
  }
  return events;
}

bool reads_alike(const std::string& bytes, const std::vector<size_t>& cuts,
                 const std::vector<Event>& expected) {
  const Read cut = read_stream(bytes, cuts);
  return cut.dispatched() == expected && cut.all_bytes() == bytes;
}

// Checks every way of arriving against the book; returns how many were tried. A cut is tried in
// the event it falls into and the next, because a reader at the end of an event is as good as new.
size_t check_any_way(const std::string& bytes) {
  const Read whole = read_stream(bytes);
  const std::vector<Event> expected = by_the_book(bytes);
  REQUIRE(whole.dispatched() == expected);
  REQUIRE(whole.all_bytes() == bytes);
  size_t tried = 1;
  for (size_t step : {1, 2, 3, 5, 17, 100, 4096}) {
    std::vector<size_t> cuts;
    for (size_t at = step; at < bytes.size(); at += step) cuts.push_back(at);
    REQUIRE(reads_alike(bytes, cuts, expected));
    ++tried;
  }
  std::vector<std::string> parts = whole.raws;
  parts.push_back(whole.rest);
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string window = parts[i] + (i + 1 < parts.size() ? parts[i + 1] : "");
    const std::vector<Event> expected_here = by_the_book(window);
    const size_t stride = parts[i].size() > 10'000 ? parts[i].size() / 500 : 1;
    for (size_t at = 1; at <= parts[i].size() && at < window.size(); ++at) {
      const bool is_near_end = at + 8 > parts[i].size() || at < 16;
      if (at % stride != 0 && !is_near_end) continue;
      if (!reads_alike(window, {at}, expected_here)) FAIL("differs when cut at " << at);
      ++tried;
    }
  }
  return tried;
}

}  // namespace

TEST_CASE("an event that lies within what was fed is not copied") {
  const std::string bytes = "event: a\ndata: one\nid: 7\nretry: 10\n\ndata:two\n\nda";
  SseReader reader;
  std::string_view left = bytes;
  SseEvent event;
  REQUIRE(reader.next(left, event) == SseStep::event);
  CHECK(event.type == "a");
  CHECK(event.data == "one");
  CHECK(event.id == "7");
  CHECK(event.retry_ms == 10);
  CHECK(event.raw.data() == bytes.data());
  CHECK(event.data.data() == bytes.data() + 15);
  REQUIRE(reader.next(left, event) == SseStep::event);
  CHECK(event.type.empty());
  CHECK(!event.id);
  CHECK(event.data == "two");
  REQUIRE(reader.next(left, event) == SseStep::need_more);
  CHECK(left.empty());
  CHECK(reader.rest() == "da");
}

TEST_CASE("the rules of the specification hold, however the bytes arrive") {
  for (const std::string& text : {std::string("data: a\n\n"),
                                  std::string("data:a\r\n\r\ndata: b\r\n\r\n"),
                                  std::string("data: a\r\rdata: b\r\r"),
                                  std::string("\xef\xbb\xbf"
                                              "data: a\n\n"),
                                  std::string("\xef\xbb"
                                              "data: a\n\ndata: b\n\n"),
                                  std::string("\xef\xbb\xbf\n\ndata: a\n\n"),
                                  std::string(": ping\n\ndata: a\n\n"),
                                  std::string("data\n\n"),
                                  std::string("data:\n\n"),
                                  std::string("data: a\ndata: b\ndata:\n\n"),
                                  std::string("data:\ndata: b\n\n"),
                                  std::string("event: x\n\ndata: a\n\n"),
                                  std::string("data:  two blanks\n\n"),
                                  std::string("DATA: a\n\n data: b\n\n"),
                                  std::string("id: a\0b\ndata: x\n\n", 16),
                                  std::string("retry: 12x\nretry:\nretry: -1\ndata: x\n\n"),
                                  std::string("\n\n\n\r\r\r\n"),
                                  std::string("data: a\r\n\ndata: b\n\r\n\r\r\n"),
                                  std::string("data: a"),
                                  std::string("unknown: 1\ndata: a\nevent: a\nevent: b\n\n"),
                                  std::string("\r\n\r\n"),
                                  std::string("retry: 99999999999999999999\ndata: x\n\n"),
                                  std::string(":\n:x\n\n")}) {
    CAPTURE(text);
    check_any_way(text);
  }
}

TEST_CASE("comments pass as raw bytes without data") {
  const Read read = read_stream(": ping\n\ndata: x\n\n");
  REQUIRE(read.events.size() == 2);
  CHECK(!read.events[0].has_data);
  CHECK(read.raws[0] == ": ping\n\n");
}

TEST_CASE("an event is given at its blank line, not a byte later") {
  SseReader reader;
  std::string_view left = "data: a\r\n\r";
  SseEvent event;
  REQUIRE(reader.next(left, event) == SseStep::event);
  CHECK(event.raw == "data: a\r\n\r");
  left = "\ndata: b\r\n\r\n";
  REQUIRE(reader.next(left, event) == SseStep::event);
  CHECK(event.raw == "\ndata: b\r\n\r\n");
  CHECK(event.data == "b");
}

TEST_CASE("the bound on an event holds at its edge and not beyond") {
  const size_t max = 1000;
  const auto of_size = [](size_t size) { return "data:" + std::string(size - 7, 'x') + "\n\n"; };
  for (const std::vector<size_t>& cuts : {std::vector<size_t>{}, {1}, {500}, {999}}) {
    CHECK(!read_stream(of_size(max), cuts, max).too_large);
    CHECK(read_stream(of_size(max), cuts, max).events.size() == 1);
    CHECK(read_stream(of_size(max + 1), cuts, max).too_large);
    CHECK(!read_stream(of_size(max) + of_size(max), cuts, max).too_large);
  }
  const std::string endless(max + 1, 'x');
  CHECK(!read_stream(endless.substr(1), {500}, max).too_large);
  CHECK(read_stream(endless, {500}, max).too_large);
  // The same at the bound that streams really have.
  const size_t real = limits::sse_event_bytes_max;
  CHECK(read_stream(of_size(real), {real / 2}).events.size() == 1);
  CHECK(read_stream(of_size(real + 1), {real / 2}).too_large);
}

TEST_CASE("time is linear in the bytes, however lines end") {
  // Quadratic searching would take minutes here.
  const size_t lines = 4'000'000;
  std::string text;
  for (size_t i = 0; i < lines; ++i) text += "x\r";
  text += "\rdata: y\n\n";
  const Read read = read_stream(text);
  REQUIRE(read.events.size() == 2);
  CHECK(read.events[1].data == "y");
  std::string events;
  for (size_t i = 0; i < 200'000; ++i) events += "data\r\r";
  CHECK(read_stream(events).events.size() == 200'000);
}

TEST_CASE("every recorded and hostile stream reads the same at every split point") {
  CORPUS_OR_SKIP(corpus);
  size_t files = 0, events = 0, cuts = 0;
  for (const char* folder : {"fixtures", "hostile/upstream/sse"}) {
    for (const auto& entry : fs::recursive_directory_iterator(corpus / folder)) {
      if (entry.path().extension() != ".sse") continue;
      const std::string bytes = mg::test::read_file(entry.path());
      CAPTURE(entry.path().string());
      cuts += check_any_way(bytes);
      events += read_stream(bytes).dispatched().size();
      ++files;
    }
  }
  CHECK(files == 106);
  CHECK(events > 1000);
  std::printf("sse: files=%zu events=%zu ways of arriving=%zu\n", files, events, cuts);
}

TEST_CASE("hostile streams say what their table says they say") {
  CORPUS_OR_SKIP(corpus);
  const fs::path folder = corpus / "hostile" / "upstream";
  const auto rows = mg::test::read_table(folder / "sse.tsv");
  size_t compared = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::string bytes = mg::test::read_file(folder / "sse" / (rows[i][0] + ".sse"));
    std::map<int, std::string> texts;
    for (const Event& event : read_stream(bytes).dispatched()) {
      const auto json = nlohmann::json::parse(event.data, nullptr, false);
      if (!json.is_object()) continue;
      if (json.contains("delta") && json["delta"].contains("text"))
        texts[0] += json["delta"]["text"].get<std::string>();
      if (!json.contains("choices")) continue;
      for (const auto& choice : json["choices"])
        if (choice.contains("delta") && choice["delta"].contains("content") &&
            choice["delta"]["content"].is_string())
          texts[choice.value("index", 0)] += choice["delta"]["content"].get<std::string>();
    }
    std::string text;
    for (const auto& [index, part] : texts) text += (index == 0 ? "" : "|") + part;
    std::string expected = rows[i][3];
    if (expected == "(literal)") continue;
    if (expected == "(150000 a)") expected = std::string(150'000, 'a');
    if (expected == "a\\u0000b") expected = std::string("a\0b", 3);
    CAPTURE(rows[i][0]);
    CHECK(text == expected);
    ++compared;
  }
  CHECK(rows.size() == 34);
  std::printf("upstream/sse: %zu of %zu texts compared\n", compared, rows.size() - 1);
}

TEST_CASE("what is written is read back, line breaks and all") {
  for (const std::string& data : {std::string("x"), std::string(""), std::string("a\nb"),
                                  std::string("a\r\nb\rc\n"), std::string(" x")}) {
    std::string out;
    append_sse_event(out, "error", data);
    append_sse_event(out, "", "after");
    const Read read = read_stream(out);
    REQUIRE(read.events.size() == 2);
    CHECK(read.events[0].type == "error");
    CHECK(read.events[1].data == "after");
    std::string expected;
    for (size_t i = 0; i < data.size(); ++i) {
      if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') continue;
      expected.push_back(data[i] == '\r' ? '\n' : data[i]);
    }
    CHECK(read.events[0].data == expected);
  }
}
