// The fields of a head, in the order they came. One string holds their bytes and one vector says
// where each begins, so that a head costs two allocations whatever it carries.
//
// A Headers holds nothing but well-formed fields: no name that is not a token, no value with CR,
// LF, NUL or another control byte. Whoever writes it out can therefore not split a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mg::http {

// RFC 9110, section 5.6.2: letters, digits and !#$%&'*+-.^_`|~, at least one.
bool is_field_name(std::string_view text);
// Anything but control bytes; a tab is no control byte here. Bytes above 0x7f pass: answers of
// upstreams have them, requests are held to ASCII by the parser.
bool is_field_value(std::string_view text);

struct Field {
  std::string_view name;
  std::string_view value;
};

// Views that it gives out are valid until the next change to it. One thread.
class Headers {
 public:
  class Iterator;

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  Field operator[](size_t i) const;
  Iterator begin() const;
  Iterator end() const;

  // Names are compared without regard to case, everywhere.
  std::optional<std::string_view> find(std::string_view name) const;  // the first one's value
  bool contains(std::string_view name) const { return find(name).has_value(); }
  size_t count(std::string_view name) const;
  // All values of a name as one list, joined by ", "; empty where there is none.
  std::string joined(std::string_view name) const;
  // True when the comma-separated values of the name contain this token.
  bool has_token(std::string_view name, std::string_view token) const;

  // For what the program itself made: asserts that both are well formed.
  void add(std::string_view name, std::string_view value);
  // For anything that came from outside (clients, upstreams, configuration, scripts).
  // Errors: invalid; nothing is added then.
  Result<> add_checked(std::string_view name, std::string_view value);
  // Adds it in the place of all others of the name.
  void set(std::string_view name, std::string_view value);
  size_t remove(std::string_view name);
  void clear();
  void reserve(size_t bytes, size_t fields);

  // Text kept beside the fields, in the same allocation: a request's target, a reason phrase.
  struct Stored {
    uint32_t at = 0;
    uint32_t bytes = 0;
  };
  Stored keep(std::string_view text);
  std::string_view stored(Stored s) const { return std::string_view(bytes_).substr(s.at, s.bytes); }

 private:
  friend class MessageParser;  // fills in raw lines and says where names and values are in them

  struct Entry {
    Stored name;
    Stored value;
  };

  std::string bytes_;  // removed fields stay here until it dies: offsets are never moved
  std::vector<Entry> entries_;
};

class Headers::Iterator {
 public:
  Iterator(const Headers& headers, size_t at) : headers_(headers), at_(at) {}
  Field operator*() const { return headers_[at_]; }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  bool operator!=(const Iterator& other) const { return at_ != other.at_; }

 private:
  const Headers& headers_;
  size_t at_;
};

inline Headers::Iterator Headers::begin() const { return {*this, 0}; }
inline Headers::Iterator Headers::end() const { return {*this, size()}; }

}  // namespace mg::http
