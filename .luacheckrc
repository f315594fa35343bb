-- Policies run in a sandbox: LuaJIT's language, a bounded standard library, and `gate`.
std = {
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "setmetatable", "getmetatable",
    "rawget", "rawset", "rawequal", "tonumber", "tostring", "type", "unpack",
    string = { fields = { "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower",
                          "match", "rep", "reverse", "sub", "upper" } },
    table = { fields = { "concat", "insert", "remove", "sort", "maxn" } },
    math = { other_fields = true },
    bit = { other_fields = true },
    "gate",
  },
}
max_line_length = 100
unused_args = false
exclude_files = { "scripts/meta/**", "build/**" }
files["moongate.lua"] = { read_globals = { "env", "required" } }
files["examples/**/moongate.lua"] = { read_globals = { "env", "required" } }
-- wrk, which tools/bench drives servers with, has its own globals.
files["tools/bench.d/**"] = { std = "luajit", globals = { "wrk" } }
