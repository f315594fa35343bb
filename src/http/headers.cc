#include "http/headers.h"

#include <array>

#include "base/assert.h"
#include "base/text.h"

namespace mg::http {
namespace {

constexpr std::array<bool, 256> make_token_bytes() {
  std::array<bool, 256> is_token{};
  for (unsigned char c = '0'; c <= '9'; ++c) is_token[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) is_token[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) is_token[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) is_token[static_cast<unsigned char>(c)] = true;
  return is_token;
}
constexpr std::array<bool, 256> kTokenBytes = make_token_bytes();

// Calls `visit` with each element of a comma-separated list until it says stop (true).
template <class Visit>
bool any_element(std::string_view list, Visit visit) {
  for (;;) {
    const size_t comma = list.find(',');
    const std::string_view element = trimmed(list.substr(0, comma));
    if (!element.empty() && visit(element)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

bool is_field_name(std::string_view text) {
  for (unsigned char c : text)
    if (!kTokenBytes[c]) return false;
  return !text.empty();
}

bool is_field_value(std::string_view text) {
  for (unsigned char c : text)
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  return true;
}

Field Headers::operator[](size_t i) const {
  MG_ASSERT(i < entries_.size());
  return {stored(entries_[i].name), stored(entries_[i].value)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Entry& entry : entries_)
    if (entry.name.bytes == name.size() && equal_ignoring_case(stored(entry.name), name))
      return stored(entry.value);
  return std::nullopt;
}

size_t Headers::count(std::string_view name) const {
  size_t found = 0;
  for (const Entry& entry : entries_)
    if (equal_ignoring_case(stored(entry.name), name)) ++found;
  return found;
}

std::string Headers::joined(std::string_view name) const {
  std::string all;
  bool is_first = true;
  for (const Entry& entry : entries_) {
    if (!equal_ignoring_case(stored(entry.name), name)) continue;
    if (!is_first) all.append(", ");
    all.append(stored(entry.value));
    is_first = false;
  }
  return all;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const Entry& entry : entries_) {
    if (!equal_ignoring_case(stored(entry.name), name)) continue;
    if (any_element(stored(entry.value),
                    [&](std::string_view element) { return equal_ignoring_case(element, token); }))
      return true;
  }
  return false;
}

Headers::Stored Headers::keep(std::string_view text) {
  const Stored kept{static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(text.size())};
  bytes_.append(text);
  MG_ASSERT(bytes_.size() <= UINT32_MAX);
  return kept;
}

void Headers::add(std::string_view name, std::string_view value) {
  MG_ASSERT(is_field_name(name));
  MG_ASSERT(is_field_value(value));
  const Stored kept_name = keep(name);
  entries_.push_back({kept_name, keep(value)});
}

Result<> Headers::add_checked(std::string_view name, std::string_view value) {
  if (!is_field_name(name)) return fail(Errc::invalid, "not a name of a header field");
  if (!is_field_value(value))
    return fail(Errc::invalid, "control characters in header field " + std::string(name));
  add(name, value);
  return {};
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

size_t Headers::remove(std::string_view name) {
  return std::erase_if(entries_, [&](const Entry& entry) {
    return entry.name.bytes == name.size() && equal_ignoring_case(stored(entry.name), name);
  });
}

void Headers::clear() {
  bytes_.clear();
  entries_.clear();
}

void Headers::reserve(size_t bytes, size_t fields) {
  bytes_.reserve(bytes);
  entries_.reserve(fields);
}

}  // namespace mg::http
