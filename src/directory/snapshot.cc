#include "directory/snapshot.h"

#include <cstring>

namespace mg::directory {

size_t Snapshot::DigestHash::operator()(const SecretDigest& digest) const noexcept {
  size_t out;  // a digest is as random as a hash can be
  std::memcpy(&out, digest.data() + 8, sizeof out);
  return out;
}

template <class Name, class Hash>
std::shared_ptr<const ApiKey> Snapshot::get(const Shards<Name, Hash>& shards, const Name& name) {
  const auto& shard = shards[shard_of(name)];
  if (!shard) return nullptr;
  const auto found = shard->find(name);
  return found == shard->end() ? nullptr : found->second;
}

template <class Name, class Hash>
void Snapshot::set(Shards<Name, Hash>& shards, const Name& name,
                   std::shared_ptr<const ApiKey> key) {
  using Shard = std::unordered_map<Name, std::shared_ptr<const ApiKey>, Hash>;
  auto& slot = shards[shard_of(name)];
  auto shard = slot ? std::make_shared<Shard>(*slot) : std::make_shared<Shard>();
  if (key) {
    (*shard)[name] = std::move(key);
  } else {
    shard->erase(name);
  }
  slot = std::move(shard);
}

std::shared_ptr<const ApiKey> Snapshot::find_key(const SecretDigest& digest, int64_t now_ms) const {
  std::shared_ptr<const ApiKey> key = get(by_digest_, digest);
  if (!key || key->revoked) return nullptr;
  const bool is_previous = key->digest != digest;
  if (is_previous && now_ms >= key->previous_until_ms) return nullptr;
  return key;
}

std::shared_ptr<const ApiKey> Snapshot::key(const Id& id) const { return get(by_id_, id); }

std::vector<std::shared_ptr<const ApiKey>> Snapshot::keys() const {
  std::vector<std::shared_ptr<const ApiKey>> all;
  for (const auto& shard : by_id_)
    if (shard)
      for (const auto& [id, key] : *shard) all.push_back(key);
  return all;
}

std::shared_ptr<const TenantEntry> Snapshot::tenant(const Id& id) const {
  const auto found = tenants_.find(id);
  return found == tenants_.end() ? nullptr : found->second;
}

bool Snapshot::is_enabled(const std::string& channel) const {
  const auto found = channel_switches_.find(channel);
  return found == channel_switches_.end() || found->second;
}

void Snapshot::put_key(const std::shared_ptr<const ApiKey>& key) {
  if (const std::shared_ptr<const ApiKey> before = get(by_id_, key->id)) {
    set(by_digest_, before->digest, nullptr);
    if (before->previous_digest) set(by_digest_, *before->previous_digest, nullptr);
  }
  set(by_id_, key->id, key);
  set(by_digest_, key->digest, key);
  if (key->previous_digest) set(by_digest_, *key->previous_digest, key);
}

}  // namespace mg::directory
