#include "tls/credentials.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>

#include "base/assert.h"
#include "base/calendar.h"
#include "base/limits.h"
#include "base/regular_file.h"
#include "base/text.h"
#include "tls/credentials_state.h"

namespace mg::tls {
namespace {

// Forward secrecy and authenticated encryption, nothing else. ChaCha before what this library does
// by itself: its AES-GCM takes one block at a time, even where the processor has instructions for
// it, and does 220 MB/s.
constexpr int kCipherSuites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

// The same, where libsodium does AES-256-GCM, in half the time of ChaCha20-Poly1305.
constexpr int kCipherSuitesOfQuickGcm[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    0,
};

const char* const kProtocols[] = {"http/1.1", nullptr};

// The library's own order begins with secp521r1, which costs 2.5 times as much. Clients also offer
// P-384: upstreams with such a certificate could not be reached without it.
void set_curves(mbedtls_ssl_config* config, int endpoint) {
#if MBEDTLS_VERSION_MAJOR >= 3
  static constexpr uint16_t kServer[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                         MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
  static constexpr uint16_t kClient[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                         MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                         MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, 0};
  mbedtls_ssl_conf_groups(config, endpoint == MBEDTLS_SSL_IS_SERVER ? kServer : kClient);
#else
  static constexpr mbedtls_ecp_group_id kServer[] = {MBEDTLS_ECP_DP_CURVE25519,
                                                     MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
  static constexpr mbedtls_ecp_group_id kClient[] = {MBEDTLS_ECP_DP_CURVE25519,
                                                     MBEDTLS_ECP_DP_SECP256R1,
                                                     MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
  static constexpr int kHashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                    MBEDTLS_MD_NONE};
  mbedtls_ssl_conf_curves(config, endpoint == MBEDTLS_SSL_IS_SERVER ? kServer : kClient);
  mbedtls_ssl_conf_sig_hashes(config, kHashes);
#endif
}

// The names the leaf is for: DNS names of the extension, or the common name of old certificates.
std::vector<std::string> names_of(const mbedtls_x509_crt& leaf) {
  std::vector<std::string> names;
  for (const mbedtls_x509_sequence* at = &leaf.subject_alt_names; at; at = at->next) {
    const int kind = at->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
    if (at->buf.p && kind == MBEDTLS_X509_SAN_DNS_NAME) names.push_back(to_lower(text_of(at->buf)));
  }
  if (!names.empty()) return names;
  for (const mbedtls_x509_name* at = &leaf.subject; at; at = at->next)
    if (at->oid.p && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0)
      names.push_back(to_lower(text_of(at->val)));
  return names;
}

int64_t wall_ms_of(const mbedtls_x509_time& time) {
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", time.year, time.mon, time.day,
                time.hour, time.min, time.sec);
  return parse_time_ms(text).value_or(0);
}

int64_t end_of(const mbedtls_x509_crt& chain) {
  int64_t first_end = wall_ms_of(chain.valid_to);
  for (const mbedtls_x509_crt* at = chain.next; at; at = at->next)
    first_end = std::min(first_end, wall_ms_of(at->valid_to));
  return first_end;
}

int64_t begin_of(const mbedtls_x509_crt& chain) {
  int64_t last_begin = wall_ms_of(chain.valid_from);
  for (const mbedtls_x509_crt* at = chain.next; at; at = at->next)
    last_begin = std::max(last_begin, wall_ms_of(at->valid_from));
  return last_begin;
}

size_t count_of(std::string_view text, std::string_view word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

size_t length_of(const mbedtls_x509_crt& chain) {
  size_t count = 0;
  for (const mbedtls_x509_crt* at = &chain; at && at->raw.p; at = at->next) ++count;
  return count;
}

// Reads a file of PEM certificates; returns how many it holds, readable or not. The library takes
// a file that ends within a certificate for whole, and a reload may catch one half written.
Result<size_t> load_certificates(const std::string& path, mbedtls_x509_crt& chain) {
  MG_TRY(const std::string text, read_regular_file(path, limits::pem_bytes_max));
  const size_t begun = count_of(text, "-----BEGIN ");
  if (begun == 0) return fail(Errc::invalid, path + " holds no certificate in PEM");
  if (begun != count_of(text, "-----END ")) return fail(Errc::invalid, path + " is cut off");
  const int status = mbedtls_x509_crt_parse(&chain, bytes_of(text), text.size() + 1);
  if (status < 0) return tl::unexpected(library_error(Errc::invalid, path, status));
  return begun;
}

Result<std::unique_ptr<CertifiedKey>> load_certified(const CertificateFiles& files) {
  auto loaded = std::make_unique<CertifiedKey>();
  MG_TRY(const size_t begun, load_certificates(files.cert, loaded->chain));
  if (length_of(loaded->chain) != begun)
    return fail(Errc::invalid, files.cert + " holds something else than certificates");
  MG_TRY(std::string key, read_regular_file(files.key, limits::pem_bytes_max));
  const int status = parse_key(&loaded->key, key);
  mbedtls_platform_zeroize(key.data(), key.size());
  if (status != 0)
    return tl::unexpected(library_error(Errc::invalid, "private key " + files.key, status));
  if (check_pair(&loaded->chain.pk, &loaded->key) != 0)
    return fail(Errc::invalid,
                "the private key " + files.key + " is not that of the certificate " + files.cert);
  loaded->names = names_of(loaded->chain);
  return loaded;
}

}  // namespace

SslConfig::SslConfig(int endpoint) {
  make_ready();
  mbedtls_ssl_config_init(&config);
  const int status = mbedtls_ssl_config_defaults(&config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT);
  MG_ASSERT(status == 0);
  mbedtls_ssl_conf_rng(&config, fill_random, nullptr);
  mbedtls_ssl_conf_ciphersuites(&config, has_quick_gcm() ? kCipherSuitesOfQuickGcm : kCipherSuites);
  set_curves(&config, endpoint);
#if MBEDTLS_VERSION_MAJOR >= 3
  mbedtls_ssl_conf_min_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
  // The library keeps the pointer and never writes through it.
  const int named = mbedtls_ssl_conf_alpn_protocols(&config, const_cast<const char**>(kProtocols));
  MG_ASSERT(named == 0);
}

TicketKeys::TicketKeys(std::unique_ptr<State> state) : state_(std::move(state)) {}
TicketKeys::~TicketKeys() = default;

Result<std::shared_ptr<TicketKeys>> TicketKeys::make(uint32_t lifetime_s) {
  make_ready();
  auto state = std::make_unique<State>();
  const int status = mbedtls_ssl_ticket_setup(&state->tickets, fill_random, nullptr,
                                              MBEDTLS_CIPHER_AES_256_GCM, lifetime_s);
  if (status != 0) return tl::unexpected(library_error(Errc::io, "ticket keys", status));
  return std::shared_ptr<TicketKeys>(new TicketKeys(std::move(state)));
}

ServerCredentials::ServerCredentials(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerCredentials::~ServerCredentials() = default;

Result<std::shared_ptr<const ServerCredentials>> ServerCredentials::load(
    const std::vector<CertificateFiles>& files, std::shared_ptr<TicketKeys> tickets) {
  if (files.empty()) return fail(Errc::invalid, "no certificate");
  auto state = std::make_unique<State>();
  for (const CertificateFiles& pair : files) {
    MG_TRY(std::unique_ptr<CertifiedKey> certified, load_certified(pair));
    const int64_t end_ms = end_of(certified->chain);
    if (state->certified.empty() || end_ms < state->expires_wall_ms)
      state->expires_wall_ms = end_ms;
    state->begins_wall_ms = std::max(state->begins_wall_ms, begin_of(certified->chain));
    state->names.insert(state->names.end(), certified->names.begin(), certified->names.end());
    state->certified.push_back(std::move(certified));
  }
  mbedtls_ssl_config* config = &state->ssl.config;
  CertifiedKey& first = *state->certified.front();
  const int status = mbedtls_ssl_conf_own_cert(config, &first.chain, &first.key);
  if (status != 0) return tl::unexpected(library_error(Errc::invalid, files.front().cert, status));
  mbedtls_ssl_conf_sni(config, on_server_name, state.get());
  if (tickets) {
    mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write, on_ticket,
                                        &tickets->state_->tickets);
    state->tickets = std::move(tickets);
  }
  return std::shared_ptr<const ServerCredentials>(new ServerCredentials(std::move(state)));
}

int64_t ServerCredentials::expires_wall_ms() const { return state_->expires_wall_ms; }
int64_t ServerCredentials::begins_wall_ms() const { return state_->begins_wall_ms; }
const std::vector<std::string>& ServerCredentials::names() const { return state_->names; }

TrustStore::TrustStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrustStore::~TrustStore() = default;

Result<std::shared_ptr<const TrustStore>> TrustStore::load(const std::string& path) {
  static std::atomic<uint64_t> generations{0};
  auto state = std::make_unique<State>();
  MG_CHECK(load_certificates(path, state->authorities));
  // Some lists hold a certificate in a form the library does not know; the others still count.
  state->count = length_of(state->authorities);
  state->generation = ++generations;
  mbedtls_ssl_config* config = &state->ssl.config;
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(config, &state->authorities, nullptr);
  mbedtls_ssl_conf_cert_profile(config, &mbedtls_x509_crt_profile_next);
  mbedtls_ssl_conf_verify(config, on_certificate, nullptr);
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
#endif
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      config, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
  return std::shared_ptr<const TrustStore>(new TrustStore(std::move(state)));
}

size_t TrustStore::authorities() const { return state_->count; }
uint64_t TrustStore::generation() const { return state_->generation; }

}  // namespace mg::tls
