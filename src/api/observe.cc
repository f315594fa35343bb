#include <algorithm>

#include "api/answers.h"
#include "script/freeze.h"
#include "script/lua_value.h"

namespace mg::api {
namespace {

std::string check_tag(lua_State* L, int index) {
  std::string_view tag;
  if (!script::text_at(L, index, tag) || tag.empty() || tag.size() > limits::tag_bytes_max ||
      !std::all_of(tag.begin(), tag.end(), [](char c) { return c > ' ' && c < 127; }))
    luaL_error(L, "a tag must be a text of at most %d visible ASCII characters",
               static_cast<int>(limits::tag_bytes_max));
  return std::string(tag);
}

}  // namespace

int ObserveCall::push_rest(lua_State* L) {
  call_.record_view.push(L, &record_);
  return 1;
}

// Anything but { tags = {...} } is ignored.
script::HookCall::Next ObserveCall::take_results(lua_State* L, const script::Module& module) {
  if (!script::push_table_at(L, kFirst)) return Next::ask_on;
  lua_pushliteral(L, "tags");
  lua_rawget(L, -2);
  if (!script::push_table_at(L, -1)) return Next::ask_on;
  const int size = static_cast<int>(lua_objlen(L, -1));
  for (int i = 1; i <= size; ++i) {
    if (decision_.tags.size() == limits::tags_max)
      luaL_error(L, "%s: more than %d tags", module.path.c_str(),
                 static_cast<int>(limits::tags_max));
    lua_rawgeti(L, -1, i);
    decision_.tags.push_back(check_tag(L, -1));
    lua_pop(L, 1);
  }
  return Next::ask_on;
}

}  // namespace mg::api
