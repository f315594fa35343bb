// Sessions a client may resume, the last one of each origin. Resuming costs a fiftieth of a full
// handshake. One per worker: not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mg::tls {

// What is needed to go on where a connection left off; immutable.
class Session {
 public:
  ~Session();
  struct State;
  explicit Session(std::unique_ptr<State> state);
  State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

class ClientSessions {
 public:
  // nullptr where none is kept, or it began under another list of authorities.
  std::shared_ptr<const Session> find(std::string_view origin, uint64_t trust_generation) const;
  // Replaces the one before. Beyond limits::tls_sessions_max origins all are forgotten first.
  void keep(std::string origin, uint64_t trust_generation, std::shared_ptr<const Session> session);
  void forget(std::string_view origin);
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t trust_generation;
    std::shared_ptr<const Session> session;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace mg::tls
