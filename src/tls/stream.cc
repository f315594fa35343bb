#include "tls/stream.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "tls/engine.h"
#include "tls/scratch.h"

namespace mg::tls {

Stream::Stream(event::Loop& loop, std::unique_ptr<event::Stream> inner,
               std::unique_ptr<Engine> engine, std::string received, std::optional<Error> end)
    : loop_(loop),
      inner_(std::move(inner)),
      engine_(std::move(engine)),
      kept_(std::move(received)) {
  follow(*inner_);
  if (end) on_read_end(std::move(*end));
}

Stream::~Stream() {
  if (destroyed_) *destroyed_ = true;
}

void Stream::read_start(event::ReadSink& sink) {
  sink_ = &sink;
  if (reading_ || ended_) return;
  reading_ = true;
  if ((!kept_.empty() || end_ || engine_->has_plain()) && !is_linked()) loop_.defer(*this);
  if (!end_) inner_->read_start(*this);
}

void Stream::read_stop() {
  reading_ = false;
  inner_->read_stop();
}

void Stream::on_bytes(std::string_view bytes) {
  const bool must_wait = destroyed_ || !kept_.empty() || is_linked() || !reading_;
  if (!must_wait) {
    deliver(bytes);
    return;
  }
  kept_.append(bytes);
  if (reading_ && !destroyed_ && !is_linked()) loop_.defer(*this);
}

void Stream::on_read_end(Error error) {
  if (end_) return;
  if (error.code == Errc::closed)
    error = {Errc::protocol, "the connection ended without close_notify: it may be cut off"};
  end_ = std::move(error);
  if (destroyed_) return;  // deliver() is at work and will see it
  if (kept_.empty() && !is_linked()) tell_end();
}

void Stream::run() {
  const std::string received = std::exchange(kept_, {});
  deliver(received);
}

// Deciphers and hands on as much as the sink wants. The sink may stop reading, write, or destroy
// this stream from inside.
void Stream::deliver(std::string_view received) {
  bool destroyed = false;
  destroyed_ = &destroyed;
  Scratch scratch;
  while (reading_) {
    const std::span<char> room = scratch.plain();
    size_t filled = 0;
    Result<size_t> read(0);
    do {
      read = engine_->read(received, room.subspan(filled), scratch.ciphered());
      if (read) filled += *read;
    } while (read && *read > 0 && filled < room.size());
    if (!scratch.ciphered().empty()) {
      (void)send(scratch.ciphered());  // an alert or the like; a failure is told to the writers
      scratch.ciphered().clear();
    }
    // A close_notify that waited here was sent before the connection ended, however that ended.
    if (!read && (!end_ || read.error().code == Errc::closed)) end_ = read.error();
    keep_new_session();
    if (filled > 0) {
      sink_->on_bytes({room.data(), filled});
      if (destroyed) return;
    }
    if (!read || *read == 0) break;
  }
  destroyed_ = nullptr;
  if (!received.empty()) kept_.insert(0, received);
  if (!reading_) return;
  if (!kept_.empty() && !end_) {
    loop_.defer(*this);
  } else if (end_) {
    tell_end();
  }
}

void Stream::tell_end() {
  if (!reading_ || ended_) return;
  read_stop();
  ended_ = true;
  kept_.clear();
  sink_->on_read_end(*end_);
}

void Stream::keep_sessions_in(ClientSessions& sessions, std::string origin,
                              uint64_t trust_generation) {
  sessions_ = &sessions;
  origin_ = std::move(origin);
  trust_generation_ = trust_generation;
  keep_new_session();
}

void Stream::keep_new_session() {
  if (!sessions_) return;
  if (auto session = engine_->take_session())
    sessions_->keep(origin_, trust_generation_, std::move(session));
}

Result<> Stream::send(std::string_view ciphered) {
  // The inner stream tells us of its failures too (follow), so writers here see them.
  return inner_->write(ciphered);
}

Result<> Stream::write(std::span<const std::string_view> pieces) {
  if (write_error()) return tl::unexpected(*write_error());
  if (finishing_) return fail(Errc::closed, "our side was ended");
  Scratch scratch;
  const std::span<char> room = scratch.plain();
  size_t gathered = 0;
  const auto encipher = [&](std::string_view plain) {
    return engine_->write(plain, scratch.ciphered());
  };
  for (std::string_view piece : pieces) {
    if (piece.size() >= room.size() - gathered) {
      MG_CHECK(encipher({room.data(), gathered}));
      gathered = 0;
    }
    if (piece.size() >= room.size()) {
      MG_CHECK(encipher(piece));
    } else {
      std::memcpy(room.data() + gathered, piece.data(), piece.size());
      gathered += piece.size();
    }
  }
  MG_CHECK(encipher({room.data(), gathered}));
  if (scratch.ciphered().empty()) return {};
  return send(scratch.ciphered());
}

void Stream::finish() {
  if (std::exchange(finishing_, true)) return;
  if (!write_error()) {
    Scratch scratch;
    engine_->close(scratch.ciphered());
    if (!scratch.ciphered().empty()) (void)send(scratch.ciphered());
  }
  inner_->finish();
}

void Stream::abort() { inner_->abort(); }

bool Stream::was_resumed() const { return engine_->was_resumed(); }
std::string_view Stream::version() const { return engine_->version(); }
std::string_view Stream::cipher_suite() const { return engine_->cipher_suite(); }
std::string_view Stream::server_name() const { return engine_->server_name(); }

}  // namespace mg::tls
