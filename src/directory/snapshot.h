// Everything the workers know of tenants and keys, frozen. A change makes a new snapshot that
// shares with the old one whatever stayed the same, so that a key more among a hundred thousand
// costs little. Immutable; any thread.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "directory/records.h"
#include "ledger/reader.h"
#include "ledger/wallet_view.h"

namespace mg::directory {

// A tenant with what every request of it needs.
struct TenantEntry {
  Tenant tenant;
  std::vector<std::string> path;  // ids as text, from the platform down to this one
  bool suspended = false;         // itself, or anyone above it
  Id payer;                       // the company whose wallet pays; nil for those that do not call
  Id seller;                      // in whose book that wallet stands
  std::shared_ptr<const ledger::WalletView> wallet;  // of the payer; null where nobody pays
};

// Visits the records of a table (Ledger::each_record, ledger::Snapshot::each_record).
using RecordSource =
    std::function<Result<>(std::string_view table, const ledger::RecordVisit& visit)>;
// The view of a wallet that workers look at; empty where nobody will.
using WalletSource =
    std::function<std::shared_ptr<const ledger::WalletView>(const ledger::AccountName& wallet)>;

class Snapshot {
 public:
  // From the records of a store. Errors: invalid, when one is damaged; io.
  static Result<std::shared_ptr<const Snapshot>> read(const RecordSource& records,
                                                      const WalletSource& wallets);

  // The key that this secret's digest opens, at this time: neither revoked nor beyond the grace
  // of a rotation. Expired ones are found, so that the answer can say so. nullptr for none.
  std::shared_ptr<const ApiKey> find_key(const SecretDigest& digest, int64_t now_ms) const;
  std::shared_ptr<const ApiKey> key(const Id& id) const;
  std::shared_ptr<const TenantEntry> tenant(const Id& id) const;

  const std::map<Id, std::shared_ptr<const TenantEntry>>& tenants() const { return tenants_; }
  // Every key, in no particular order.
  std::vector<std::shared_ptr<const ApiKey>> keys() const;
  const std::map<std::string, SealedSecret>& secrets() const { return secrets_; }
  // False for a channel that was switched off.
  bool is_enabled(const std::string& channel) const;

 private:
  friend class Editor;
  struct DigestHash {
    size_t operator()(const SecretDigest& digest) const noexcept;
  };
  // Keys are spread by a random byte of what finds them, so that a change copies one part of many.
  static constexpr size_t kShards = 256;
  template <class Name, class Hash>
  using Shards = std::array<
      std::shared_ptr<const std::unordered_map<Name, std::shared_ptr<const ApiKey>, Hash>>,
      kShards>;

  static size_t shard_of(const SecretDigest& digest) { return digest[0]; }
  static size_t shard_of(const Id& id) { return static_cast<uint8_t>(id.bytes().back()); }
  // The key there, or nullptr.
  template <class Name, class Hash>
  static std::shared_ptr<const ApiKey> get(const Shards<Name, Hash>& shards, const Name& name);
  // A null key takes the name out.
  template <class Name, class Hash>
  static void set(Shards<Name, Hash>& shards, const Name& name, std::shared_ptr<const ApiKey> key);

  // Gives each tenant what follows from those above it.
  void place(const std::map<Id, Tenant>& tenants, const WalletSource& wallets);
  // Adds a key, or replaces the one of the same id.
  void put_key(const std::shared_ptr<const ApiKey>& key);

  Shards<SecretDigest, DigestHash> by_digest_;
  Shards<Id, std::hash<Id>> by_id_;
  std::map<Id, std::shared_ptr<const TenantEntry>> tenants_;
  std::map<std::string, SealedSecret> secrets_;
  std::map<std::string, bool> channel_switches_;
};

}  // namespace mg::directory
