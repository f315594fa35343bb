// Makes certificates for tests, and folders to put them in. Nothing of it is ever committed: keys
// are drawn when a test runs and gone when it ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace mg::tls::test {

enum class KeyKind : uint8_t { p256, p384, rsa2048 };

struct CertificateSpec {
  std::string name;                    // common name
  std::vector<std::string> dns;        // subject alternative names
  std::vector<std::string> addresses;  // the same, IPv4 or IPv6
  KeyKind key = KeyKind::p256;
  bool is_authority = false;
  std::string from = "20250101000000";  // UTC, YYYYMMDDhhmmss
  std::string until = "20451231235959";
};

struct Issued {
  std::string name;
  std::string cert_pem;
  std::string key_pem;
};

// Signed by `issuer`, or by itself where there is none.
Issued issue(const CertificateSpec& spec, const Issued* issuer = nullptr);

// A folder that is gone when this is.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  // The path of the file.
  std::string write(const std::string& name, const std::string& text) const;
  std::string path(const std::string& name) const { return (root_ / name).string(); }

 private:
  std::filesystem::path root_;
};

}  // namespace mg::tls::test
