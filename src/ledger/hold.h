// A hold as its owner sees it: an object that is resolved exactly once, whatever happens to the
// coroutine around it.
//
//   auto asked = co_await ledger.hold(request);           // Result<HoldOutcome>
//   if (!asked) ...;                                      // unavailable, overloaded, invalid
//   if (auto* no = std::get_if<HoldRefusal>(&*asked)) ...;
//   Hold hold = std::move(std::get<Hold>(*asked));
//   ... hold.mark(...) as bytes go out ...
//   const auto durable = co_await hold.durable();         // before the first byte goes out
//   const auto receipt = co_await std::move(hold).post(settlement);
//
// Everything here belongs to the thread of its client, and must be gone before the client is.
// Calls take effect when they are made, in the order they are made; awaiting only waits for the
// answer, and dropping what awaits is always safe. From hold to receipt, one object on the heap.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>
#include <variant>

#include "base/result.h"
#include "event/loop.h"
#include "ledger/types.h"

namespace mg::ledger {

class Client;
class Hold;
struct HoldCell;

// co_await client.durable(seq): until every record up to that number is on disk.
// Errors: unavailable, when a commit failed and no more will come.
class [[nodiscard]] DurableAwaiter {
 public:
  DurableAwaiter(Client& client, Seq seq) : client_(client), seq_(seq) {}
  DurableAwaiter(const DurableAwaiter&) = delete;
  ~DurableAwaiter();
  bool await_ready() const;
  bool await_suspend(std::coroutine_handle<> waiter);
  Result<> await_resume() const;

 private:
  friend class Client;
  Client& client_;
  const Seq seq_;
  std::coroutine_handle<> waiter_;
  DurableAwaiter* next_ = nullptr;
  DurableAwaiter* previous_ = nullptr;
  bool waiting_ = false;
};

using HoldOutcome = std::variant<Hold, HoldRefusal>;

struct Extended {
  Seq seq = 0;  // durable from then on
};
using ExtendOutcome = std::variant<Extended, HoldRefusal>;

// Dropped before its answer: the hold, should it be admitted, is voided.
class [[nodiscard]] HoldAwaiter {
 public:
  explicit HoldAwaiter(HoldCell* cell) : cell_(cell) {}
  explicit HoldAwaiter(Error error) : error_(std::move(error)) {}
  HoldAwaiter(const HoldAwaiter&) = delete;
  ~HoldAwaiter();
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> waiter);
  Result<HoldOutcome> await_resume();

 private:
  HoldCell* cell_ = nullptr;
  std::optional<Error> error_;
};

// Dropped before its answer: the hold may have grown or not; it is resolved as a whole anyway.
// It refers to the hold's object and must go before the hold is resolved.
class [[nodiscard]] ExtendAwaiter {
 public:
  explicit ExtendAwaiter(HoldCell* cell) : cell_(cell) {}
  explicit ExtendAwaiter(Error error) : error_(std::move(error)) {}
  ExtendAwaiter(const ExtendAwaiter&) = delete;
  ~ExtendAwaiter();
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> waiter);
  Result<ExtendOutcome> await_resume();

 private:
  HoldCell* cell_ = nullptr;
  std::optional<Error> error_;
};

// The resolution was sent when it was called; dropped, it is not taken back.
class [[nodiscard]] ResolveAwaiter {
 public:
  explicit ResolveAwaiter(HoldCell* cell) : cell_(cell) {}
  explicit ResolveAwaiter(Error error) : error_(std::move(error)) {}
  ResolveAwaiter(const ResolveAwaiter&) = delete;
  ~ResolveAwaiter();
  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> waiter);
  // Of a hold that was voided, a receipt of 0.
  Result<Receipt> await_resume();

 private:
  HoldCell* cell_ = nullptr;
  std::optional<Error> error_;
};

class [[nodiscard]] Hold {
 public:
  Hold(Hold&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  Hold& operator=(Hold&& other) noexcept;
  // Unresolved: posts what was metered once there is a mark, and voids before. A kept one stays.
  ~Hold();

  const Id& request() const;
  Seq seq() const;
  // What it covers now, per wallet.
  const Amounts& amounts() const;

  // Until the hold's own record is on disk. (An extension has a number of its own.)
  DurableAwaiter durable();

  // Asks for more, per wallet, under the budgets of the hold.
  // Errors: unavailable; invalid for a negative amount; conflict while another one is asked.
  ExtendAwaiter extend(const Amounts& more);

  // What was used so far, in case the hold is dropped. Costs a store; call it as often as you like.
  void meter(const Mark& mark);
  // The same, and in the journal as well, in case the process dies. It rides in commits that
  // happen anyway, and waits at most mark_commit_ms for one. Every 5 s or 10 % of the hold is meet.
  void mark(const Mark& mark);
  // Of the last of both.
  const std::optional<Mark>& last_mark() const;

  // Charges each wallet its lines. What exceeds the hold extends it first, as far as funds and
  // budgets go; the rest is the receipt's shortfall. Answered once it is ordered; wait for
  // durable(receipt.seq) before telling anyone who must not be lied to.
  // Errors: unavailable. invalid, for a settlement that is wrong in itself (a line that is not its
  // product, a sum that overflows): then the hold is resolved as if it had been dropped.
  ResolveAwaiter post(const Settlement& settlement) &&;
  // Charges nothing. Errors: unavailable.
  ResolveAwaiter release(VoidReason reason) &&;

  // For task holds: from now on dropping this object leaves the hold open, and Client::adopt finds
  // it again by its request id.
  void keep();

 private:
  friend class HoldAwaiter;
  friend class Client;
  explicit Hold(HoldCell* cell) : cell_(cell) {}
  HoldCell* cell_;
};

}  // namespace mg::ledger
