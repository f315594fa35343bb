// From a reply to bytes on the wire, spoilt as its fault has it. Internal to this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lab/wire.h"

namespace mg::lab {

// What becomes of the connection.
enum class After : uint8_t {
  keep_alive,
  close,  // in good order, behind what was sent
  over,   // nothing is left to do: the client is gone, or the fault has ended it
};

// Sends the reply and does what its fault says. All three must outlive the task.
event::Task<After> deliver(Shared& shared, Wire& wire, Reply& reply);

// ---- The parts of it.

// Fault::fragments, where fault-at does not say otherwise.
inline constexpr int64_t kPieceBytesDefault = 7;
inline constexpr int64_t kPieceMs = 1;  // between two pieces
// Fault::bad_utf8.
inline constexpr std::string_view kNoUtf8 = "\xff\xfe\x80";

// How a head announces the body.
enum class Announced : uint8_t { length, chunks, both, nothing };
struct Framing {
  Announced announced = Announced::length;
  uint64_t bytes = 0;
  bool closes = false;             // Connection: close
  std::string_view encoding = {};  // Content-Encoding; empty: none
};
void append_head(std::string& out, Shared& shared, const Reply& reply, const Framing& framing);

void append_chunk(std::string& out, std::string_view bytes);

// A streamed answer as one body; it is used up.
std::string whole_stream(Answer& answer);

// A body in gzip (RFC 1952).
std::string gzipped(std::string_view body);

// Faults instead of an answer, or in its head. Nothing where the reply has none of them, or where
// one only comes before it.
event::Task<std::optional<After>> deliver_no_answer(Wire& wire, const Reply& reply,
                                                    std::string_view head);

// With the body in reply.body.
event::Task<After> deliver_plain(Shared& shared, Wire& wire, const Reply& reply);
event::Task<After> deliver_stream(Shared& shared, Wire& wire, Reply& reply);

// Waits for what was sent to be taken, then breaks the connection.
event::Task<After> reset(Wire& wire);
// Sends nothing more, and waits until the client has had enough.
event::Task<After> stall(Wire& wire);
// Writes, and waits while the client is slow. False once it is gone.
event::Task<bool> write_patiently(Wire& wire, std::string_view bytes);

}  // namespace mg::lab
