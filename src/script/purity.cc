#include "script/purity.h"

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "base/assert.h"
#include "script/budget.h"
#include "script/freeze.h"
#include "script/state.h"

namespace mg::script {
namespace {

// What LuaJIT writes with lua_dump (its lj_bcdump.h, format 2), as far as it is needed here.
constexpr uint8_t kFormatVersion = 2;
constexpr uint8_t kStripped = 2;
constexpr uint16_t kUpvalueIsLocal = 0x8000;  // of the function that makes the closure
constexpr uint16_t kUpvalueIndex = 0x3fff;
enum Constant : uint32_t { kChild = 0, kTable, kInt64, kUint64, kComplex, kFirstText };

class Bytes {
 public:
  explicit Bytes(std::string_view in) : in_(in) {}

  uint8_t byte() { return static_cast<uint8_t>(raw(1)[0]); }
  uint32_t varint() {
    uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t b = byte();
      value |= static_cast<uint32_t>(b & 0x7f) << shift;
      if (b < 0x80) return value;
    }
  }
  std::string_view raw(size_t count) {
    MG_ASSERT(count <= in_.size());  // the bytes are our own library's
    const std::string_view out = in_.substr(0, count);
    in_.remove_prefix(count);
    return out;
  }
  size_t left() const { return in_.size(); }

