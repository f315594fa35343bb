#include "server/channels.h"

#include "http/headers.h"

namespace mg::server {
namespace {

constexpr std::string_view kSecretReference = "secret:";

Result<std::string> credential_of(const ChannelConfig& config, const api::Provider& provider,
                                  const ChannelSources& sources) {
  if (config.credential.starts_with(kSecretReference)) {
    const std::string name = config.credential.substr(kSecretReference.size());
    const auto& secrets = sources.directory.secrets();
    const auto found = secrets.find(name);
    if (found == secrets.end())
      return fail(Errc::not_found,
                  "there is no secret " + name + " (moongate secret set " + name + ")");
    return sources.vault.unseal(found->second);
  }
  const bool is_needed = provider.auth != api::AuthStyle::none && !provider.env.empty();
  if (config.credential.empty() && is_needed)
    return fail(Errc::not_found, "it has no credential (is " + provider.env + " set?)");
  return config.credential;
}

Result<std::shared_ptr<const gateway::Channel>> build(const ChannelConfig& config,
                                                      const ChannelSources& sources) {
  auto provider = api::provider(sources.bundle, config.provider);
  if (!provider)
    return fail(Errc::not_found,
                "there is no provider " + config.provider + " (a file of scripts/providers)");
  const std::string& url = config.base_url.empty() ? provider->base_url : config.base_url;
  if (url.empty())
    return fail(Errc::invalid, "the provider " + config.provider + " needs a base_url");
  MG_TRY(http::BaseUrl base, http::parse_base_url(url));
  MG_CHECK(http::check_origin(base.origin, config.policy));
  MG_TRY(const std::string credential, credential_of(config, *provider, sources));
  auto channel = std::make_shared<gateway::Channel>();
  gateway::Channel::Authorization authorization;
  if (!credential.empty() && provider->auth == api::AuthStyle::bearer)
    authorization = {"authorization", "Bearer ", credential};
  if (!credential.empty() && provider->auth == api::AuthStyle::header)
    authorization = {provider->auth_header, {}, credential};
  channel->id = config.id;
  channel->provider = std::move(*provider);
  channel->destination = http::Destination::make(
      std::move(base.origin), config.policy, url.starts_with("https") ? sources.trust : nullptr);
  MG_CHECK(channel->prepare_heads(base.path_prefix, authorization));
  channel->priority = config.priority;
  channel->weight = config.weight;
  channel->region = config.region;
  channel->concurrency_max = config.concurrency_max;
  channel->cost_ppm = config.cost_ppm;
  channel->timeouts = config.timeouts;
  channel->models = config.models;
  channel->health = sources.health.of(config.id);
  return std::shared_ptr<const gateway::Channel>(std::move(channel));
}

}  // namespace

BuiltChannels build_channels(const ChannelSources& sources) {
  BuiltChannels built;
  for (const ChannelConfig& config : sources.configured) {
    auto channel = build(config, sources);
    if (channel) {
      built.channels.push_back(std::move(*channel));
    } else {
      built.complaints.push_back("channel " + config.id + " is left out: " + channel.error().what);
    }
  }
  return built;
}

}  // namespace mg::server
