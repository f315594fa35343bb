#include "base/result.h"

#include "base/assert.h"

namespace mg {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::invalid:
      return "invalid";
    case Errc::not_found:
      return "not_found";
    case Errc::conflict:
      return "conflict";
    case Errc::refused:
      return "refused";
    case Errc::timeout:
      return "timeout";
    case Errc::closed:
      return "closed";
    case Errc::interrupted:
      return "interrupted";
    case Errc::too_large:
      return "too_large";
    case Errc::overloaded:
      return "overloaded";
    case Errc::unavailable:
      return "unavailable";
    case Errc::protocol:
      return "protocol";
    case Errc::io:
      return "io";
  }
  MG_ASSERT(!"Errc out of range");
}

}  // namespace mg
