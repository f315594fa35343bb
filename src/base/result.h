// Operating errors as values. A bug asserts (assert.h); a refusal by policy is data and never
// travels as an Error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace mg {

// What a caller may act upon. The text of an Error is for people; the code is for programs.
enum class Errc : uint8_t {
  invalid,      // the input is wrong and will stay wrong
  not_found,    // the thing named does not exist
  conflict,     // it exists already, or in another state than the call needs
  refused,      // the peer or the system said no
  timeout,      // a deadline passed
  closed,       // the other side ended the conversation
  interrupted,  // this side ended the wait on purpose
  too_large,    // a named bound was passed
  overloaded,   // a queue is full; the same call may work later
  unavailable,  // a part this call needs is down, and says so
  protocol,     // the peer broke the protocol
  io,           // the system failed
};

// The code's own name, as written above.
std::string_view name(Errc code);

struct Error {
  Errc code;
  std::string what;
};

// A value or an Error; ignoring one is a compile error. (A plain alias of tl::expected would not
// be nodiscard.)
template <class T = void>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Errc code, std::string what) {
  return tl::unexpected<Error>(Error{code, std::move(what)});
}

}  // namespace mg

#define MG_CAT_(a, b) a##b
#define MG_CAT(a, b) MG_CAT_(a, b)

// MG_TRY(const Head head, parse(bytes));  returns the error to the caller, or binds the value.
#define MG_TRY(declaration, expression)                                               \
  auto MG_CAT(result_, __LINE__) = (expression);                                      \
  if (!MG_CAT(result_, __LINE__))                                                     \
    return tl::unexpected<::mg::Error>(std::move(MG_CAT(result_, __LINE__)).error()); \
  declaration = *std::move(MG_CAT(result_, __LINE__))

// The same for calls that yield no value.
#define MG_CHECK(expression)                                                      \
  do {                                                                            \
    auto result_ = (expression);                                                  \
    if (!result_) return tl::unexpected<::mg::Error>(std::move(result_).error()); \
  } while (0)

// The twins for coroutines.
#define MG_CO_TRY(declaration, expression)                                               \
  auto MG_CAT(result_, __LINE__) = (expression);                                         \
  if (!MG_CAT(result_, __LINE__))                                                        \
    co_return tl::unexpected<::mg::Error>(std::move(MG_CAT(result_, __LINE__)).error()); \
  declaration = *std::move(MG_CAT(result_, __LINE__))

#define MG_CO_CHECK(expression)                                                      \
  do {                                                                               \
    auto result_ = (expression);                                                     \
    if (!result_) co_return tl::unexpected<::mg::Error>(std::move(result_).error()); \
  } while (0)
