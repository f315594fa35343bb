// Runs a parser over bytes that arrive in pieces, and writes down all it found. Two runs over the
// same bytes must write the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "http/parser.h"

namespace mg::http::test {

// Where the input is cut. Each kind is one way for bytes to arrive.
inline std::vector<size_t> cuts_every(size_t size, size_t step) {
  std::vector<size_t> cuts;
  for (size_t at = step; at < size; at += step) cuts.push_back(at);
  return cuts;
}

// Pieces copied to the heap one by one, so that a sanitizer sees a read beyond any of them.
inline std::vector<std::string> pieces_of(std::string_view bytes, const std::vector<size_t>& cuts) {
  std::vector<std::string> pieces;
  size_t from = 0;
  for (size_t cut : cuts) {
    pieces.emplace_back(bytes.substr(from, cut - from));
    from = cut;
  }
  pieces.emplace_back(bytes.substr(from));
  return pieces;
}

struct Found {
  int heads = 0;
  int complete = 0;
  int error_status = 0;  // 0: none
  bool closes = false;   // a message said that it is the last one
  bool is_idle = false;  // at the end, between messages
  uint64_t body_bytes = 0;
  std::string last_body;  // of the message that came last
  std::string story;      // everything, for comparison
  std::string reason;

  bool is_refused() const { return error_status != 0; }
  bool waits() const { return !is_refused() && !closes && !is_idle; }
};

inline void describe(const Headers& headers, std::string& story) {
  for (const Field field : headers) {
    story.append(field.name).append("=").append(field.value).append("\n");
  }
}

inline void describe(const RequestHead& head, std::string& story) {
  story.append(name(head.method)).append(" ").append(head.target());
  story += " 1." + std::to_string(head.minor_version) + (head.keep_alive ? " keep" : " close") +
           (head.expects_continue ? " expect" : "") + " body " +
           std::to_string(static_cast<int>(head.body.kind)) + ":" +
           std::to_string(head.body.bytes) + "\n";
  describe(head.headers, story);
}

inline void describe(const ResponseHead& head, std::string& story) {
  story += std::to_string(head.status) + " 1." + std::to_string(head.minor_version) +
           (head.keep_alive ? " keep" : " close") + " body " +
           std::to_string(static_cast<int>(head.body.kind)) + ":" +
           std::to_string(head.body.bytes) + "\n";
  describe(head.headers, story);
}

// True while more can be fed.
template <class Parser>
bool feed_piece(Parser& parser, std::string_view bytes, Found& found) {
  bool keep_alive = true;
  for (;;) {
    const Parsed parsed = parser.feed(bytes);
    bytes.remove_prefix(parsed.consumed);
    switch (parsed.event) {
      case ParseEvent::need_more:
        if (!bytes.empty()) std::abort();
        return true;
      case ParseEvent::head: {
        const auto head = parser.take_head();
        keep_alive = head.keep_alive;
        found.closes = !keep_alive;
        ++found.heads;
        found.last_body.clear();
        describe(head, found.story);
        break;
      }
      case ParseEvent::body:
        if (parsed.body.empty()) std::abort();
        found.body_bytes += parsed.body.size();
        found.last_body.append(parsed.body);
        break;
      case ParseEvent::complete:
        ++found.complete;
        found.story += "[" + found.last_body + "]\n";
        if (found.closes || std::is_same_v<Parser, ResponseParser>) return false;
        break;
      case ParseEvent::error:
        found.error_status = parser.error().status;
        found.reason = parser.error().reason;
        found.story +=
            "partial[" + found.last_body + "] error " + std::to_string(found.error_status) + "\n";
        return false;
    }
  }
}

inline Found parse_requests(std::string_view bytes, const std::vector<size_t>& cuts = {},
                            const ParseLimits& limits = {}) {
  RequestParser parser(limits);
  Found found;
  bool more = true;
  for (const std::string& piece : pieces_of(bytes, cuts)) {
    if (more) more = feed_piece(parser, piece, found);
  }
  found.is_idle = parser.is_idle();
  return found;
}

// One answer to a request of this method, then the connection ends.
inline Found parse_response(std::string_view bytes, Method asked = Method::post,
                            const std::vector<size_t>& cuts = {}, const ParseLimits& limits = {}) {
  ResponseParser parser(limits);
  parser.expect(asked);
  Found found;
  bool more = true;
  for (const std::string& piece : pieces_of(bytes, cuts)) {
    if (more && !piece.empty()) more = feed_piece(parser, piece, found);
  }
  if (!more) return found;
  const Parsed end = parser.finish();
  if (end.event == ParseEvent::complete) {
    ++found.complete;
    found.story += "[" + found.last_body + "] at the end\n";
  } else if (end.event == ParseEvent::error) {
    found.error_status = parser.error().status;
    found.reason = parser.error().reason;
    found.story += "cut off\n";
  }
  return found;
}

// The ways of arriving that every input of the corpus is tried with, besides whole.
inline std::vector<std::vector<size_t>> ways_to_cut(std::string_view bytes) {
  std::vector<std::vector<size_t>> ways;
  for (size_t step : {1, 2, 3, 7, 64, 1000}) ways.push_back(cuts_every(bytes.size(), step));
  if (bytes.size() <= 1000)
    for (size_t at = 1; at < bytes.size(); ++at) ways.push_back({at});
  return ways;
}

}  // namespace mg::http::test
