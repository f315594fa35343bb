#include "gateway/channel.h"

namespace mg::gateway {

Result<> Channel::prepare_heads(std::string_view path_prefix, const Authorization& authorization) {
  for (const Operation operation : kOperations) {
    const std::string target =
        std::string(path_prefix).append(path_of(operation).substr(kApiPrefix.size()));
    for (const bool is_stream : {false, true}) {
      http::Headers headers;
      if (!authorization.name.empty() &&
          !headers.add_checked(authorization.name, authorization.value))
        return fail(Errc::invalid, "its credential holds characters that no header field may");
      headers.add("content-type", "application/json");
      headers.add("accept", is_stream ? "text/event-stream" : "application/json");
      headers.add("accept-encoding", "identity");
      headers.add("user-agent", "moongate");
      MG_TRY(heads_[static_cast<size_t>(operation)][is_stream],
             http::PreparedHead::make(http::Method::post, target, destination.origin.host_field(),
                                      headers));
    }
  }
  return {};
}

}  // namespace mg::gateway
