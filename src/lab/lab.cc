#include "lab/lab.h"

#include "lab/delivery.h"
#include "lab/wire.h"

namespace mg::lab {
namespace {

// For a client to read our last words after we ended.
constexpr int64_t kLingerMs = 1000;

}  // namespace

// A connection, from its arrival until it is swept out.
class Lab::Guest final : public event::Link {
 public:
  event::Task<> task;
  Wire* wire = nullptr;  // while it is served
};

Lab::Lab(event::Loop& loop, event::Sockets& sockets, uint64_t seed, LabOptions options)
    : sockets_(sockets),
      shared_(std::make_unique<Shared>(loop, std::move(options), seed)),
      sweep_(*this) {}

Lab::~Lab() {
  listeners_.clear();
  drop(guests_);
  drop(left_);
}

Result<SocketAddress> Lab::listen(const SocketAddress& address) {
  MG_TRY(std::unique_ptr<event::Listener> listener,
         sockets_.listen(address, event::PortSharing::exclusive, *this));
  const SocketAddress bound = listener->address();
  listeners_.push_back(std::move(listener));
  return bound;
}

const Counts& Lab::counts() const { return shared_->counts; }

void Lab::reset_counts() { shared_->counts.reset(); }

void Lab::drain() {
  listeners_.clear();
  for (event::Link* link = guests_.front(); link;) {
    event::Link* next = guests_.next(*link);  // an idle one leaves at once
    if (Wire* wire = static_cast<Guest*>(link)->wire) wire->end_when_idle();
    link = next;
  }
}

void Lab::on_accept(std::unique_ptr<event::Stream> stream) {
  if (connections_ >= limits::connections_max) return;  // closed, with nothing said
  auto* guest = new Guest;                              // owned by guests_, then left_
  guests_.push_back(*guest);
  ++connections_;
  ++shared_->counts.connections;
  ++shared_->counts.connections_open;
  guest->task = serve(*guest, std::move(stream));
  guest->task.start();
}

event::Task<> Lab::serve(Guest& guest, std::unique_ptr<event::Stream> stream) {
  Wire wire(*shared_, std::move(stream));
  guest.wire = &wire;
  After after = After::keep_alive;
  while (after == After::keep_alive) {
    const Wire::Arrival arrival = co_await wire.next_request();
    if (arrival == Wire::Arrival::nothing) break;
    Reply reply = arrival == Wire::Arrival::nonsense
                      ? shared_->provider.rejection(wire.error().status, wire.error().reason)
                      : shared_->provider.reply(wire.head(), wire.body());
    const bool is_last = arrival == Wire::Arrival::nonsense || !wire.head().keep_alive;
    after = co_await deliver(*shared_, wire, reply);
    if (after == After::over && !wire.was_reset()) ++shared_->counts.clients_left;
    if (after == After::keep_alive && is_last) after = After::close;
  }
  if (!wire.is_gone()) {
    wire.finish();
    co_await wire.pause_ms(kLingerMs);
  }
  // The last step may have been taken from inside a call of the stream's.
  co_await event::next_turn(shared_->loop);
  guest.wire = nullptr;
  leave(guest);
}

void Lab::leave(Guest& guest) {
  guest.unlink();
  left_.push_back(guest);
  if (!sweep_.is_linked()) shared_->loop.defer(sweep_);
}

void Lab::drop(event::LinkList& guests) {
  while (event::Link* link = guests.pop_front()) {
    const std::unique_ptr<Guest> guest(static_cast<Guest*>(link));
    --connections_;
    --shared_->counts.connections_open;
  }
}

}  // namespace mg::lab
