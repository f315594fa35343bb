"""The house as it should be: the one place that the rules of tools/tidy are tables in."""

# What a folder of src may include besides itself, and through these what they may include.
LAYERS = {
    "cli": {"server", "control", "lab"},
    "server": {"control", "lab"},
    "control": {"gateway"},
    "lab": {"gateway"},
    "gateway": {"http", "directory", "agent", "api"},
    "agent": {"api", "event"},
    "api": {"limit", "ledger", "script"},
    "directory": {"ledger"},
    "ledger": {"store", "event"},
    "http": {"tls"},
    "tls": {"event"},
    "event": {"base"},
    "script": {"base"},
    "limit": {"base"},
    "store": {"base"},
    "base": set(),
}

# Which files of src may include a header of a library or of the system: (header, places, why).
# A header is a regular expression over what stands between < and >; a place is the beginning of
# a path.
FENCES = [
    (r"uv(\.h|/.*)", ["src/event/"], "libuv lives in src/event"),
    (r"ares.*\.h", ["src/event/"], "c-ares lives in src/event"),
    (r"(mbedtls|psa)/.*", ["src/tls/"], "mbedTLS lives in src/tls"),
    (r"sodium(/.*|\.h)", ["src/tls/sodium_"], "libsodium lives in two files of src/tls"),
    (r"gperftools/.*", ["src/server/allocator.cc"], "tcmalloc lives in one file of src/server"),
    (r"lmdb\.h", ["src/store/"], "LMDB lives in src/store"),
    (r"llhttp(/.*|\.h)", ["src/http/parser.cc"], "llhttp lives in one file of src/http"),
    (r"(lua|luajit|lauxlib|lualib).*", ["src/script/", "src/api/"],
     "Lua lives in src/script and src/api"),
    (r"nlohmann/.*", ["src/base/json_value.h"],
     "nlohmann-json is for the control plane, through base/json_value.h"),
    (r"CLI/.*", ["src/cli/"], "CLI11 lives in src/cli"),
    (r"isa-l.*", ["src/base/bytes.cc", "src/lab/"], "checksums are asked of base/bytes.h"),
    (r"openssl/.*", [], "TLS and digests are mbedTLS's, in src/tls"),
    (r"(sys/socket|sys/un|netdb|net/.*|netinet/.*|poll|sys/epoll|sys/select)(\.h)?",
     ["src/event/"], "sockets are event's: take Sockets&"),
    (r"arpa/inet\.h", ["src/base/address.cc"], "addresses are read by base/address.h"),
    (r"(ctime|time\.h|sys/time\.h|sys/timerfd\.h)", ["src/base/clock.cc"],
     "time is read from Clock&"),
    (r"(sys/random\.h|random)", ["src/base/rng.cc"], "randomness is drawn from Rng&"),
    (r"catch2/.*", [], "tests live in tests"),
]

# What only these files may do: (expression over code without comments and strings, places, why).
SEAMS = [
    (r"\b(?:system|steady|high_resolution|utc|tai|file)_clock::now\b", ["src/base/clock.cc"],
     "time is read from Clock&"),
    (r"\b(?:gettimeofday|clock_gettime|clock_getres|timespec_get|localtime\w*|mktime)\s*\(",
     ["src/base/clock.cc"], "time is read from Clock&"),
    (r"(?<![\w.>])(?:std::|::)?time\s*\(\s*(?:nullptr|NULL|0|&)",
     ["src/base/clock.cc"], "time is read from Clock&"),
    (r"\b(?:getrandom|getentropy|arc4random\w*|srand|drand48|random_device|mt19937\w*)\b"
     r"|(?<![\w.>])rand\s*\(\s*\)", ["src/base/rng.cc"], "randomness is drawn from Rng&"),
    (r"\b(?:sleep_for|sleep_until|nanosleep|usleep|clock_nanosleep)\s*\("
     r"|(?<![\w.>])(?:::)?sleep\s*\(\s*\d", [], "waiting is a timer's: take Loop&"),
    (r"(?<![\w>:])::(?:connect|accept4?|socket|bind|listen|recv\w*|send\w*|poll|select|epoll_\w+)"
     r"\s*\(", ["src/event/"], "sockets are event's: take Sockets&"),
    (r"\b(?:getaddrinfo|gethostbyname\w*|getnameinfo|res_query)\s*\(", ["src/event/"],
     "names are resolved by Resolver&"),
    (r"\bgetenv\s*\(", ["src/server/config.cc", "src/cli/"],
     "the environment is read by server/config.cc"),
    (r"\bthrow\b(?!\s*\()", [], "no exceptions of ours: a bug asserts, an error is a Result"),
    (r"\b(?:std::)?(?:cout|cerr)\b", ["src/cli/"], "lines for people are log's"),
    # A call and a hold are shared by two that end in either order: the last one frees them.
    (r"(?<!= )\bdelete\b", ["src/event/", "src/ledger/call.h", "src/ledger/state.cc"],
     "what is owned is freed by its owner's type, not by delete"),
]

# Where no floating point may be: beginnings of paths under which money is kept, moved or computed.
MONEY = [
    "src/ledger/", "src/store/", "src/directory/", "src/control/", "src/base/money", "src/base/id",
    "src/gateway/", "src/server/", "src/lab/booked", "src/lab/told", "src/lab/comparison",
    "tests/unit/ledger/", "tests/unit/base/money",
]
# What is no money there: (file, a word that the line must hold, why).
NOT_MONEY = [
    ("src/gateway/exchange_steps.cc", "error_rate", "a share of failures, shown to policies"),
    ("src/gateway/whole_number.h", "double", "how some write a count of tokens"),
]

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 110  # where no formatter says less: C++ and Lua have 100
POLICY_LINES_MAX = 150
PROVIDER_LINES_MAX = 60

# Parts of names that say nothing of what a thing is.
BANNED_WORDS = {
    "util": "say what it does", "utils": "say what it does", "utility": "say what it does",
    "utilities": "say what it does", "common": "say what is shared", "helper": "say what it helps",
    "helpers": "say what it helps", "manager": "say what it owns", "mgr": "say what it owns",
    "context": "say what it holds", "ctx": "say what it holds", "misc": "say what it is",
}
# Names that libraries gave, and words that the protocols we speak use.
FOREIGN_NAMES = (r"^(?:mbedtls_|MBEDTLS_|uv_|UV_|ares_|ARES_|lua_|luaL_|luaJIT_|mdb_|MDB_|llhttp_|"
                 r"context_window|context_length_exceeded|common_type|common_reference|cipher_ctx)")

# Marks of work that was left lying. (Written apart, so that this file does not hold them.)
MARKS = r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b"
# Paths of one machine.
MACHINE_PATHS = (r"(?<![\w.$}~/-])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + r"me/\w+"]) +
                 r")(?=/|\b(?![\w/]))")

# Files whose lines may be longer: types for an editor, tables of texts in all scripts.
UNWRAPPED = ["scripts/meta/", "tools/estimator/", "tools/fit_estimator"]

# Headers and sources that are built or read by something the rules do not see: (path, what).
ALIVE = []

# Where the bounds stand, each to be used in src and tried in tests.
LIMITS = "src/base/limits.h"
