#include <algorithm>

#include "control/operations.h"

namespace mg::control {

event::Task<Result<Json>> Operations::channel_list(Args args) {
  MG_CO_CHECK(args.ok());
  Json list = Json::array();
  const auto snapshot = directory();
  for (const ChannelView& channel : r_.site.channels()) {
    Json json = {{"id", channel.id},
                 {"provider", channel.provider},
                 {"base_url", channel.base_url},
                 {"priority", channel.priority},
                 {"weight", channel.weight},
                 {"enabled", snapshot->is_enabled(channel.id)}};
    if (!channel.breaker.empty()) json["breaker"] = channel.breaker;
    list.push_back(std::move(json));
  }
  co_return list;
}

event::Task<Result<Json>> Operations::channel_enable(Args args) {
  Result<Json> done = co_await switch_channel(std::move(args), true);
  co_return done;
}

event::Task<Result<Json>> Operations::channel_disable(Args args) {
  Result<Json> done = co_await switch_channel(std::move(args), false);
  co_return done;
}

event::Task<Result<Json>> Operations::switch_channel(Args args, bool enabled) {
  const std::string id = args.text("id");
  MG_CO_CHECK(args.ok());
  const std::vector<ChannelView> channels = r_.site.channels();
  const bool exists = std::any_of(channels.begin(), channels.end(),
                                  [&](const ChannelView& channel) { return channel.id == id; });
  if (!exists) co_return fail(Errc::not_found, "there is no channel " + id);
  MG_CO_CHECK(co_await r_.writing->editor.switch_channel(id, enabled));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return Json{{"id", id}, {"enabled", enabled}};
}

event::Task<Result<Json>> Operations::reload(Args args) {
  MG_CO_CHECK(args.ok());
  Result<Json> done = co_await r_.site.reload();
  co_return done;
}

}  // namespace mg::control
