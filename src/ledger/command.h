// What travels between a worker and the book: pointers to objects that were allocated before they
// were needed, so that a resolution can always be sent. A command belongs to the side that has it;
// handing it over through a mailbox hands over the right to touch it. The book returns every
// command to the port it came from, marks and leave-takings apart.
#pragma once

#include <array>
#include <coroutine>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ledger/state.h"
#include "ledger/types.h"

namespace mg::ledger {

class Book;
class Client;
class Port;

enum class CommandKind : uint8_t {
  hold,     // HoldCell::ask
  extend,   // HoldCell::ask
  resolve,  // HoldCell::resolution
  mark,     // MarkCommand; the book frees it
  flush,    // FlushCommand: marks have waited long enough; the book frees it
  call,     // Call
  leave,    // LeaveCommand: the port's last; the book frees it, and the port
};

struct Command {
  explicit Command(CommandKind k) : kind(k) {}
  CommandKind kind;
  Port* port = nullptr;
};

enum class Answer : uint8_t { none, done, refused, failed };

// A hold, from the moment it is asked for until its resolution has been answered: one object.
struct HoldCell {
  struct Ask : Command {
    explicit Ask(HoldCell& c) : Command(CommandKind::hold), cell(c) {}
    HoldCell& cell;
    Amounts more;  // of an extension
    Answer answer = Answer::none;
    Errc error = Errc::unavailable;
    HoldRefusal::Reason reason{};
    uint8_t index = 0;  // of the wallet or budget that fell short
    Money short_by;
    Id request;  // that used the digest
    Seq seq = 0;
  };

  enum class Action : uint8_t { post, release, detach };
  struct Resolution : Command {
    explicit Resolution(HoldCell& c) : Command(CommandKind::resolve), cell(c) {}
    HoldCell& cell;
    Action action = Action::release;
    VoidReason reason = VoidReason::dropped;
    Amounts prices;
    Money cost;
    ShortText<limits::account_owner_bytes_max> provider;
    Answer answer = Answer::none;
    Receipt receipt;
  };

  // Written before the hold is asked for, read by both sides afterwards.
  HoldRequest request;

  Ask ask{*this};
  Resolution resolution{*this};
  std::string settlement;  // its bytes, written when it is known

  // The worker's side.
  struct Owner {
    Client* client = nullptr;
    std::coroutine_handle<> ask_waiter;
    std::coroutine_handle<> resolve_waiter;
    Seq seq = 0;
    Amounts covers;
    std::optional<Mark> mark;
    uint8_t under_way = 0;  // commands the book has
    bool is_owned = false;  // by an awaiter or a Hold
    bool asking = false;    // `ask` is under way
    bool admitted = false;
    bool resolving = false;  // `resolution` was sent
    bool resolved = false;   // and answered
    bool keep = false;
  } owner;

  // The book's side.
  OpenHold open{*this};
};

struct MarkCommand : Command {
  MarkCommand(HoldCell& c, const Mark& m) : Command(CommandKind::mark), cell(c), mark(m) {}
  HoldCell& cell;
  Mark mark;
};

struct FlushCommand : Command {
  FlushCommand() : Command(CommandKind::flush) {}
};

struct LeaveCommand : Command {
  LeaveCommand() : Command(CommandKind::leave) {}
};

// Everything rare: runs on the book's thread, in its turn, and brings back a result.
struct Call : Command {
  enum class Effect : uint8_t { reads, writes };
  explicit Call(Effect e) : Command(CommandKind::call), effect(e) {}
  virtual ~Call() = default;
  virtual void judge(Book& book) = 0;
  virtual void fail(Error error) = 0;

  const Effect effect;
  HoldCell* adopted = nullptr;  // to be handed back when nobody waits any more
  std::coroutine_handle<> waiter;
  bool is_answered = false;
  bool is_abandoned = false;
};

// Frees a command that nobody will carry out or nobody will take the answer of, and the hold with
// its last one. On the thread of the book, or when there is none.
void discard(Command& command);

}  // namespace mg::ledger
