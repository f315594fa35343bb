#include "lab/delivery.h"
#include "lab/seed.h"
#include "lab/speech.h"

#include "base/json.h"

namespace mg::lab {
namespace {

constexpr int64_t kTooManyDefault = 100;
constexpr int64_t kTooFewDefault = 10;
constexpr std::string_view kContent = "\"content\":\"";

// Where a plain body is cut when nothing else is said.
size_t cut_at(const Reply& reply) {
  if (reply.fault_at) return std::min(reply.body.size(), static_cast<size_t>(*reply.fault_at));
  return reply.body.size() / 2;
}

// Where text of the answer stands in its JSON; the end of the body's first half where it has none.
size_t text_at(std::string_view body) {
  const size_t found = body.find(kContent);
  return found == std::string_view::npos ? body.size() / 2 : found + kContent.size();
}

// An answer as it should be: all at once, unless the knobs want the head first.
event::Task<After> send_whole(Shared& shared, Wire& wire, const Reply& reply, Framing framing,
                              std::string_view body) {
  std::string& out = shared.out;
  out.clear();
  append_head(out, shared, reply, framing);
  const bool has_body = reply.status != 204 && reply.status != 304;
  if (reply.first_byte_ms > 0) {
    wire.write(out);
    co_await wire.pause_ms(reply.first_byte_ms);
    out.clear();
  }
  if (has_body && framing.announced == Announced::length) out += body;
  if (has_body && framing.announced != Announced::length) {
    if (!body.empty()) append_chunk(out, body);
    out += http::kLastChunk;
  }
  if (!wire.write(out)) co_return After::over;
  if (wire.is_backed_up()) {
    const Result<> sent = co_await wire.drained();
    if (!sent) co_return After::over;
  }
  co_return framing.closes ? After::close : After::keep_alive;
}

event::Task<After> send_fragments(Shared& shared, Wire& wire, const Reply& reply) {
  std::string out;
  append_head(out, shared, reply, {Announced::length, reply.body.size()});
  const auto piece =
      static_cast<size_t>(std::max<int64_t>(1, reply.fault_at.value_or(kPieceBytesDefault)));
  wire.write(out);
  for (size_t at = 0; at < reply.body.size(); at += piece) {
    co_await wire.pause_ms(kPieceMs);
    if (!wire.write(std::string_view(reply.body).substr(at, piece))) co_return After::over;
  }
  co_return After::keep_alive;
}

// The beginning of the answer, then text for ever.
event::Task<After> send_endless(Shared& shared, Wire& wire, const Reply& reply) {
  std::string out, text;
  append_head(out, shared, reply, {Announced::chunks});
  append_chunk(out, std::string_view(reply.body).substr(0, text_at(reply.body)));
  const Subject subject;
  for (uint64_t n = 0;; ++n) {
    const bool is_there = co_await write_patiently(wire, out);
    if (!is_there || wire.is_gone()) co_return After::over;
    text = ' ' + sentence(Speech::Register::answer, subject, n);
    out.clear();
    append_chunk(out, text);
    co_await event::next_turn(shared.loop);
  }
}

// Sends the body up to the place of the fault. What is announced is the whole.
void send_first_part(Shared& shared, Wire& wire, const Reply& reply) {
  std::string& out = shared.out;
  out.clear();
  append_head(out, shared, reply, {Announced::length, reply.body.size()});
  out += std::string_view(reply.body).substr(0, cut_at(reply));
  wire.write(out);
}

}  // namespace

event::Task<After> deliver_plain(Shared& shared, Wire& wire, const Reply& reply) {
  const std::string_view body = reply.body;
  const auto announced = [&](int64_t more) {
    const int64_t bytes = std::max<int64_t>(0, static_cast<int64_t>(body.size()) + more);
    return Framing{Announced::length, static_cast<uint64_t>(bytes), true};
  };
  switch (reply.fault) {
    case Fault::gzip: {
      const std::string packed = gzipped(body);
      co_return co_await send_whole(shared, wire, reply,
                                    {Announced::length, packed.size(), false, "gzip"}, packed);
    }
    case Fault::empty_body:
      co_return co_await send_whole(shared, wire, reply, {Announced::length, 0}, {});
    case Fault::wrong_length:
      co_return co_await send_whole(shared, wire, reply,
                                    announced(reply.fault_at.value_or(kTooManyDefault)), body);
    case Fault::excess_length:
      co_return co_await send_whole(shared, wire, reply,
                                    announced(-reply.fault_at.value_or(kTooFewDefault)), body);
    case Fault::conflicting_length:
      co_return co_await send_whole(shared, wire, reply, {Announced::both, body.size(), true},
                                    body);
    case Fault::reset_in_body:
      send_first_part(shared, wire, reply);
      co_return co_await reset(wire);
    case Fault::half_close:
      send_first_part(shared, wire, reply);
      wire.finish();
      co_return co_await stall(wire);
    case Fault::stall:
      send_first_part(shared, wire, reply);
      co_return co_await stall(wire);
    case Fault::fragments:
      co_return co_await send_fragments(shared, wire, reply);
    case Fault::endless:
    case Fault::endless_line:
      co_return co_await send_endless(shared, wire, reply);
    case Fault::malformed_sse: {
      const std::string_view half = body.substr(0, body.size() / 2);
      co_return co_await send_whole(shared, wire, reply, {Announced::length, half.size()}, half);
    }
    case Fault::bad_utf8: {
      std::string spoilt(body);
      spoilt.insert(text_at(body), kNoUtf8);
      co_return co_await send_whole(shared, wire, reply, {Announced::length, spoilt.size()},
                                    spoilt);
    }
    case Fault::error_event: {
      const std::string error = to_json(error_of_status(500));
      co_return co_await send_whole(shared, wire, reply, {Announced::length, error.size()}, error);
    }
    default:  // the others are for streams, or are in the body already
      co_return co_await send_whole(shared, wire, reply, {Announced::length, body.size()}, body);
  }
}

}  // namespace mg::lab
