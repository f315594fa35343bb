// TLS over any Stream. A connection is made by a coroutine that shakes hands in the pool, one step
// at a time, because one full handshake costs milliseconds of computing; what comes out is an
// event::Stream that deciphers and enciphers inline (about 2 us for a small record).
//
// Dropping anything at any moment is safe: a step in the pool owns what it works on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "event/loop.h"
#include "event/stream.h"
#include "tls/credentials.h"
#include "tls/sessions.h"

namespace mg::tls {

class Engine;

// Lies over the inner stream and owns it. One thread, that of its loop.
//
// read_start may find bytes that were deciphered or kept before; they are delivered at the end of
// the turn, never from inside read_start. The end: closed after the peer's close_notify; protocol
// when the connection just ended, because then something may have been cut off; else what broke.
class Stream final : public event::Stream, private event::ReadSink, private event::Deferred {
 public:
  // Use accept() and connect().
  Stream(event::Loop& loop, std::unique_ptr<event::Stream> inner, std::unique_ptr<Engine> engine,
         std::string received, std::optional<Error> end);
  ~Stream() override;

  void read_start(event::ReadSink& sink) override;
  void read_stop() override;
  using event::Stream::write;
  // Gathers small pieces into one record.
  Result<> write(std::span<const std::string_view> pieces) override;
  size_t queued_bytes() const override { return inner_->queued_bytes(); }
  // Says close_notify, then ends our side.
  void finish() override;
  void abort() override;
  SocketAddress peer() const override { return inner_->peer(); }

  bool was_resumed() const;
  std::string_view version() const;  // "TLSv1.2"
  std::string_view cipher_suite() const;
  std::string_view server_name() const;  // what the client asked for (SNI); empty for none

  // Where a client's sessions are kept, also those that come after the handshake (TLS 1.3). Must
  // outlive the stream.
  void keep_sessions_in(ClientSessions& sessions, std::string origin, uint64_t trust_generation);

 private:
  void on_bytes(std::string_view bytes) override;
  void on_read_end(Error error) override;
  void run() override;  // Deferred: delivers what was kept
  void deliver(std::string_view received);
  void tell_end();
  void keep_new_session();
  Result<> send(std::string_view ciphered);

  event::Loop& loop_;
  std::unique_ptr<event::Stream> inner_;
  std::unique_ptr<Engine> engine_;
  event::ReadSink* sink_ = nullptr;
  std::string kept_;           // received while nobody read
  std::optional<Error> end_;   // how reading ended, until the sink is told
  bool* destroyed_ = nullptr;  // set while the sink is being called, for the destructor
  ClientSessions* sessions_ = nullptr;
  std::string origin_;
  uint64_t trust_generation_ = 0;
  bool reading_ = false;
  bool ended_ = false;
  bool finishing_ = false;
};

// The server's side. The deadline covers the whole handshake; how many run at once is the caller's
// to bound. Errors: timeout, closed, protocol (the client speaks no TLS we accept).
event::Task<Result<std::unique_ptr<Stream>>> accept(
    event::Loop& loop, std::unique_ptr<event::Stream> inner,
    std::shared_ptr<const ServerCredentials> credentials, int64_t timeout_ms);

// The client's side. `host` is the name or address the certificate must be for; it is always
// checked. `origin` names the sessions to resume ("host:port").
// Errors: refused when the certificate is not acceptable, with the reason in words; else as above.
event::Task<Result<std::unique_ptr<Stream>>> connect(event::Loop& loop,
                                                     std::unique_ptr<event::Stream> inner,
                                                     std::shared_ptr<const TrustStore> trust,
                                                     ClientSessions& sessions, std::string host,
                                                     std::string origin, int64_t timeout_ms);

}  // namespace mg::tls
