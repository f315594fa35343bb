#include "http/writer.h"

#include "base/assert.h"
#include "base/text.h"
#include "http/head_rules.h"

namespace mg::http {
namespace {

// So that a usual head is one allocation.
constexpr size_t kUsualHeadBytes = 512;

// Fields that only the framing decides.
bool is_framing_field(std::string_view name) {
  return equal_ignoring_case(name, "content-length") ||
         equal_ignoring_case(name, "transfer-encoding") || equal_ignoring_case(name, "connection");
}

void append_number(std::string& out, uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  MG_ASSERT(error == std::errc());
  out.append(digits, end);
}

void append_fields(std::string& out, const Headers& headers) {
  for (const Field field : headers) {
    if (is_framing_field(field.name)) continue;
    out.append(field.name);
    out.append(": ");
    out.append(field.value);
    out.append("\r\n");
  }
}

void append_framing(std::string& out, Framing framing) {
  switch (framing.kind) {
    case BodyKind::length:
      out.append("Content-Length: ");
      append_number(out, framing.bytes);
      out.append("\r\n");
      return;
    case BodyKind::chunked:
      out.append("Transfer-Encoding: chunked\r\n");
      return;
    case BodyKind::none:
    case BodyKind::until_close:
      return;
  }
}

}  // namespace

Result<> write_request_head(std::string& out, Method method, std::string_view target,
                            std::string_view host, const Headers& headers, Framing framing) {
  MG_ASSERT(framing.kind != BodyKind::until_close);
  if (!is_target(method, target)) return fail(Errc::invalid, "not a request target");
  if (!is_host(host)) return fail(Errc::invalid, "not a host");
  const bool usually_has_body =
      method == Method::post || method == Method::put || method == Method::patch;
  if (framing.kind == BodyKind::none && usually_has_body) framing = Framing::length(0);
  out.reserve(out.size() + kUsualHeadBytes);
  out.append(name(method));
  out.push_back(' ');
  out.append(target);
  out.append(" HTTP/1.1\r\nHost: ");
  out.append(host);
  out.append("\r\n");
  append_fields(out, headers);
  append_framing(out, framing);
  out.append("\r\n");
  return {};
}

Result<PreparedHead> PreparedHead::make(Method method, std::string_view target,
                                        std::string_view host, const Headers& headers) {
  PreparedHead head;
  MG_CHECK(write_request_head(head.text_, method, target, host, headers, Framing::length(0)));
  constexpr std::string_view kLengthAndEnd = "0\r\n\r\n";
  MG_ASSERT(head.text_.ends_with(kLengthAndEnd));
  head.text_.resize(head.text_.size() - kLengthAndEnd.size());
  return head;
}

std::string PreparedHead::with_length(uint64_t body_bytes) const {
  std::string head;
  head.reserve(text_.size() + 24);
  head.append(text_);
  append_number(head, body_bytes);
  head.append("\r\n\r\n");
  return head;
}

void write_response_head(std::string& out, int status, const Headers& headers, Framing framing,
                         Connection connection, std::string_view date) {
  MG_ASSERT(status >= 200 && status <= 599);
  MG_ASSERT(is_field_value(date));
  MG_ASSERT(framing.kind != BodyKind::until_close || connection == Connection::close);
  out.reserve(out.size() + kUsualHeadBytes);
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<uint64_t>(status));
  out.push_back(' ');
  out.append(reason_phrase(status));
  out.append("\r\nDate: ");
  out.append(date);
  out.append("\r\n");
  append_fields(out, headers);
  const bool has_no_body = status == 204 || status == 304;
  if (framing.kind == BodyKind::none) framing = Framing::length(0);
  if (!has_no_body) append_framing(out, framing);
  if (connection == Connection::close) out.append("Connection: close\r\n");
  if (connection == Connection::keep_alive_said) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

ChunkLine::ChunkLine(size_t chunk_bytes) {
  MG_ASSERT(chunk_bytes > 0);  // a chunk of nothing would end the body
  static constexpr char kDigits[] = "0123456789abcdef";
  size_t at = text_.size();
  text_[--at] = '\n';
  text_[--at] = '\r';
  for (; chunk_bytes > 0; chunk_bytes /= 16) text_[--at] = kDigits[chunk_bytes % 16];
  begin_ = at;
}

std::string_view HttpDate::at(int64_t wall_ms) {
  const int64_t second = wall_ms / 1000;
  if (second != second_) {
    second_ = second;
    text_ = format_http_date(second);
  }
  return text_;
}

}  // namespace mg::http
