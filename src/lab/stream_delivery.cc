#include "lab/delivery.h"
#include "lab/events.h"
#include "lab/seed.h"
#include "lab/speech.h"

namespace mg::lab {
namespace {

using Kind = Events::Kind;

constexpr int64_t kEventsDefault = 3;
constexpr int64_t kEventsPerTurn = 16;  // of a stream without intervals: others must be let in
constexpr std::string_view kText = "\"content\":\"";
constexpr std::string_view kDataField = "data: ";
constexpr std::string_view kEventEnd = "\n\n";

// Counts a stream for as long as it is being sent.
class OpenStream {
 public:
  explicit OpenStream(Counts& counts) : counts_(counts) { ++counts_.streams_open; }
  ~OpenStream() {
    --counts_.streams_open;
    ++counts_.streams_ended;
  }
  OpenStream(const OpenStream&) = delete;

 private:
  Counts& counts_;
};

// Faults that end the stream where they strike.
bool breaks_off(Fault fault) {
  switch (fault) {
    case Fault::reset_in_body:
    case Fault::half_close:
    case Fault::stall:
    case Fault::endless_line:
    case Fault::error_event:
      return true;
    default:
      return false;
  }
}

void append_event(std::string& out, std::string_view data) {
  out += http::ChunkLine(kDataField.size() + data.size() + kEventEnd.size()).view();
  out += kDataField;
  out += data;
  out += kEventEnd;
  out += http::kChunkEnd;
}

// What the format allows and few expect.
void append_odd_event(std::string& out, std::string_view data, int64_t number) {
  std::string event;
  if (number % 2 == 0) event += ": still here\r\n\r\n";
  event += "id: " + std::to_string(number) + "\r\nevent: message\r\nretry:3000\r\ndata:";
  event += data;
  event += "\r\n\r\n";
  append_chunk(out, event);
}

void spoil_text(std::string& data) {
  const size_t found = data.find(kText);
  data.insert(found == std::string::npos ? data.size() / 2 : found + kText.size(), kNoUtf8);
}

event::Task<After> send_endless_line(Shared& shared, Wire& wire) {
  std::string out;
  append_chunk(out, "data: {\"id\":\"");
  const Subject subject;
  for (uint64_t n = 0;; ++n) {
    const bool is_there = co_await write_patiently(wire, out);
    if (!is_there || wire.is_gone()) co_return After::over;
    out.clear();
    append_chunk(out, sentence(Speech::Register::answer, subject, n));
    co_await event::next_turn(shared.loop);
  }
}

event::Task<After> break_off(Shared& shared, Wire& wire, Fault fault) {
  switch (fault) {
    case Fault::reset_in_body:
      co_return co_await reset(wire);
    case Fault::endless_line:
      co_return co_await send_endless_line(shared, wire);
    case Fault::error_event: {
      std::string out;
      append_event(out, to_json(error_of_status(500)));
      out += http::kLastChunk;
      co_return wire.write(out) ? After::keep_alive : After::over;
    }
    case Fault::half_close:
      wire.finish();
      co_return co_await stall(wire);
    default:
      co_return co_await stall(wire);
  }
}

event::Task<After> send_fragments(Wire& wire, const Reply& reply, std::string body) {
  const auto piece =
      static_cast<size_t>(std::max<int64_t>(1, reply.fault_at.value_or(kPieceBytesDefault)));
  std::string out;
  for (size_t at = 0; at < body.size(); at += piece) {
    co_await wire.pause_ms(kPieceMs);
    out.clear();
    append_chunk(out, std::string_view(body).substr(at, piece));
    if (!wire.write(out)) co_return After::over;
  }
  co_return wire.write(http::kLastChunk) ? After::keep_alive : After::over;
}

// Lets time pass behind an event. False once the client is gone.
event::Task<bool> rest(Shared& shared, Wire& wire, const Reply& reply, int64_t number) {
  Pacer::From from = number == 0 ? Pacer::From::now : Pacer::From::last;
  if (wire.is_backed_up()) {
    const Result<> sent = co_await wire.drained();
    if (!sent) co_return false;
    from = Pacer::From::now;
  }
  if (reply.interval_ms > 0) {
    co_await wire.pause_ms(reply.interval_ms, from);
  } else if (number % kEventsPerTurn == kEventsPerTurn - 1) {
    co_await event::next_turn(shared.loop);
  }
  co_return !wire.is_gone();
}

}  // namespace

std::string whole_stream(Answer& answer) {
  std::string body, data;
  for (Events events(answer); events.next(data); data.clear()) {
    body += kDataField;
    body += data;
    body += kEventEnd;
  }
  return body;
}

event::Task<After> deliver_stream(Shared& shared, Wire& wire, Reply& reply) {
  const OpenStream open(shared.counts);
  const Fault fault = reply.fault;
  const int64_t strikes_at = reply.fault_at.value_or(kEventsDefault);
  wire.forget_request();
  std::string& out = shared.out;
  out.clear();
  append_head(out, shared, reply, {Announced::chunks});
  if (reply.first_byte_ms > 0 || fault == Fault::fragments) {
    wire.write(out);
    co_await wire.pause_ms(reply.first_byte_ms);
    out.clear();
  }
  if (fault == Fault::fragments)
    co_return co_await send_fragments(wire, reply, whole_stream(*reply.stream));

  Events events(*reply.stream);
  std::string& data = shared.event;
  std::string first_text;  // of a stream that says it once more
  for (int64_t number = 0;; ++number) {
    data.clear();
    const std::optional<Kind> kind = events.next(data);
    const bool strikes = number == strikes_at;
    if (breaks_off(fault) && (strikes || kind == Kind::done)) {
      if (!wire.write(out)) co_return After::over;
      co_return co_await break_off(shared, wire, fault);
    }
    if (kind == Kind::done) break;
    if (kind == Kind::finish && fault == Fault::no_finish) continue;
    if (kind == Kind::text && first_text.empty() && fault == Fault::late_event) first_text = data;
    if (strikes && fault == Fault::malformed_sse) data.resize(data.size() / 2);
    if (strikes && fault == Fault::bad_utf8) spoil_text(data);
    if (fault == Fault::odd_sse) {
      append_odd_event(out, data, number);
    } else {
      append_event(out, data);
    }
    const bool is_there = wire.write(out);
    if (!is_there) co_return After::over;
    if (kind == Kind::role || kind == Kind::text) {
      const bool goes_on = co_await rest(shared, wire, reply, number);
      if (!goes_on) co_return After::over;
    }
    out.clear();
  }
  out.clear();
  if (fault == Fault::cut_before_done) co_return After::close;
  if (fault != Fault::no_done) append_event(out, data);
  if (fault == Fault::late_event) append_event(out, first_text);
  out += http::kLastChunk;
  co_return wire.write(out) ? After::keep_alive : After::over;
}

}  // namespace mg::lab
