// A small world for tests: an authority, chains below it of every kind, files on disk, and what is
// loaded from them. Made once per process, because drawing an RSA key takes a second.
#pragma once

#include <memory>
#include <string>

#include "tls/credentials.h"
#include "unit/tls/certificates.h"

namespace mg::tls::test {

struct World {
  static World& get() {
    static World world;
    return world;
  }

  Issued authority = issue({"Test Authority", {}, {}, KeyKind::p256, true});
  Issued stranger = issue({"Strange Authority", {}, {}, KeyKind::p256, true});
  TemporaryFolder folder;
  std::string authority_file = folder.write("authority.pem", authority.cert_pem);
  std::string stranger_file = folder.write("stranger.pem", stranger.cert_pem);
  std::shared_ptr<const TrustStore> trust = TrustStore::load(authority_file).value();
  std::shared_ptr<TicketKeys> tickets = TicketKeys::make().value();

  CertificateFiles files(const std::string& name, const Issued& issued,
                         const std::string& above = "") const {
    return {folder.write(name + ".pem", issued.cert_pem + above),
            folder.write(name + ".key", issued.key_pem)};
  }

  // For localhost, example.test, *.wild.test and 127.0.0.1.
  CertificateSpec usual(KeyKind key = KeyKind::p256) const {
    return {"example.test", {"localhost", "example.test", "*.wild.test"}, {"127.0.0.1"}, key};
  }
  CertificateFiles p256 = files("p256", issue(usual(), &authority));

  std::shared_ptr<const ServerCredentials> server =
      ServerCredentials::load({p256}, tickets).value();

  std::shared_ptr<const ServerCredentials> serve(const CertificateSpec& spec, const Issued& by) {
    return ServerCredentials::load({files(spec.name, issue(spec, &by))}, tickets).value();
  }
};

}  // namespace mg::tls::test
