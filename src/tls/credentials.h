// What a side proves itself with, and whom it believes. Loaded from files into immutable objects;
// to reload, load again and hand the new object to whoever makes connections: running ones keep
// the one they began with. All of it may be shared between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mg::tls {

// Seals the tickets by which clients resume their sessions. One for the whole process, shared by
// workers and by generations of certificates, so that a reload costs nobody a full handshake.
// A key seals for `lifetime_s` and opens for as long again; then it is forgotten.
class TicketKeys {
 public:
  static constexpr uint32_t kLifetimeS = 6 * 3600;
  static Result<std::shared_ptr<TicketKeys>> make(uint32_t lifetime_s = kLifetimeS);
  ~TicketKeys();

 private:
  friend class ServerCredentials;
  struct State;
  explicit TicketKeys(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// PEM files: a chain, leaf first, and its private key (not encrypted).
struct CertificateFiles {
  std::string cert;
  std::string key;
};

// The certificates of a listener. Which one a client gets is decided by the name it asks for; the
// first of the list answers those that ask for none, or for an unknown one.
class ServerCredentials {
 public:
  // Errors name the file and the reason: not_found, invalid (also where the key is another
  // certificate's). An expired certificate loads: the caller looks at expires_wall_ms().
  static Result<std::shared_ptr<const ServerCredentials>> load(
      const std::vector<CertificateFiles>& files, std::shared_ptr<TicketKeys> tickets);
  ~ServerCredentials();

  // When the first certificate of any chain ends, in milliseconds since 1970.
  int64_t expires_wall_ms() const;
  // From when on the certificates of all chains are valid.
  int64_t begins_wall_ms() const;
  // The DNS names of all leaves, in order.
  const std::vector<std::string>& names() const;

  struct State;  // mbedTLS's side, for engine.cc
  State& state() const { return *state_; }

 private:
  explicit ServerCredentials(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

inline constexpr std::string_view kSystemTrustFile = "/etc/ssl/certs/ca-certificates.crt";

// The authorities whose certificates this gateway believes as a client. Load once and share: the
// system's own list takes a third of a megabyte.
class TrustStore {
 public:
  // Errors: not_found, invalid (no certificate could be read); they name the file.
  static Result<std::shared_ptr<const TrustStore>> load(const std::string& path);
  ~TrustStore();

  size_t authorities() const;
  // Differs for every load: a session begun under one is not resumed under another.
  uint64_t generation() const;

  struct State;
  State& state() const { return *state_; }

 private:
  explicit TrustStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mg::tls
