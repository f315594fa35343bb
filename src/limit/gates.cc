#include "limit/gates.h"

#include "base/assert.h"

namespace mg::limit {

Permit& Permit::operator=(Permit&& other) noexcept {
  if (this != &other) {
    Permit dropped(std::move(*this));
    gate_ = std::move(other.gate_);
  }
  return *this;
}

Permit::~Permit() {
  if (!gate_) return;
  const int64_t before = gate_->inside_.fetch_sub(1, std::memory_order_relaxed);
  MG_ASSERT(before > 0);
}

Permit Gate::enter(int64_t places) {
  int64_t before = inside_.load(std::memory_order_relaxed);
  do {
    if (places > 0 && before >= places) return {};
  } while (!inside_.compare_exchange_weak(before, before + 1, std::memory_order_relaxed));
  return Permit(shared_from_this());
}

std::shared_ptr<Gate> Gates::gate(std::string_view name) {
  std::lock_guard lock(mutex_);
  std::erase_if(gates_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Gate>& slot = gates_[std::string(name)];
  std::shared_ptr<Gate> gate = slot.lock();
  if (!gate) slot = gate = std::make_shared<Gate>();
  return gate;
}

}  // namespace mg::limit