 private:
  std::string_view in_;
};

uint32_t number_at(std::string_view bytes, size_t at, size_t width) {
  uint32_t value = 0;
  for (size_t i = 0; i < width; ++i)
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

struct Prototype {
  // Upvalue number -> line of an assignment, by this function or by one made inside it.
  std::vector<std::pair<uint32_t, int>> assigned;
  std::vector<uint16_t> upvalues;
};

// The four instructions that assign to an upvalue. Their numbers differ between versions of
// LuaJIT, so the library itself is asked: each of these functions begins with one.
constexpr const char* kProbes[] = {
    "local u return function(v) u = v end", "local u return function() u = 'text' end",
    "local u return function() u = 1 end", "local u return function() u = nil end"};

using Opcodes = std::set<uint8_t>;

// Reads a dump: inner functions come before the one that makes them.
class DumpReader {
 public:
  DumpReader(std::string_view dump, const Opcodes& assigning) : in_(dump), assigning_(assigning) {}

  // The outermost function.
  Prototype read() {
    MG_ASSERT(in_.raw(3) == "\x1bLJ" && in_.byte() == kFormatVersion);
    stripped_ = in_.varint() & kStripped;
    if (!stripped_) in_.raw(in_.varint());
    while (const uint32_t size = in_.varint()) read_prototype(in_.raw(size));
    MG_ASSERT(finished_.size() == 1);
    return std::move(finished_.back());
  }

  // Of the outermost function, for finding the assigning instructions themselves.
  uint8_t first_opcode() const { return first_opcode_; }

 private:
  void read_prototype(std::string_view bytes) {
    Bytes in(bytes);
    Prototype made;
    in.raw(3);  // flags, parameters, frame size
    const size_t upvalues = in.byte();
    const uint32_t constants = in.varint();
    in.varint();  // numbers
    const uint32_t instructions = in.varint();
    uint32_t debug_bytes = 0, first_line = 0, lines = 0;
    if (!stripped_ && (debug_bytes = in.varint()) != 0) {
      first_line = in.varint();
      lines = in.varint();
    }
    const std::string_view code = in.raw(size_t{instructions} * 4);
    const std::string_view debug = bytes.substr(bytes.size() - debug_bytes);
    const size_t line_width = lines < 256 ? 1 : lines < 65536 ? 2 : 4;
    if (instructions > 0) first_opcode_ = static_cast<uint8_t>(code[0]);
    for (size_t i = 0; i < instructions; ++i) {
      if (!assigning_.contains(static_cast<uint8_t>(code[i * 4]))) continue;
      const int line =
          debug.empty()
              ? 0
              : static_cast<int>(first_line + number_at(debug, i * line_width, line_width));
      made.assigned.emplace_back(static_cast<uint8_t>(code[i * 4 + 1]), line);
    }
    for (size_t i = 0; i < upvalues; ++i)
      made.upvalues.push_back(static_cast<uint16_t>(number_at(in.raw(2), 0, 2)));
    for (size_t left = count_children(in, constants); left > 0; --left) {
      const Prototype child = std::move(finished_.back());
      finished_.pop_back();
      for (const auto& [number, line] : child.assigned)
        if (!(child.upvalues[number] & kUpvalueIsLocal))
          made.assigned.emplace_back(child.upvalues[number] & kUpvalueIndex, line);
    }
    finished_.push_back(std::move(made));
  }

  static size_t count_children(Bytes& in, uint32_t constants) {
    size_t children = 0;
    for (uint32_t i = 0; i < constants; ++i) {
      const uint32_t type = in.varint();
      if (type == kChild) {
        ++children;
      } else if (type == kTable) {
        const uint32_t items = in.varint(), fields = in.varint();
        for (uint32_t k = 0; k < items + 2 * fields; ++k) skip_table_constant(in);
      } else if (type < kFirstText) {
        for (int part = 0; part < (type == kComplex ? 4 : 2); ++part) in.varint();
      } else {
        in.raw(type - kFirstText);
      }
    }
    return children;
  }

  static void skip_table_constant(Bytes& in) {
    enum : uint32_t { kNil = 0, kFalse, kTrue, kInt, kNumber, kText };
    const uint32_t type = in.varint();
    if (type >= kText) {
      in.raw(type - kText);
    } else if (type == kInt) {
      in.varint();
    } else if (type == kNumber) {
      in.varint();
      in.varint();
    }
  }

  Bytes in_;
  const Opcodes& assigning_;
  bool stripped_ = false;
  uint8_t first_opcode_ = 0;
  std::vector<Prototype> finished_;
};

Opcodes find_assigning_opcodes(lua_State* L) {
  Opcodes found;
  for (const char* probe : kProbes) {
    load_text(L, probe, "probe");
    lua_call(L, 0, 1);
    const std::string bytecode = dump(L);
    lua_pop(L, 1);
    DumpReader reader(bytecode, found);
    reader.read();
    found.insert(reader.first_opcode());
  }
  return found;
}

// Everything that can be reached, each once, in a list on the Lua stack.
class Reach {
 public:
  explicit Reach(lua_State* L) : L_(L) {
    lua_newtable(L);
    lua_newtable(L);
    seen_ = lua_gettop(L);
    list_ = seen_ - 1;
  }
  ~Reach() = default;

  // Adds the value on top, which is popped.
  void add() {
    if (is_frozen(L_, -1)) {
      push_table_at(L_, -1);
      lua_replace(L_, -2);
    }
    const int type = lua_type(L_, -1);
    if (type == LUA_TTABLE || (type == LUA_TFUNCTION && !lua_iscfunction(L_, -1))) {
      charge(L_, 4);
      lua_pushvalue(L_, -1);
      lua_rawget(L_, seen_);
      const bool is_new = lua_isnil(L_, -1);
      lua_pop(L_, 1);
      if (is_new) {
        lua_pushvalue(L_, -1);
        lua_pushboolean(L_, 1);
        lua_rawset(L_, seen_);
        lua_pushvalue(L_, -1);
        lua_rawseti(L_, list_, ++size_);
      }
    }
    lua_pop(L_, 1);
  }

  // Pushes the next one and adds what it leads to; false at the end.
  bool next() {
    if (next_ > size_) return false;
    lua_rawgeti(L_, list_, next_++);
    const int value = lua_gettop(L_);
    if (lua_type(L_, value) == LUA_TFUNCTION) {
      for (int i = 1; lua_getupvalue(L_, value, i) != nullptr; ++i) add();
      return true;
    }
    lua_pushnil(L_);
    while (lua_next(L_, value)) {
      add();
      lua_pushvalue(L_, -1);
      add();
    }
    if (lua_getmetatable(L_, value)) add();
    return true;
  }

 private:
  lua_State* L_;
  int list_;
  int seen_;
  int size_ = 0;
  int next_ = 1;
};

std::string file_of_function(lua_State* L) {
  lua_Debug debug;
  lua_pushvalue(L, -1);
  lua_getinfo(L, ">S", &debug);
  return debug.source[0] == '@' ? debug.source + 1 : debug.source;
}

}  // namespace

std::vector<Assignment> lasting_assignments(lua_State* L, int index) {
  if (index < 0) index += lua_gettop(L) + 1;
  luaL_checkstack(L, 16, "looking through a module");
  const int top = lua_gettop(L);
  const Opcodes assigning = find_assigning_opcodes(L);
  std::vector<Assignment> found;
  Reach reach(L);
  lua_pushvalue(L, index);
  reach.add();
  while (reach.next()) {
    if (lua_type(L, -1) == LUA_TFUNCTION) {
      const std::string bytecode = dump(L);
      charge(L, bytecode.size() / 4);
      for (const auto& [number, line] : DumpReader(bytecode, assigning).read().assigned)
        found.push_back({file_of_function(L), line});
    }
    lua_pop(L, 1);
  }
  lua_settop(L, top);
  return found;
}

}  // namespace mg::script
