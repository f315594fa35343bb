#include "http/parser.h"

#include <llhttp/llhttp.h>

#include "base/assert.h"
#include "base/text.h"
#include "http/head_rules.h"

namespace mg::http {
namespace {

// Stands for a chunk's data where the bytes around it are looked at: only CRLF may follow it.
constexpr char kChunkData = '\0';

llhttp_t* as_llhttp(void* storage) { return static_cast<llhttp_t*>(storage); }

std::optional<Method> method_of(uint8_t llhttp_method) {
  switch (llhttp_method) {
    case HTTP_GET:
      return Method::get;
    case HTTP_HEAD:
      return Method::head;
    case HTTP_POST:
      return Method::post;
    case HTTP_PUT:
      return Method::put;
    case HTTP_DELETE:
      return Method::del;
    case HTTP_OPTIONS:
      return Method::options;
    case HTTP_PATCH:
      return Method::patch;
    default:
      return std::nullopt;
  }
}

}  // namespace

// What llhttp calls while it runs. Spans may come in pieces, so pieces only move an end; checks
// wait for the callback that says a thing is complete, whose place in the input does not depend on
// how the input was split.
struct MessageParser::Callbacks {
  static MessageParser& self(llhttp_t* p) { return *static_cast<MessageParser*>(p->data); }

  static void extend(llhttp_t* p, Headers::Stored& span, const char* at, size_t length) {
    const MessageParser& parser = self(p);
    const auto offset = static_cast<uint32_t>(at - parser.seen_.headers.bytes_.data());
    if (span.bytes == 0) span.at = offset;
    span.bytes = offset + static_cast<uint32_t>(length) - span.at;
  }

