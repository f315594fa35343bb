#include "tls/sessions.h"

#include "base/limits.h"
#include "tls/credentials_state.h"

namespace mg::tls {

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::~Session() = default;

std::shared_ptr<const Session> ClientSessions::find(std::string_view origin,
                                                    uint64_t trust_generation) const {
  const auto at = entries_.find(std::string(origin));
  if (at == entries_.end() || at->second.trust_generation != trust_generation) return nullptr;
  return at->second.session;
}

void ClientSessions::keep(std::string origin, uint64_t trust_generation,
                          std::shared_ptr<const Session> session) {
  if (entries_.size() >= limits::tls_sessions_max && entries_.count(origin) == 0) entries_.clear();
  entries_[std::move(origin)] = {trust_generation, std::move(session)};
}

void ClientSessions::forget(std::string_view origin) { entries_.erase(std::string(origin)); }

}  // namespace mg::tls
