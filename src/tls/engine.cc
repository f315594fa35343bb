#include "tls/engine.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/text.h"
#include "tls/credentials_state.h"

namespace mg::tls {
namespace {

// Whose call the library is in. Its callbacks belong to configurations, which many share.
thread_local Engine* engine_at_work = nullptr;

bool is_name_for(std::string_view pattern, std::string_view name) {
  if (pattern == name) return true;
  if (!pattern.starts_with("*.")) return false;
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && name.substr(dot) == pattern.substr(1);
}

bool wants_more(int status) {
  return status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE;
}

}  // namespace

struct Engine::State {
  State() { mbedtls_ssl_init(&ssl); }
  ~State() { mbedtls_ssl_free(&ssl); }
  mbedtls_ssl_context ssl;
};

// Lends the call's input and output to the library's callbacks.
class Engine::Turn {
 public:
  Turn(Engine& engine, std::string_view* in, std::string* out)
      : engine_(engine), before_(engine_at_work) {
    engine_.in_ = in;
    engine_.out_ = out;
    engine_.is_starved_ = false;
    engine_at_work = &engine_;
  }
  ~Turn() {
    engine_.in_ = nullptr;
    engine_.out_ = nullptr;
    engine_at_work = before_;
  }

 private:
  Engine& engine_;
  Engine* const before_;
};

struct EngineHooks {
  static int send(void* engine, const unsigned char* bytes, size_t count) {
    std::string* out = static_cast<Engine*>(engine)->out_;
    MG_ASSERT(out);
    out->append(reinterpret_cast<const char*>(bytes), count);
    return static_cast<int>(count);
  }
  static int receive(void* engine, unsigned char* out, size_t count) {
    auto* self = static_cast<Engine*>(engine);
    std::string_view* in = self->in_;
    if (!in || in->empty()) {
      self->is_starved_ = true;
      return MBEDTLS_ERR_SSL_WANT_READ;
    }
    count = std::min(count, in->size());
    std::memcpy(out, in->data(), count);
    in->remove_prefix(count);
    return static_cast<int>(count);
  }
  static void name_asked(std::string name) {
    if (engine_at_work) engine_at_work->server_name_ = std::move(name);
  }
  static void resumed() {
    if (engine_at_work) engine_at_work->was_resumed_ = true;
  }
  static void certificate_seen() {
    if (engine_at_work) engine_at_work->saw_certificate_ = true;
  }
};

int on_server_name(void* credentials, mbedtls_ssl_context* ssl, const unsigned char* name,
                   size_t name_bytes) {
  const auto& state = *static_cast<ServerCredentials::State*>(credentials);
  const std::string asked = to_lower({reinterpret_cast<const char*>(name), name_bytes});
  for (const auto& certified : state.certified) {
    const bool is_for =
        std::any_of(certified->names.begin(), certified->names.end(),
                    [&](const std::string& pattern) { return is_name_for(pattern, asked); });
    if (!is_for) continue;
    const int status = mbedtls_ssl_set_hs_own_cert(ssl, &certified->chain, &certified->key);
    if (status != 0) return status;
  }
  EngineHooks::name_asked(asked);
  return 0;
}

int on_ticket(void* tickets, mbedtls_ssl_session* session, unsigned char* ticket, size_t bytes) {
  const int status = mbedtls_ssl_ticket_parse(tickets, session, ticket, bytes);
  if (status == 0) EngineHooks::resumed();
  return status;
}

int on_certificate(void*, mbedtls_x509_crt*, int, uint32_t*) {
  EngineHooks::certificate_seen();
  return 0;
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

std::unique_ptr<Engine> Engine::server(std::shared_ptr<const ServerCredentials> credentials) {
  std::unique_ptr<Engine> engine(new Engine(std::make_unique<State>()));
  engine->credentials_ = std::move(credentials);
  mbedtls_ssl_context* ssl = &engine->state_->ssl;
  MG_ASSERT(mbedtls_ssl_setup(ssl, &engine->credentials_->state().ssl.config) == 0);
  mbedtls_ssl_set_bio(ssl, engine.get(), EngineHooks::send, EngineHooks::receive, nullptr);
  return engine;
}

std::unique_ptr<Engine> Engine::client(std::shared_ptr<const TrustStore> trust, std::string host,
                                       std::shared_ptr<const Session> session) {
  std::unique_ptr<Engine> engine(new Engine(std::make_unique<State>()));
  engine->trust_ = std::move(trust);
  engine->address_ = IpAddress::parse(host);
  mbedtls_ssl_context* ssl = &engine->state_->ssl;
  MG_ASSERT(mbedtls_ssl_setup(ssl, &engine->trust_->state().ssl.config) == 0);
  // Always set, because a client without a name verifies none (CVE-2025-27809). An address is not a
  // server name (RFC 6066): the certificate is compared with it at the end of the handshake.
  const char* const name = engine->address_ ? nullptr : host.c_str();
  MG_ASSERT(mbedtls_ssl_set_hostname(ssl, name) == 0);
  mbedtls_ssl_set_bio(ssl, engine.get(), EngineHooks::send, EngineHooks::receive, nullptr);
  // A session the library will not take is no reason not to connect.
  if (session) (void)mbedtls_ssl_set_session(ssl, &session->state().session);
  return engine;
}

Error Engine::error_of(std::string_view doing, int status) const {
  if (status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return {Errc::closed, "closed by the peer"};
  if (status != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
    return library_error(Errc::protocol, doing, status);
  char text[512];
  const uint32_t flags = mbedtls_ssl_get_verify_result(&state_->ssl);
  mbedtls_x509_crt_verify_info(text, sizeof text, "", flags);
  std::string reason(text);
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  return {Errc::refused, "the certificate is not acceptable: " + reason};
}

Result<Engine::Handshake> Engine::handshake(std::string_view& in, std::string& out) {
  const Turn turn(*this, &in, &out);
  const int status = mbedtls_ssl_handshake(&state_->ssl);
  if (wants_more(status)) return Handshake::wants_input;
  if (status != 0) return tl::unexpected(error_of("TLS handshake", status));
  return end_of_handshake();
}

Result<Engine::Handshake> Engine::end_of_handshake() {
  if (trust_) {
    was_resumed_ = !saw_certificate_;
    MG_CHECK(check_address());
    keep_session();
  }
  return Handshake::done;
}

// The certificate must name the address we connected to.
Result<> Engine::check_address() const {
  if (!address_) return {};
  const mbedtls_x509_crt* leaf = mbedtls_ssl_get_peer_cert(&state_->ssl);
  const std::string_view wanted(reinterpret_cast<const char*>(address_->data()), address_->size());
  for (const mbedtls_x509_sequence* at = leaf ? &leaf->subject_alt_names : nullptr; at;
       at = at->next) {
    const int kind = at->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
    if (at->buf.p && kind == MBEDTLS_X509_SAN_IP_ADDRESS && text_of(at->buf) == wanted) return {};
  }
  return fail(Errc::refused, "the certificate is not acceptable: it is not for this address");
}

void Engine::keep_session() {
  auto session = std::make_unique<Session::State>();
  if (mbedtls_ssl_get_session(&state_->ssl, &session->session) != 0) return;
  new_session_ = std::make_shared<const Session>(std::move(session));
}

std::shared_ptr<const Session> Engine::take_session() {
  return std::exchange(new_session_, nullptr);
}

Result<size_t> Engine::read(std::string_view& in, std::span<char> plain, std::string& out) {
  const Turn turn(*this, &in, &out);
  for (;;) {
    const int status = mbedtls_ssl_read(
        &state_->ssl, reinterpret_cast<unsigned char*>(plain.data()), plain.size());
    if (status > 0) return static_cast<size_t>(status);
    // The library also stops after a record without data; only when it asked for more is it done.
    if (wants_more(status) && is_starved_) return size_t{0};
    if (wants_more(status) || took_ticket(status)) continue;
    return tl::unexpected(error_of("TLS record", status));
  }
}

// TLS 1.3 sends what a session is resumed with after the handshake, and says so by an "error".
bool Engine::took_ticket([[maybe_unused]] int status) {
#if MBEDTLS_VERSION_MAJOR >= 3
  if (status != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) return false;
  keep_session();
  return true;
#else
  return false;
#endif
}

bool Engine::has_plain() const { return mbedtls_ssl_get_bytes_avail(&state_->ssl) > 0; }

Result<> Engine::write(std::string_view plain, std::string& out) {
  const Turn turn(*this, nullptr, &out);
  while (!plain.empty()) {
    const int status = mbedtls_ssl_write(&state_->ssl, bytes_of(plain), plain.size());
    if (took_ticket(status)) continue;
    if (status <= 0) return tl::unexpected(error_of("TLS record", status));
    plain.remove_prefix(static_cast<size_t>(status));
  }
  return {};
}

void Engine::close(std::string& out) {
  const Turn turn(*this, nullptr, &out);
  mbedtls_ssl_close_notify(&state_->ssl);
}

std::string_view Engine::version() const { return mbedtls_ssl_get_version(&state_->ssl); }

std::string_view Engine::cipher_suite() const {
  const char* name = mbedtls_ssl_get_ciphersuite(&state_->ssl);
  return name ? name : "";
}

}  // namespace mg::tls