  static int on_method_complete(llhttp_t* p) {
    const auto method = method_of(p->method);
    if (p->method == HTTP_PRI) return self(p).reject(505, "HTTP/2 is not spoken here");
    if (!method) return self(p).reject(501, "unknown method");
    self(p).seen_.method = *method;
    return 0;
  }
  static int on_url(llhttp_t* p, const char* at, size_t length) {
    extend(p, self(p).seen_.target, at, length);
    return 0;
  }
  static int on_url_complete(llhttp_t* p) {
    MessageParser& parser = self(p);
    if (parser.seen_.target.bytes > limits::target_bytes_max)
      return parser.reject(414, "target too long");
    if (!is_target(parser.seen_.method, parser.seen_.headers.stored(parser.seen_.target)))
      return parser.reject(400, "malformed target");
    return 0;
  }
  static int on_version_complete(llhttp_t* p) {
    MessageParser& parser = self(p);
    if (p->http_major != 1 || p->http_minor > 1)
      return parser.reject(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    parser.version_seen_ = true;
    parser.seen_.minor_version = p->http_minor;
    return 0;
  }
  static int on_header_field(llhttp_t* p, const char* at, size_t length) {
    extend(p, self(p).name_, at, length);
    return 0;
  }
  static int on_header_field_complete(llhttp_t* p) { return self(p).end_of_name(); }
  static int on_header_value(llhttp_t* p, const char* at, size_t length) {
    if (length > 0) extend(p, self(p).value_, at, length);
    return 0;
  }
  static int on_header_value_complete(llhttp_t* p) { return self(p).end_of_field(); }

  static int on_headers_complete(llhttp_t* p) {
    MessageParser& parser = self(p);
    parser.seen_.status = p->status_code;
    const bool good =
        parser.direction_ == Direction::request ? parser.check_request() : parser.check_response();
    if (!good) return -1;
    p->upgrade = 0;  // nobody here changes protocols
    if (parser.seen_.framing.kind == BodyKind::none) p->flags |= F_SKIPBODY;
    parser.head_ended_ = true;
    return HPE_PAUSED;
  }
  static int on_body(llhttp_t* p, const char* at, size_t length) {
    if (length == 0) return 0;
    self(p).piece_ = {at, length};
    return HPE_PAUSED;
  }
  static int on_chunk_header(llhttp_t* p) {
    MessageParser& parser = self(p);
    if (p->content_length > parser.limits_.body_bytes_max - parser.body_bytes_)
      return parser.reject(413, "body too large");
    parser.chunk_begins_ = true;
    parser.is_last_chunk_ = p->content_length == 0;
    return HPE_PAUSED;
  }
  static int on_message_complete(llhttp_t* p) {
    self(p).message_ended_ = true;
    return HPE_PAUSED;
  }

  static const llhttp_settings_t* settings() {
    static const llhttp_settings_t all = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_url = on_url;
      s.on_url_complete = on_url_complete;
      s.on_version_complete = on_version_complete;
      s.on_header_field = on_header_field;
      s.on_header_field_complete = on_header_field_complete;
      s.on_header_value = on_header_value;
      s.on_header_value_complete = on_header_value_complete;
      s.on_headers_complete = on_headers_complete;
      s.on_body = on_body;
      s.on_chunk_header = on_chunk_header;
      s.on_message_complete = on_message_complete;
      return s;
    }();
    return &all;
  }
  static const llhttp_settings_t* request_settings() {
    static const llhttp_settings_t all = [] {
      llhttp_settings_t s = *settings();
      s.on_method_complete = on_method_complete;
      return s;
    }();
    return &all;
  }
};

MessageParser::MessageParser(Direction direction, const ParseLimits& limits)
    : direction_(direction), limits_(limits) {
  static_assert(sizeof(llhttp_t) <= sizeof llhttp_ && alignof(llhttp_t) <= 8);
  begin();
}

void MessageParser::begin() {
  llhttp_t* p = as_llhttp(llhttp_);
  const bool is_request = direction_ == Direction::request;
  llhttp_init(p, is_request ? HTTP_REQUEST : HTTP_RESPONSE,
              is_request ? Callbacks::request_settings() : Callbacks::settings());
  p->lenient_flags = LENIENT_VERSION;  // on_version_complete knows which status to answer
  seen_ = Seen();
  lines_.begin_head();
  head_ended_ = message_ended_ = version_seen_ = false;
  has_content_type_ = has_content_length_ = has_transfer_encoding_ = false;
  name_ = value_ = {};
  head_bytes_ = 0;
  body_bytes_ = framing_bytes_ = chunks_ = 0;
  last_framing_byte_ = '\n';
  stage_ = Stage::idle;
}

Parsed MessageParser::refuse(int status, std::string_view reason) {
  set_error(status, reason);
  stage_ = Stage::failed;
  return {ParseEvent::error, 0, {}};
}

// llhttp stopped: either a callback of ours said why, or the syntax was wrong.
Parsed MessageParser::syntax_error() {
  if (error_.status != 0) {
    stage_ = Stage::failed;
    return {ParseEvent::error, 0, {}};
  }
  return refuse(400, "malformed message");
}

Parsed MessageParser::feed_message(std::string_view bytes) {
  switch (stage_) {
    case Stage::idle:
    case Stage::empty_line:
      return bytes.empty() ? Parsed() : feed_start(bytes);
    case Stage::head:
      return feed_head(bytes);
    case Stage::body:
      return feed_body(bytes);
    case Stage::trailers:
      return feed_trailers(bytes);
    case Stage::done:
      return bytes.empty() ? Parsed() : refuse(400, "bytes that nobody asked for");
    case Stage::failed:
      return {ParseEvent::error, 0, {}};
  }
  MG_ASSERT(!"Stage out of range");
}

// One empty line may stand before a request: some clients send one after a body (RFC 9112, 2.2).
Parsed MessageParser::feed_start(std::string_view bytes) {
  size_t skipped = 0;
  if (direction_ == Direction::request && stage_ == Stage::idle && bytes.front() == '\r') {
    stage_ = Stage::empty_line;
    skipped = 1;
  }
  if (stage_ == Stage::empty_line) {
    if (skipped == bytes.size()) return {ParseEvent::need_more, skipped, {}};
    if (bytes[skipped] != '\n') return refuse(400, "CR without LF");
    ++skipped;
  }
  stage_ = Stage::head;
  Parsed parsed = feed_head(bytes.substr(skipped));
  parsed.consumed += skipped;
  return parsed;
}

Parsed MessageParser::feed_head(std::string_view bytes) {
  const size_t room = limits_.head_bytes_max - head_bytes_;
  const HeadLines::Scan scan = lines_.scan(bytes.substr(0, room));
  head_bytes_ += static_cast<uint32_t>(scan.bytes);
  const bool is_whole = scan.verdict == HeadLines::Verdict::end;
  if (seen_.headers.bytes_.empty()) {
    // The usual case: the head came whole, and its size and number of fields are known.
    seen_.headers.reserve(is_whole ? scan.bytes : std::max<size_t>(scan.bytes, 1024),
                          is_whole ? lines_.lines() : 16);
  }
  if (!run(bytes.substr(0, scan.bytes))) return syntax_error();
  if (scan.verdict == HeadLines::Verdict::bad) return refuse(400, "malformed line");
  // llhttp and the lines must agree on where the head ends.
  if (head_ended_ != is_whole) return refuse(400, "malformed head");
  if (is_whole) return end_of_head(scan.bytes, bytes.substr(scan.bytes));
  if (scan.bytes == bytes.size()) return {ParseEvent::need_more, scan.bytes, {}};
  return lines_.in_first_line() ? refuse(414, "request line too long")
                                : refuse(431, "head too large");
}

// Appends to the raw head and runs llhttp over what was added. True when it went well: everything
// was taken, or it paused at the very end.
bool MessageParser::run(std::string_view added) {
  std::string& raw = seen_.headers.bytes_;
  const size_t from = raw.size();
  raw.append(added);
  llhttp_t* p = as_llhttp(llhttp_);
  p->data = this;
  const llhttp_errno_t outcome = llhttp_execute(p, raw.data() + from, added.size());
  if (outcome == HPE_OK) return true;
  if (outcome != HPE_PAUSED || llhttp_get_error_pos(p) != raw.data() + raw.size()) return false;
  llhttp_resume(p);
  return true;
}

Parsed MessageParser::end_of_head(size_t consumed, std::string_view rest) {
  if (direction_ == Direction::response && seen_.status < kFirstFinalStatus) {
    const uint8_t interim = interim_heads_ + 1;
    if (interim > limits::informational_heads_max)
      return refuse(kBadGateway, "too many interim answers");
    begin();
    stage_ = Stage::head;
    interim_heads_ = interim;
    Parsed parsed = feed_head(rest);
    parsed.consumed += consumed;
    return parsed;
  }
  stage_ = Stage::body;
  return {ParseEvent::head, consumed, {}};
}

Parsed MessageParser::feed_body(std::string_view bytes) {
  llhttp_t* p = as_llhttp(llhttp_);
  p->data = this;
  if (bytes.empty()) bytes = "";  // llhttp adds to the pointer, so it must not be null
  size_t consumed = 0;
  for (;;) {
    piece_ = {};
    chunk_begins_ = false;
    const std::string_view left = bytes.substr(consumed);
    const llhttp_errno_t outcome = llhttp_execute(p, left.data(), left.size());
    const size_t taken = outcome == HPE_OK
                             ? left.size()
                             : static_cast<size_t>(llhttp_get_error_pos(p) - left.data());
    if (seen_.framing.kind == BodyKind::chunked &&
        !check_chunk_framing(left.substr(0, taken - piece_.size())))
      return syntax_error();
    if (outcome == HPE_OK) return {ParseEvent::need_more, bytes.size(), {}};
    if (outcome != HPE_PAUSED) return syntax_error();
    llhttp_resume(p);
    consumed += taken;
    if (!piece_.empty()) {
      body_bytes_ += piece_.size();
      if (body_bytes_ > limits_.body_bytes_max) return refuse(413, "body too large");
      return {ParseEvent::body, consumed, piece_};
    }
    if (message_ended_) return end_of_message(consumed);
    if (chunk_begins_) {
      ++chunks_;
      last_framing_byte_ = kChunkData;
      if (!is_last_chunk_) continue;
      stage_ = Stage::trailers;
      lines_.begin_trailers();
      Parsed parsed = feed_trailers(bytes.substr(consumed));
      parsed.consumed += consumed;
      return parsed;
    }
  }
}

// Everything of a chunked body that is not the body: sizes, extensions, line ends. llhttp reads
// it; here it must also be free of blanks, control bytes, bare line ends and extensions without a
// name, and not out of proportion to the body.
bool MessageParser::check_chunk_framing(std::string_view framing) {
  framing_bytes_ += framing.size();
  if (framing_bytes_ > framing_bytes_allowed()) {
    set_error(400, "too much chunk framing");
    return false;
  }
  for (char c : framing) {
    const char last = std::exchange(last_framing_byte_, c);
    const bool is_break = c == '\r' || c == '\n';
    if ((c == '\n') != (last == '\r') || (last == kChunkData && c != '\r') ||
        (last == ';' && (c == ';' || c == '=' || c == '\r')) ||
        (!is_break && (c <= 0x20 || c >= 0x7f))) {
      set_error(400, "malformed chunk framing");
      return false;
    }
  }
  return true;
}

uint64_t MessageParser::framing_bytes_allowed() const {
  return limits::chunk_overhead_base_bytes + chunks_ * limits::chunk_overhead_bytes_max;
}

Parsed MessageParser::feed_trailers(std::string_view bytes) {
  const uint64_t room = framing_bytes_allowed() - framing_bytes_;
  const HeadLines::Scan scan = lines_.scan(bytes.substr(0, room));
  framing_bytes_ += scan.bytes;
  if (!run(bytes.substr(0, scan.bytes))) return syntax_error();
  if (scan.verdict == HeadLines::Verdict::bad) return refuse(400, "malformed line");
  if (message_ended_ != (scan.verdict == HeadLines::Verdict::end))
    return refuse(400, "malformed trailers");
  if (message_ended_) return end_of_message(scan.bytes);
  if (scan.bytes < bytes.size()) return refuse(400, "trailers too large");
  return {ParseEvent::need_more, bytes.size(), {}};
}

Parsed MessageParser::end_of_message(size_t consumed) {
  begin();
  if (direction_ == Direction::response) stage_ = Stage::done;
  return {ParseEvent::complete, consumed, {}};
}

RequestHead RequestParser::take_head() {
  MG_ASSERT(stage_ == Stage::body);
  return {seen_.method,  seen_.minor_version,      seen_.keep_alive, seen_.expects_continue,
          seen_.framing, std::move(seen_.headers), seen_.target};
}

void ResponseParser::expect(Method asked) {
  MG_ASSERT(stage_ == Stage::done);
  begin();
  asked_ = asked;
  interim_heads_ = 0;
}

Parsed ResponseParser::finish() {
  switch (stage_) {
    case Stage::done:
      return {};
    case Stage::failed:
      return {ParseEvent::error, 0, {}};
    case Stage::body: {
      if (seen_.framing.kind == BodyKind::until_close) return end_of_message(0);
      const Parsed parsed = feed({});
      if (parsed.event == ParseEvent::complete) return parsed;
      return refuse(400, "the connection ended in the middle of a body");
    }
    default:
      return refuse(400, "the connection ended before an answer");
  }
}

ResponseHead ResponseParser::take_head() {
  MG_ASSERT(stage_ == Stage::body);
  return {seen_.status, seen_.minor_version, seen_.keep_alive, seen_.framing,
          std::move(seen_.headers)};
}

}  // namespace mg::http
