// Bytes to messages, without I/O: an HTTP/1.1 parser that is given whatever arrived and says what
// it found. Splitting the input differently never changes what is found, nor any verdict.
//
// llhttp reads the syntax. Around it stand the checks that make it safe to sit between a client
// and other people's servers (request smuggling, head bombs): every line must end in CRLF, none may
// be folded, lengths must be unambiguous, and everything has a bound. What is refused is refused
// for good: the connection has to be closed after the answer.
//
//   for (;;) {
//     const Parsed parsed = parser.feed(bytes);
//     bytes.remove_prefix(parsed.consumed);
//     switch (parsed.event) { ... }       // stop at need_more, complete and error
//   }
//
// Trailer fields are accepted where they are harmless, and dropped; those that would touch framing,
// routing, authentication or the body's meaning are refused. Chunk extensions are read and dropped.
// One thread. Not movable; about 350 bytes, and nothing allocated while no head is being read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/limits.h"
#include "http/head.h"
#include "http/head_lines.h"

namespace mg::http {

enum class ParseEvent : uint8_t {
  need_more,  // everything fed was consumed
  head,       // take_head() now; feed on (even with nothing) for what follows
  body,       // Parsed::body
  complete,   // the message ended; what is left belongs to the next one
  error,      // error() says why; nothing else will come
};

struct Parsed {
  ParseEvent event = ParseEvent::need_more;
  size_t consumed = 0;    // bytes taken off the front of what was fed
  std::string_view body;  // part of what was fed
};

struct ParseError {
  int status = 0;           // what a server answers: 400, 413, 414, 417, 431, 501, 505
  std::string_view reason;  // for people; a constant
};

struct ParseLimits {
  size_t head_bytes_max = limits::head_bytes_max;
  uint64_t body_bytes_max = limits::body_bytes_max;
};

// What both directions share. Use RequestParser and ResponseParser.
class MessageParser {
 public:
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  const ParseError& error() const { return error_; }
  // Between messages: not a byte of the next has come.
  bool is_idle() const { return stage_ == Stage::idle; }
  // A head has begun and is not complete.
  bool is_in_head() const { return stage_ == Stage::head; }

 protected:
  enum class Direction : uint8_t { request, response };
  enum class Stage : uint8_t { idle, empty_line, head, body, trailers, done, failed };

  // The head under way, checked as it comes.
  struct Seen {
    Headers headers;
    Headers::Stored target;
    Framing framing;
    uint16_t status = 0;
    Method method = Method::get;
    uint8_t minor_version = 1;
    bool keep_alive = false;
    bool expects_continue = false;
  };

  static constexpr int kBadGateway = 502;        // what every broken answer comes to
  static constexpr int kFirstFinalStatus = 200;  // 1xx are interim

  MessageParser(Direction direction, const ParseLimits& limits);
  ~MessageParser() = default;

  void begin();
  Parsed feed_message(std::string_view bytes);
  Parsed end_of_message(size_t consumed);
  Parsed refuse(int status, std::string_view reason);

  const Direction direction_;
  Stage stage_ = Stage::idle;
  Method asked_ = Method::get;  // answers: the method of the request
  uint8_t interim_heads_ = 0;   // answers: 1xx heads skipped so far
  Seen seen_;

 private:
  struct Callbacks;  // what llhttp calls
  friend struct Callbacks;

  Parsed feed_start(std::string_view bytes);
  Parsed feed_head(std::string_view bytes);
  Parsed feed_body(std::string_view bytes);
  Parsed feed_trailers(std::string_view bytes);
  Parsed end_of_head(size_t consumed, std::string_view rest);
  Parsed syntax_error();
  void set_error(int status, std::string_view reason);
  bool run(std::string_view added);
  bool check_chunk_framing(std::string_view framing);
  uint64_t framing_bytes_allowed() const;

  // In parser_checks.cc: called when llhttp found the end of the thing.
  int reject(int status, std::string_view reason);
  int end_of_name();
  int end_of_field();
  int check_field(std::string_view name, std::string_view value, bool is_plain);
  bool check_request();
  bool check_response();
  bool check_framing();

  const ParseLimits limits_;
  ParseError error_;
  HeadLines lines_;
  bool version_seen_ = false;
  bool has_content_type_ = false;
  bool has_content_length_ = false;
  bool has_transfer_encoding_ = false;
  bool head_ended_ = false;     // llhttp saw the end of the head
  bool message_ended_ = false;  // ... and of the message
  bool chunk_begins_ = false;   // ... and of the line before a chunk
  bool is_last_chunk_ = false;
  char last_framing_byte_ = 0;
  uint32_t head_bytes_ = 0;
  uint64_t body_bytes_ = 0;
  uint64_t framing_bytes_ = 0;  // of a chunked body: everything that is not the body
  uint64_t chunks_ = 0;
  std::string_view piece_;  // of the body, found by the present call
  Headers::Stored name_;    // of the field being read, in the raw head
  Headers::Stored value_;
  alignas(8) char llhttp_[96];  // an llhttp_t; its header stays in parser.cc
};

class RequestParser final : public MessageParser {
 public:
  explicit RequestParser(const ParseLimits& limits = {})
      : MessageParser(Direction::request, limits) {}

  Parsed feed(std::string_view bytes) { return feed_message(bytes); }
  // Once after each `head`, before feeding on.
  RequestHead take_head();
  // Of the request under way, as soon as its method was read; GET before.
  Method method() const { return seen_.method; }
};

class ResponseParser final : public MessageParser {
 public:
  explicit ResponseParser(const ParseLimits& limits = {limits::upstream_head_bytes_max,
                                                       limits::answer_bytes_max})
      : MessageParser(Direction::response, limits) {
    stage_ = Stage::done;
  }

  // Before each answer: what was asked decides whether a body follows.
  void expect(Method asked);
  // Bytes that come when no answer is expected are an error. Interim answers (1xx) are skipped, up
  // to a bound; 101 is an error, because nobody here asks for another protocol.
  Parsed feed(std::string_view bytes) { return feed_message(bytes); }
  // The connection ended. Yields `complete` for a body that ends this way, `need_more` when no
  // answer was expected, else `error`.
  Parsed finish();
  ResponseHead take_head();
};

}  // namespace mg::http
