#include "lab/fault.h"

#include <array>

#include "base/assert.h"

namespace mg::lab {
namespace {

constexpr std::string_view kBodyAt =
    "events of a stream (default 3), bytes of a plain body (default: half of it)";

constexpr std::array<FaultNote, kFaultCount - 1> kFaultNotes = {{
    {Fault::reset_before_head, "reset-before-head", "", "resets the connection; no byte is sent"},
    {Fault::close_before_head, "close-before-head", "", "closes the connection; no byte is sent"},
    {Fault::stall_before_head, "stall-before-head", "", "never answers; the connection stays open"},
    {Fault::informational, "informational", "interim heads (default 1)",
     "sends heads of status 103 before the answer"},
    {Fault::reset_in_head, "reset-in-head", "bytes (default 20)",
     "resets the connection within the head"},
    {Fault::close_in_head, "close-in-head", "bytes (default 20)",
     "closes the connection within the head"},
    {Fault::garbage, "garbage", "bytes (default 64)",
     "sends bytes that are no HTTP, and closes the connection"},
    {Fault::conflicting_length, "conflicting-length", "",
     "a head with both Content-Length and Transfer-Encoding, then the body in chunks"},
    {Fault::html, "html", "", "a page of HTML instead of the answer, with the status as usual"},
    {Fault::gzip, "gzip", "", "the body compressed, although nobody asked for it"},
    {Fault::empty_body, "empty-body", "", "a head that announces no body"},
    {Fault::wrong_length, "wrong-length", "bytes announced too many (default 100)",
     "announces more than it sends, and closes the connection"},
    {Fault::excess_length, "excess-length", "bytes announced too few (default 10)",
     "sends more than it announces"},
    {Fault::reset_in_body, "reset-in-body", kBodyAt, "resets the connection within the body"},
    {Fault::half_close, "half-close", kBodyAt,
     "ends its side within the body, and keeps listening until the client leaves"},
    {Fault::stall, "stall", kBodyAt, "sends nothing more; the connection stays open"},
    {Fault::fragments, "fragments", "bytes of a piece (default 7)",
     "sends the body in pieces of so many bytes, one a millisecond, cut wherever they end"},
    {Fault::endless, "endless", "", "text that never ends, as fast as the client reads"},
    {Fault::endless_line, "endless-line", "events before it (default 3)",
     "a line that never ends, as fast as the client reads"},
    {Fault::malformed_sse, "malformed-sse", "the event (default 3)",
     "one event breaks off within its JSON, and the stream goes on; of a plain body, the first "
     "half"},
    {Fault::bad_utf8, "bad-utf8", "the event (default 3)", "bytes that are not UTF-8, in the text"},
    {Fault::error_event, "error-event", "events before it (default 3)",
     "an error in place of the rest, with status 200"},
    {Fault::odd_sse, "odd-sse", "",
     "legal but unusual: comments, CRLF, event and id fields, no blank behind the colon"},
    {Fault::cut_before_done, "cut-before-done", "",
     "closes the connection before [DONE], without ending the body"},
    {Fault::no_done, "no-done", "", "ends the body in good order, without [DONE]"},
    {Fault::no_finish, "no-finish", "", "no choice says why it ended"},
    {Fault::late_event, "late-event", "", "repeats the first text behind [DONE]"},
    {Fault::running_usage, "running-usage", "",
     "every chunk carries the usage so far, as some vendors do"},
    {Fault::missing_usage, "missing-usage", "", "no usage, although it was asked for"},
    {Fault::double_usage, "double-usage", "",
     "the usage twice: two last chunks, or two members of a plain answer"},
}};

}  // namespace

std::span<const FaultNote> fault_notes() { return kFaultNotes; }

std::string_view name(Fault fault) {
  if (fault == Fault::none) return "none";
  for (const FaultNote& note : kFaultNotes)
    if (note.fault == fault) return note.name;
  MG_ASSERT(!"fault out of range");
}

std::optional<Fault> parse_fault(std::string_view text) {
  if (text == "none") return Fault::none;
  for (const FaultNote& note : kFaultNotes)
    if (note.name == text) return note.fault;
  return std::nullopt;
}

}  // namespace mg::lab
