// How many requests may be inside a channel at once, counted over all workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace mg::limit {

class Gate;

// A place inside a gate; leaving is dropping it. May be dropped on any thread.
class [[nodiscard]] Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept : gate_(std::move(other.gate_)) {}
  Permit& operator=(Permit&& other) noexcept;
  ~Permit();
  // False: there was no room.
  explicit operator bool() const { return gate_ != nullptr; }

 private:
  friend class Gate;
  explicit Permit(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  std::shared_ptr<Gate> gate_;
};

class Gate : public std::enable_shared_from_this<Gate> {
 public:
  // `places` is the limit as configured now (0: none); it may differ from call to call. Never
  // waits.
  Permit enter(int64_t places);
  int64_t inside() const { return inside_.load(std::memory_order_relaxed); }

 private:
  friend class Permit;
  std::atomic<int64_t> inside_{0};
};

// One gate per name, for as long as someone holds it. Any thread; look a gate up when a channel
// is loaded, not for each request.
class Gates {
 public:
  std::shared_ptr<Gate> gate(std::string_view name);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<Gate>, std::less<>> gates_;
};

}  // namespace mg::limit
