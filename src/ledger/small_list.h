// A list with room for a few elements inside itself, for things whose number has a small bound.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/assert.h"

namespace mg::ledger {

template <class T, size_t kMax>
class SmallList {
 public:
  SmallList() = default;
  // More than fit is a bug: check outside input against the bound first.
  SmallList(std::initializer_list<T> items) {
    for (const T& item : items) push_back(item);
  }

  void push_back(const T& item) {
    MG_ASSERT(size_ < kMax);
    items_[size_++] = item;
  }
  void clear() { size_ = 0; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  static constexpr size_t max() { return kMax; }

  T& operator[](size_t i) {
    MG_ASSERT(i < size_);
    return items_[i];
  }
  const T& operator[](size_t i) const {
    MG_ASSERT(i < size_);
    return items_[i];
  }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }
  std::span<const T> span() const { return {items_.data(), size_}; }

 private:
  std::array<T, kMax> items_{};
  uint32_t size_ = 0;
};

template <class T, size_t kMax>
bool operator==(const SmallList<T, kMax>& a, const SmallList<T, kMax>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i])) return false;
  return true;
}

}  // namespace mg::ledger
