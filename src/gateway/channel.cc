#include "gateway/channel.h"

#include "base/log.h"
#include "base/text.h"

namespace mg::gateway {
namespace {

// A shorter one is a word that stands for none ("none", "EMPTY"), and no secret: to hide it would
// destroy honest texts.
constexpr size_t kHiddenCredentialBytesMin = 6;

}  // namespace

Result<> Channel::prepare_heads(std::string_view path_prefix, const Authorization& authorization) {
  for (const Operation operation : kOperations) {
    const std::string target =
        std::string(path_prefix).append(path_of(operation).substr(kApiPrefix.size()));
    for (const bool is_stream : {false, true}) {
      http::Headers headers;
      if (!authorization.name.empty() &&
          !headers.add_checked(authorization.name, authorization.scheme + authorization.credential))
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
  // A field's value loses the blanks around it on its way.
  const std::string_view sent = trimmed(authorization.credential);
  if (sent.size() >= kHiddenCredentialBytesMin) credential_ = sent;
  return {};
}

std::string Channel::without_credential(std::string_view said) const {
  return credential_.empty() ? std::string(said) : masked_secret(said, credential_);
}

}  // namespace mg::gateway
