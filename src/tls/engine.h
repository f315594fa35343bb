// One TLS connection without I/O: ciphered bytes in, plain bytes out, and the other way round. It
// keeps no buffers of its own beside mbedTLS's: every call is given what arrived and appends what
// must be sent.
//
// One thread at a time, not always the same: handshake steps may run in the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"
#include "tls/credentials.h"
#include "tls/sessions.h"

namespace mg::tls {

class Engine {
 public:
  static std::unique_ptr<Engine> server(std::shared_ptr<const ServerCredentials> credentials);
  // `host`: the name or address that the server's certificate must be for. `session` may be null.
  static std::unique_ptr<Engine> client(std::shared_ptr<const TrustStore> trust, std::string host,
                                        std::shared_ptr<const Session> session);
  ~Engine();
  Engine(const Engine&) = delete;

  enum class Handshake : uint8_t { wants_input, done };
  // Takes what it uses off the front of `in`. After an error too, `out` may hold an alert for the
  // peer. Errors: refused (the certificate, with the reason in words), protocol, closed.
  Result<Handshake> handshake(std::string_view& in, std::string& out);

  // Deciphers into `plain`; 0 means that more input is needed. Errors: closed (close_notify),
  // protocol.
  Result<size_t> read(std::string_view& in, std::span<char> plain, std::string& out);
  // Deciphered bytes wait that did not fit the last time.
  bool has_plain() const;
  // Appends the records. Errors: protocol, after which nothing can be sent.
  Result<> write(std::string_view plain, std::string& out);
  // close_notify: nothing more comes from us.
  void close(std::string& out);

  bool was_resumed() const { return was_resumed_; }
  std::string_view version() const;
  std::string_view cipher_suite() const;
  const std::string& server_name() const { return server_name_; }
  // A session newer than the one taken before, or null. Clients only.
  std::shared_ptr<const Session> take_session();

 private:
  struct State;
  friend struct EngineHooks;
  class Turn;

  explicit Engine(std::unique_ptr<State> state);
  Result<Handshake> end_of_handshake();
  Result<> check_address() const;
  void keep_session();
  bool took_ticket(int status);
  Error error_of(std::string_view doing, int status) const;

  std::unique_ptr<State> state_;
  std::shared_ptr<const ServerCredentials> credentials_;
  std::shared_ptr<const TrustStore> trust_;
  std::shared_ptr<const Session> new_session_;
  std::optional<IpAddress> address_;  // clients whose host is an address
  std::string server_name_;
  std::string_view* in_ = nullptr;  // of the present call
  std::string* out_ = nullptr;
  bool is_starved_ = false;  // the library asked for input, and there was none
  bool saw_certificate_ = false;
  bool was_resumed_ = false;
};

}  // namespace mg::tls
