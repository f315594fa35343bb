// What credentials and sessions hold of mbedTLS. Internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tls/credentials.h"
#include "tls/mbedtls.h"
#include "tls/sessions.h"

namespace mg::tls {

struct TicketKeys::State {
  State() { mbedtls_ssl_ticket_init(&tickets); }
  ~State() { mbedtls_ssl_ticket_free(&tickets); }
  mbedtls_ssl_ticket_context tickets;  // has a lock of its own
};

// A chain and its key; never moved, because configurations point at them.
struct CertifiedKey {
  CertifiedKey() {
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&key);
  }
  ~CertifiedKey() {
    mbedtls_x509_crt_free(&chain);
    mbedtls_pk_free(&key);
  }
  CertifiedKey(const CertifiedKey&) = delete;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  std::vector<std::string> names;  // of the leaf, in lower case
};

// A configuration with what every connection of ours asks for.
struct SslConfig {
  explicit SslConfig(int endpoint);  // MBEDTLS_SSL_IS_SERVER or _CLIENT
  ~SslConfig() { mbedtls_ssl_config_free(&config); }
  SslConfig(const SslConfig&) = delete;
  mbedtls_ssl_config config;
};

struct ServerCredentials::State {
  std::shared_ptr<TicketKeys> tickets;
  std::vector<std::unique_ptr<CertifiedKey>> certified;
  std::vector<std::string> names;
  int64_t expires_wall_ms = 0;
  int64_t begins_wall_ms = 0;
  SslConfig ssl{MBEDTLS_SSL_IS_SERVER};
};

struct TrustStore::State {
  State() { mbedtls_x509_crt_init(&authorities); }
  ~State() { mbedtls_x509_crt_free(&authorities); }
  mbedtls_x509_crt authorities;
  size_t count = 0;
  uint64_t generation = 0;
  SslConfig ssl{MBEDTLS_SSL_IS_CLIENT};
};

struct Session::State {
  State() { mbedtls_ssl_session_init(&session); }
  ~State() { mbedtls_ssl_session_free(&session); }
  mbedtls_ssl_session session;
};

// Called by the library during a handshake; they tell the engine at work on this thread
// (engine.cc).
int on_server_name(void* credentials, mbedtls_ssl_context* ssl, const unsigned char* name,
                   size_t name_bytes);
int on_ticket(void* tickets, mbedtls_ssl_session* session, unsigned char* ticket, size_t bytes);
int on_certificate(void* unused, mbedtls_x509_crt* certificate, int depth, uint32_t* flags);

}  // namespace mg::tls
