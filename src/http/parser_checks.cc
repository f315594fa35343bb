// What a message must be beyond its syntax, asked as the parts of its head become known. llhttp is
// not needed here, and not included.
#include <utility>

#include "base/text.h"
#include "http/head_rules.h"
#include "http/parser.h"

namespace mg::http {

void MessageParser::set_error(int status, std::string_view reason) {
  error_ = {direction_ == Direction::request ? status : kBadGateway, reason};
}

// Returns what makes llhttp stop.
int MessageParser::reject(int status, std::string_view reason) {
  set_error(status, reason);
  return -1;
}

int MessageParser::end_of_name() {
  const std::string_view name = seen_.headers.stored(name_);
  if (direction_ == Direction::request && !version_seen_)
    return reject(400, "no version in the request line");
  if (name.size() > limits::header_name_bytes_max) return reject(431, "field name too long");
  if (!is_field_name(name)) return reject(400, "malformed field name");
  // Of answers no trailer is used for anything.
  if (direction_ == Direction::request && stage_ == Stage::trailers && is_forbidden_trailer(name))
    return reject(400, "field not allowed after a body");
  // "a_b" and "a-b" are one name to many programs behind us.
  if (direction_ == Direction::request && name.find('_') != std::string_view::npos)
    return reject(400, "underscore in field name");
  value_ = {name_.at + name_.bytes, 0};
  return 0;
}

int MessageParser::end_of_field() {
  const Headers::Stored name_at = std::exchange(name_, {});
  if (stage_ == Stage::trailers) return 0;
  Headers& headers = seen_.headers;
  if (headers.entries_.size() == limits::header_count_max) return reject(431, "too many fields");
  const std::string_view name = headers.stored(name_at);
  const size_t written_bytes = value_.bytes;
  const std::string_view value = trimmed(headers.stored(value_));
  if (!value.empty())
    value_ = {static_cast<uint32_t>(value.data() - headers.bytes_.data()),
              static_cast<uint32_t>(value.size())};
  headers.entries_.push_back({name_at, value_});
  // Fields that say how a message is framed are held to their plainest spelling in requests: one
  // blank at most, before the value.
  const size_t gap = value_.at - (name_at.at + name_at.bytes);
  const bool is_plain = written_bytes == value.size() && !value.empty() &&
                        (gap == 1 || (gap == 2 && headers.bytes_[value_.at - 1] == ' '));
  return check_field(name, value, is_plain);
}

int MessageParser::check_field(std::string_view name, std::string_view value, bool is_plain) {
  const bool is_request = direction_ == Direction::request;
  if (equal_ignoring_case(name, "content-length")) {
    if (std::exchange(has_content_length_, true))
      return reject(400, "more than one Content-Length");
    const auto length = parse_number<uint64_t>(value);
    const bool has_zeros = value.size() > 1 && value.front() == '0';
    if (!length || value.size() > limits::content_length_digits_max ||
        (is_request && (has_zeros || !is_plain)))
      return reject(400, "malformed Content-Length");
    seen_.framing = Framing::length(*length);
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    if (std::exchange(has_transfer_encoding_, true))
      return reject(400, "more than one Transfer-Encoding");
    if (!is_chunked(value))
      return is_single_coding(value) ? reject(501, "unknown transfer coding")
                                     : reject(400, "malformed Transfer-Encoding");
    if (is_request && !is_plain) return reject(400, "malformed Transfer-Encoding");
  } else if (is_request && equal_ignoring_case(name, "content-type")) {
    if (std::exchange(has_content_type_, true)) return reject(400, "more than one Content-Type");
  }
  return 0;
}

// What both directions ask of a head, and what follows for the body.
bool MessageParser::check_framing() {
  const auto no = [this](std::string_view reason) {
    set_error(400, reason);
    return false;
  };
  if (has_transfer_encoding_) {
    if (has_content_length_) return no("both Content-Length and Transfer-Encoding");
    if (seen_.minor_version == 0) return no("Transfer-Encoding in HTTP/1.0");
    seen_.framing = Framing::chunked();
  }
  const Headers& headers = seen_.headers;
  const bool says_close = headers.has_token("connection", "close");
  seen_.keep_alive =
      !says_close && (seen_.minor_version == 1 || headers.has_token("connection", "keep-alive"));
  return true;
}

bool MessageParser::check_request() {
  const auto no = [this](int status, std::string_view reason) {
    set_error(status, reason);
    return false;
  };
  const Headers& headers = seen_.headers;
  const std::string_view target = headers.stored(seen_.target);
  if (!version_seen_ || !is_request_line(headers.bytes_, seen_.method, target, seen_.minor_version))
    return no(400, "malformed request line");
  if (!is_ascii(target)) return no(400, "bytes beyond ASCII in the target");
  // RFC 9110, section 5.5: values may have them. What goes into records must be text.
  if (!is_ascii(headers.bytes_) && !is_utf8(headers.bytes_))
    return no(400, "bytes in the head that are no UTF-8");
  const size_t hosts = headers.count("host");
  if (hosts > 1 || (hosts == 0 && seen_.minor_version == 1))
    return no(400, "a request has exactly one Host");
  if (hosts == 1 && !is_host(*headers.find("host"))) return no(400, "malformed Host");
  if (!check_framing()) return false;
  if (seen_.framing == Framing::length(0)) seen_.framing = Framing::none();
  if (headers.contains("expect") && seen_.minor_version == 1) {
    if (!equal_ignoring_case(headers.joined("expect"), "100-continue"))
      return no(417, "unknown expectation");
    seen_.expects_continue = seen_.framing.kind != BodyKind::none;
  }
  const bool may_have_body = seen_.method != Method::get && seen_.method != Method::head &&
                             seen_.method != Method::options;
  if (seen_.framing.kind != BodyKind::none && !may_have_body)
    return no(400, "a body where the method has none");
  if (seen_.framing.bytes > limits_.body_bytes_max) return no(413, "body too large");
  return true;
}

bool MessageParser::check_response() {
  const auto no = [this](std::string_view reason) {
    set_error(kBadGateway, reason);
    return false;
  };
  const int status = seen_.status;
  if (!version_seen_ || !is_status_line(seen_.headers.bytes_, seen_.minor_version, status))
    return no("malformed status line");
  if (status < 100 || status > 599) return no("status out of range");
  if (status == 101) return no("an upgrade nobody asked for");
  if (!check_framing()) return false;
  if (status < kFirstFinalStatus || status == 204 || status == 304 || asked_ == Method::head) {
    seen_.framing = Framing::none();
  } else if (!has_transfer_encoding_ && !has_content_length_) {
    seen_.framing = Framing::until_close();
    seen_.keep_alive = false;
  }
  if (seen_.framing.bytes > limits_.body_bytes_max) return no("body too large");
  return true;
}

}  // namespace mg::http
