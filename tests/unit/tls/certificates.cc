#include "unit/tls/certificates.h"

#include <mbedtls/ecp.h>
#include <mbedtls/rsa.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "base/address.h"
#include "base/assert.h"
#include "tls/mbedtls.h"

namespace mg::tls::test {
namespace {

#define MUST(expression) MG_ASSERT((expression) >= 0)

struct Key {
  Key() { mbedtls_pk_init(&pk); }
  ~Key() { mbedtls_pk_free(&pk); }
  mbedtls_pk_context pk;
};

void make_key(KeyKind kind, Key& key) {
  if (kind == KeyKind::rsa2048) {
    MUST(mbedtls_pk_setup(&key.pk, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)));
    MUST(mbedtls_rsa_gen_key(mbedtls_pk_rsa(key.pk), fill_random, nullptr, 2048, 65537));
    return;
  }
  MUST(mbedtls_pk_setup(&key.pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
  const auto curve = kind == KeyKind::p256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1;
  MUST(mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(key.pk), fill_random, nullptr));
}

void read_key(const std::string& pem, Key& key) {
#if MBEDTLS_VERSION_MAJOR >= 3
  MUST(mbedtls_pk_parse_key(&key.pk, bytes_of(pem), pem.size() + 1, nullptr, 0, fill_random,
                            nullptr));
#else
  MUST(mbedtls_pk_parse_key(&key.pk, bytes_of(pem), pem.size() + 1, nullptr, 0));
#endif
}

void append_der(std::string& out, unsigned char tag, const std::string& value) {
  out.push_back(static_cast<char>(tag));
  MG_ASSERT(value.size() < 0x10000);
  if (value.size() >= 0x100) {
    out.append("\x82");
    out.push_back(static_cast<char>(value.size() >> 8));
  } else if (value.size() >= 0x80) {
    out.append("\x81");
  }
  out.push_back(static_cast<char>(value.size() & 0xff));
  out.append(value);
}

// RFC 5280, section 4.2.1.6: dNSName is [2], iPAddress is [7].
std::string alternative_names(const CertificateSpec& spec) {
  std::string names;
  for (const std::string& name : spec.dns) append_der(names, 0x82, name);
  for (const std::string& text : spec.addresses) {
    const IpAddress address = IpAddress::parse(text).value();
    append_der(names, 0x87, {reinterpret_cast<const char*>(address.data()), address.size()});
  }
  std::string sequence;
  append_der(sequence, 0x30, names);
  return sequence;
}

std::string next_serial() {
  static std::atomic<int> last{0};
  return std::to_string(1000 + ++last);
}

void set_fields(mbedtls_x509write_cert& writer, const CertificateSpec& spec,
                const std::string& issuer_name) {
  mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  MUST(mbedtls_mpi_read_string(&serial, 10, next_serial().c_str()));
  MUST(mbedtls_x509write_crt_set_serial(&writer, &serial));
  mbedtls_mpi_free(&serial);
  MUST(mbedtls_x509write_crt_set_subject_name(&writer, ("CN=" + spec.name).c_str()));
  MUST(mbedtls_x509write_crt_set_issuer_name(&writer, ("CN=" + issuer_name).c_str()));
  MUST(mbedtls_x509write_crt_set_validity(&writer, spec.from.c_str(), spec.until.c_str()));
  MUST(mbedtls_x509write_crt_set_basic_constraints(&writer, spec.is_authority, -1));
  MUST(mbedtls_x509write_crt_set_subject_key_identifier(&writer));
  MUST(mbedtls_x509write_crt_set_authority_key_identifier(&writer));
  if (spec.is_authority)
    MUST(mbedtls_x509write_crt_set_key_usage(&writer, MBEDTLS_X509_KU_KEY_CERT_SIGN));
  if (!spec.dns.empty() || !spec.addresses.empty()) {
    const std::string names = alternative_names(spec);
    MUST(mbedtls_x509write_crt_set_extension(&writer, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                             MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME),
                                             /*critical=*/0, bytes_of(names), names.size()));
  }
}

}  // namespace

Issued issue(const CertificateSpec& spec, const Issued* issuer) {
  make_ready();
  Key subject, authority;
  make_key(spec.key, subject);
  if (issuer) read_key(issuer->key_pem, authority);
  mbedtls_x509write_cert writer;
  mbedtls_x509write_crt_init(&writer);
  mbedtls_x509write_crt_set_subject_key(&writer, &subject.pk);
  mbedtls_x509write_crt_set_issuer_key(&writer, issuer ? &authority.pk : &subject.pk);
  set_fields(writer, spec, issuer ? issuer->name : spec.name);
  unsigned char pem[16384];
  Issued issued;
  issued.name = spec.name;
  MUST(mbedtls_x509write_crt_pem(&writer, pem, sizeof pem, fill_random, nullptr));
  issued.cert_pem = reinterpret_cast<const char*>(pem);
  MUST(mbedtls_pk_write_key_pem(&subject.pk, pem, sizeof pem));
  issued.key_pem = reinterpret_cast<const char*>(pem);
  mbedtls_x509write_crt_free(&writer);
  return issued;
}

TemporaryFolder::TemporaryFolder() {
  static std::atomic<int> last{0};
  root_ = std::filesystem::temp_directory_path() /
          ("mg-tls-" + std::to_string(::getpid()) + "-" + std::to_string(++last));
  std::filesystem::create_directories(root_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& text) const {
  std::ofstream(root_ / name, std::ios::binary) << text;
  return path(name);
}

}  // namespace mg::tls::test
