#include "lab/delivery.h"

#include <isa-l.h>

#include "base/assert.h"
#include "lab/answer_text.h"
#include "lab/seed.h"

namespace mg::lab {
namespace {

constexpr size_t kHeadBytesDefault = 20;
constexpr size_t kGarbageBytesDefault = 64;
constexpr std::string_view kEarlyHints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
constexpr std::string_view kPage =
    "<!DOCTYPE html>\n<html><head><title>Just a moment</title></head>\n"
    "<body><h1>Checking your connection</h1><p>This page is not what you asked for.</p></body>"
    "</html>\n";

// Nothing that could begin a message of HTTP, and the same for the same request.
std::string garbage(std::string_view request_id, size_t bytes) {
  SeededRng rng(mix(0, request_id));
  std::string out;
  while (out.size() < bytes) out.push_back(static_cast<char>(0x80 | (rng.draw() & 0x7f)));
  return out;
}

// Faults of the body as a whole treat a streamed answer as one body, too.
bool wants_whole_body(Fault fault) {
  switch (fault) {
    case Fault::html:
    case Fault::gzip:
    case Fault::empty_body:
    case Fault::wrong_length:
    case Fault::excess_length:
    case Fault::conflicting_length:
      return true;
    default:
      return false;
  }
}

}  // namespace

void append_head(std::string& out, Shared& shared, const Reply& reply, const Framing& framing) {
  const bool has_body = reply.status != 204 && reply.status != 304;
  out += "HTTP/1.1 ";
  append_number(out, reply.status);
  out += ' ';
  out += http::reason_phrase(reply.status);
  out += "\r\nDate: ";
  out += shared.date.at(shared.loop.clock().wall_ms());
  out += "\r\nServer: moongate-lab\r\nx-request-id: ";
  out += reply.request_id;
  if (!reply.retry_after.empty()) {
    out += "\r\nRetry-After: ";
    out += reply.retry_after;
  }
  if (reply.status > 300 && reply.status < 400 && has_body) out += "\r\nLocation: /elsewhere";
  if (has_body) {
    out += "\r\nContent-Type: ";
    out += reply.content_type;
    if (!framing.encoding.empty()) {
      out += "\r\nContent-Encoding: ";
      out += framing.encoding;
    }
    const bool says_length =
        framing.announced == Announced::length || framing.announced == Announced::both;
    if (says_length) {
      out += "\r\nContent-Length: ";
      append_number(out, static_cast<int64_t>(framing.bytes));
    }
    if (framing.announced == Announced::chunks || framing.announced == Announced::both)
      out += "\r\nTransfer-Encoding: chunked";
  }
  out += framing.closes ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n";
}

void append_chunk(std::string& out, std::string_view bytes) {
  out += http::ChunkLine(bytes.size()).view();
  out += bytes;
  out += http::kChunkEnd;
}

std::string gzipped(std::string_view body) {
  constexpr size_t kOverhead = 1024;
  std::string out(body.size() + body.size() / 16 + kOverhead, '\0');
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uint32_t>(body.size());
  stream.next_out = reinterpret_cast<uint8_t*>(out.data());
  stream.avail_out = static_cast<uint32_t>(out.size());
  MG_ASSERT(isal_deflate_stateless(&stream) == COMP_OK);
  out.resize(stream.total_out);
  return out;
}

event::Task<After> deliver(Shared& shared, Wire& wire, Reply& reply) {
  if (reply.fault == Fault::stall_before_head) co_return co_await stall(wire);
  if (reply.delay_ms > 0) co_await wire.pause_ms(reply.delay_ms);
  if (wire.is_gone()) co_return After::over;
  if (reply.stream && wants_whole_body(reply.fault)) {
    reply.body = whole_stream(*reply.stream);
    reply.stream.reset();
  }
  if (reply.fault == Fault::html) {
    reply.content_type = "text/html; charset=utf-8";
    reply.body = kPage;
  }
  if (reply.is_counted) shared.counts.statuses.add(std::to_string(reply.status));
  std::string head;
  append_head(head, shared, reply, {Announced::length, reply.body.size()});
  const std::optional<After> no_answer = co_await deliver_no_answer(wire, reply, head);
  if (no_answer) co_return *no_answer;
  if (reply.stream) co_return co_await deliver_stream(shared, wire, reply);
  co_return co_await deliver_plain(shared, wire, reply);
}

event::Task<std::optional<After>> deliver_no_answer(Wire& wire, const Reply& reply,
                                                    std::string_view head) {
  const auto at = static_cast<size_t>(reply.fault_at.value_or(kHeadBytesDefault));
  switch (reply.fault) {
    case Fault::reset_before_head:
      co_return co_await reset(wire);
    case Fault::close_before_head:
      co_return After::close;
    case Fault::informational:
      for (int64_t i = 0; i < reply.fault_at.value_or(1); ++i) {
        const bool is_there = co_await write_patiently(wire, kEarlyHints);
        if (!is_there) co_return After::over;
      }
      co_return std::nullopt;
    case Fault::reset_in_head:
      wire.write(head.substr(0, std::min(at, head.size() - 1)));
      co_return co_await reset(wire);
    case Fault::close_in_head:
      wire.write(head.substr(0, std::min(at, head.size() - 1)));
      co_return After::close;
    case Fault::garbage: {
      const size_t bytes =
          std::min<size_t>(limits::MiB, reply.fault_at ? at : kGarbageBytesDefault);
      wire.write(garbage(reply.request_id, bytes));
      co_return After::close;
    }
    default:
      co_return std::nullopt;
  }
}

event::Task<After> reset(Wire& wire) {
  const Result<> sent = co_await wire.drained();
  if (sent) wire.reset();
  co_return After::over;
}

event::Task<After> stall(Wire& wire) {
  while (!wire.is_gone()) co_await wire.until_gone();
  co_return After::over;
}

event::Task<bool> write_patiently(Wire& wire, std::string_view bytes) {
  if (!wire.write(bytes)) co_return false;
  if (!wire.is_backed_up()) co_return true;
  const Result<> sent = co_await wire.drained();
  co_return sent.has_value();
}

}  // namespace mg::lab
