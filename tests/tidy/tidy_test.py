"""tools/tidy finds every kind of violation where it is seeded, and nothing in the tree as it is."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from tidying import rules, shape  # noqa: E402
from tidying.tree import Tree, blanked  # noqa: E402

# Words that tidy would find in this very file are written in two pieces.
MARK = "TO" + "DO"
HOME = "/ro" + "ot/.profile"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A scratch copy of the project's files."""
    root = tmp_path_factory.mktemp("tree")
    for file in Tree(ROOT).files:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.root / file.path, target)
    return root


class Seeded:
    """Changes files of the copy, and puts them back."""

    def __init__(self, root):
        self.root, self.before = root, {}

    def _keep(self, path):
        target = self.root / path
        self.before.setdefault(path, target.read_bytes() if target.exists() else None)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def write(self, path, text):
        self._keep(path).write_text(text)

    def append(self, path, text):
        target = self._keep(path)
        target.write_text(target.read_text() + text)
        return len(target.read_text().splitlines())

    def replace(self, path, old, new):
        target = self._keep(path)
        text = target.read_text()
        assert old in text, f"{path} no longer holds {old!r}: change the test"
        target.write_text(text.replace(old, new, 1))

    def restore(self):
        for path, content in self.before.items():
            if content is None:
                (self.root / path).unlink()
            else:
                (self.root / path).write_bytes(content)


@pytest.fixture
def seeded(copy):
    seeding = Seeded(copy)
    yield seeding
    seeding.restore()


_read = {}  # files as they were read last, by path: most stay as they are from look to look


def look(root):
    tree = Tree(root)
    for index, file in enumerate(tree.files):
        status = (root / file.path).stat()
        stamp = (status.st_mtime_ns, status.st_size)
        kept = _read.get(file.path)
        if kept is None or kept[0] != stamp:
            _read[file.path] = kept = (stamp, file)
        tree.files[index] = tree.by_path[file.path] = kept[1]
    return tree


def found(root, rule, only=""):
    """What the rule finds; with `only`, in that file alone (programs are slow over all)."""
    tree = look(root)
    if only:
        tree.files = [file for file in tree.files if file.path == only]
    return [(finding.path, finding.line, finding.reason) for finding in rules.run(tree, [rule])]


# rule, file, what is added at its end, what the finding says
APPENDED = [
    ("layers", "src/base/text.cc", '#include "event/loop.h"\n', "base must not include event"),
    ("layers", "src/ledger/rules.cc", '#include "http/head.h"\n', "ledger must not include http"),
    ("layers", "src/limit/buckets.cc", '#include "base/nowhere.h"\n', "is no file of src"),
    ("fences", "src/base/text.cc", "#include <uv.h>\n", "libuv lives in src/event"),
    ("fences", "src/http/url.cc", "#include <ares.h>\n", "c-ares lives in src/event"),
    ("fences", "src/http/url.cc", "#include <mbedtls/md.h>\n", "mbedTLS lives in src/tls"),
    ("fences", "src/ledger/rules.cc", "#include <lmdb.h>\n", "LMDB lives in src/store"),
    ("fences", "src/http/sse.cc", "#include <llhttp/llhttp.h>\n", "one file of src/http"),
    ("fences", "src/gateway/billing.cc", "#include <lua.hpp>\n", "Lua lives in"),
    ("fences", "src/gateway/billing.cc", "#include <nlohmann/json.hpp>\n", "control plane"),
    ("fences", "src/server/config.cc", "#include <CLI/CLI.hpp>\n", "CLI11 lives in src/cli"),
    ("fences", "src/http/pool.cc", "#include <sys/socket.h>\n", "take Sockets&"),
    ("fences", "src/http/pool.cc", "#include <ctime>\n", "read from Clock&"),
    ("fences", "src/lab/seed.cc", "#include <random>\n", "drawn from Rng&"),
    ("seams", "src/lab/seed.cc", "long now() { return time(nullptr); }\n", "read from Clock&"),
    ("seams", "src/lab/seed.cc", "auto now() { return std::chrono::steady_clock::now(); }\n",
     "read from Clock&"),
    ("seams", "src/lab/seed.cc", "int draw(void* p) { return getrandom(p, 8, 0); }\n",
     "drawn from Rng&"),
    ("seams", "src/lab/seed.cc", "void wait() { std::this_thread::sleep_for(kLong); }\n", "timer"),
    ("seams", "src/http/pool.cc", "int dial(int fd) { return ::connect(fd, 0, 0); }\n",
     "take Sockets&"),
    ("seams", "src/http/pool.cc", "void look() { getaddrinfo(0, 0, 0, 0); }\n", "Resolver&"),
    ("seams", "src/http/pool.cc", 'auto home() { return std::getenv("A"); }\n', "config.cc"),
    ("seams", "src/http/pool.cc", "void stop() { throw 1; }\n", "no exceptions of ours"),
    ("seams", "src/http/pool.cc", "void drop(int* p) { delete p; }\n", "not by delete"),
    ("floats", "src/ledger/rules.cc", "double share = 0;\n", "money is integers"),
    ("floats", "src/gateway/billing.cc", "auto price(long a) { return a * 0.15; }\n",
     "money is integers"),
    ("floats", "src/base/money.cc", "constexpr auto kNano = 1e9;\n", "money is integers"),
    ("names", "src/http/pool.cc", "int pool_manager = 0;\n", "manager in pool_manager"),
    ("names", "src/http/pool.cc", "struct RequestContext {};\n", "context in RequestContext"),
    ("names", "src/http/pool.cc", "int commonPart = 0;\n", "common in commonPart"),
    ("marks", "src/http/pool.cc", f"// {MARK}: later\n", "do it"),
    ("marks", "README.md", f"{MARK} write this\n", "do it"),
    ("paths", "tools/setup", f"cat {HOME}\n", "a path of one machine"),
    ("layout", "tools/setup", "echo one \n", "blanks at the end"),
    ("layout", "tools/setup", "\techo one\n", "a tab"),
    ("layout", "tools/setup", "echo " + "x" * 106 + "\n", "111 columns"),
    ("layout", "tools/setup", "echo one", "no newline at the end"),
    ("formatting", "src/http/pool.cc", "int   crooked ;\n", "clang-format-14"),
    ("lua", "scripts/policies/budget.lua", "print(1)\n", "expected <eof>"),
]


@pytest.mark.parametrize("rule,path,line,says", APPENDED,
                         ids=[f"{row[0]}-{index}" for index, row in enumerate(APPENDED)])
def test_a_seeded_line_is_found(seeded, rule, path, line, says):
    if not (seeded.root / path).exists():
        seeded.write(path, "")
    only = path if rule in ("formatting", "lua") else ""
    before = set(found(seeded.root, rule, only))
    at = seeded.append(path, line)
    fresh = [finding for finding in found(seeded.root, rule, only) if finding not in before]
    assert any(finding[:2] == (path, at) and says in finding[2] for finding in fresh), fresh


def test_a_policy_that_asks_for_more_than_the_sandbox_has_is_found(seeded):
    path = "scripts/policies/budget.lua"
    seeded.write(path, "return { name = 'budget', time = os.time() }\n")
    assert (path, 1, "accessing undefined variable 'os'") in [
        (at, line, reason.split(") ")[-1]) for at, line, reason in found(seeded.root, "lua", path)]


def test_a_comment_and_a_string_are_no_code(seeded):
    before = found(seeded.root, "seams"), found(seeded.root, "names")
    seeded.append("src/http/pool.cc", "// throw, std::getenv(), the manager's context\n"
                                      'const char* kSaid = "throw getrandom(manager)";\n')
    assert (found(seeded.root, "seams"), found(seeded.root, "names")) == before


def test_cmake_must_agree_with_the_layers(seeded):
    seeded.replace("CMakeLists.txt", "moongate_library(limit     USES base)",
                   "moongate_library(limit     USES base gateway)")
    assert any("limit must not use gateway" in reason
               for _, _, reason in found(seeded.root, "layers"))


def test_an_include_must_be_linked(seeded):
    seeded.replace("CMakeLists.txt", "moongate_library(ledger    USES store event)",
                   "moongate_library(ledger    USES store)")
    reasons = [reason for path, _, reason in found(seeded.root, "layers")
               if path.startswith("src/ledger/")]
    assert any("does not link event to ledger" in reason for reason in reasons)


def test_the_own_header_comes_first(seeded):
    seeded.replace("src/base/text.cc", '#include "base/text.h"',
                   '#include <string>\n#include "base/text.h"')
    assert any(path == "src/base/text.cc" and "first" in reason
               for path, _, reason in found(seeded.root, "layers"))


def test_a_header_without_pragma_once_is_found(seeded):
    seeded.replace("src/base/text.h", "#pragma once", "")
    assert any(path == "src/base/text.h" for path, _, _ in found(seeded.root, "pragma_once"))


@pytest.mark.parametrize("path,says", [
    ("src/base/lonely.h", "no file includes it"),
    ("src/base/deep/lonely.cc", "no target of CMake builds it"),
    ("tests/unit/nowhere/lonely_test.cc", "no target of CMake builds it"),
    ("tests/fuzz/lonely_fuzz.cc", "no target of CMake builds it"),
    ("scripts/policies/lonely.lua", "chain.lua does not name it"),
    ("tools/tidying/lone" + "some.py", "nothing of tools/tidying names it"),
])
def test_a_dead_file_is_found(seeded, path, says):
    seeded.write(path, "")
    assert (path, 1, says) in found(seeded.root, "dead_files")


@pytest.mark.parametrize("path,most", [
    ("src/base/long.cc", 500), ("tests/long.py", 500), ("scripts/policies/long.lua", 150),
    ("scripts/providers/long.lua", 60),
])
def test_lengths_of_files(seeded, path, most):
    seeded.write(path, "\n" * most)
    assert all(at != path for at, _, _ in found(seeded.root, "file_length"))
    seeded.write(path, "\n" * (most + 1))
    assert (path, most + 1, f"{most + 1} lines; {most} at most") in found(
        seeded.root, "file_length")


# Functions as they come; each is made `lines` long by the middle.
SHAPES = [
    "int f(int a) {\n%s}\n",
    "namespace a {\nstruct S {\n  int f() const noexcept {\n%s  }\n};\n}\n",
    "S::S(int a) : a_(a), b_{a, 1} {\n%s}\n",
    "S::S(int a)\n    : a_{a} {\n%s}\n",
    "template <class T>\nauto g(T t) -> std::vector<T> {\n%s}\n",
    'TEST_CASE("a { b") {\n%s}\n',
    "const auto kSum = [](int a) {\n%s};\n",
    "event::Task<> S::run() && {\n%s}\n",
    "bool operator==(const S& a, const S& b) {\n%s}\n",
]


@pytest.mark.parametrize("text", SHAPES)
def test_lengths_of_functions(seeded, text):
    path = "src/base/long.cc"
    own = text.split("{\n%s")[0].split("{\n")[-1].count("\n") + 2
    for body, is_long in ((70 - own, False), (71 - own, True)):
        seeded.write(path, text % ("  a = 1;\n" * body))
        hits = [finding for finding in found(seeded.root, "function_length")
                if finding[0] == path]
        assert bool(hits) == is_long, (body, hits)


def test_rows_of_a_table_are_not_counted():
    table = "int f() {\n  const Row rows[] = {\n" + "    {1, 2},\n" * 90 + "  };\n}\n"
    begin, body, end = next(shape.functions(table))
    assert table.count("\n", begin, end) + 1 - shape._table_lines(table[body:end]) < 70


def test_a_long_function_of_python_is_found(seeded):
    seeded.write("tests/long.py", "def f():\n" + "    a = 1\n" * 70)
    assert ("tests/long.py", 1, "71 lines, 70 at most: f") in found(
        seeded.root, "function_length")


@pytest.mark.parametrize("text,is_bad", [
    ("Task<> f(int a) {\n  return [a]() -> Task<> { co_await g(a); }();\n}\n", True),
    ("Task<> f(int a) {\n  auto h = [&] { co_return; };\n  return h();\n}\n", True),
    ("Task<> f(int a) {\n  if (co_await g(a)) co_return;\n}\n", True),
    ("Task<> f(int a) {\n  while (a && !co_await g(a)) {\n  }\n}\n", True),
    ("Task<> f(int a) {\n  const bool b = co_await g(a);\n  if (b) co_return;\n}\n", False),
    ("Task<> f(int a) {\n  auto h = [&] { return a; };\n  co_await g(h());\n}\n", False),
    ("Task<> f() {\n  auto h = []() -> Task<> { co_return; };\n  return h();\n}\n", False),
])
def test_coroutines_that_gcc_spoils(seeded, text, is_bad):
    seeded.write("src/base/task.cc", text)
    hits = [finding for finding in found(seeded.root, "coroutines")
            if finding[0] == "src/base/task.cc"]
    assert bool(hits) == is_bad


def test_a_bound_without_a_test_is_found(seeded):
    name = "moons" + "_max"  # in two pieces, for this file is a test too
    path = "src/base/limits.h"
    line = seeded.append(path, f"inline constexpr int {name} = 3;\n")
    assert (path, line, f"nothing keeps {name}") in found(seeded.root, "bounds")
    seeded.append("src/base/text.cc", f"int m = mg::limits::{name};\n")
    assert (path, line, f"no test names {name}: try its edge, and one past") in (
        found(seeded.root, "bounds"))
    seeded.append("tests/unit/base/text_test.cc", f"int m = mg::limits::{name};\n")
    assert all(name not in reason for _, _, reason in found(seeded.root, "bounds"))


def test_blanking_keeps_every_line_and_column():
    text = ('int a = 1\'000; // "one\nauto b = "x // \\" y"; /* two\nlines */ R"(three "\n)" + '
            '\'"\';\n')
    out = blanked(text)
    assert [len(line) for line in out.split("\n")] == [len(line) for line in text.split("\n")]
    assert "1'000" in out and "one" not in out and "lines" not in out and "three" not in out
    assert out.count(";") == text.count(";")


def test_the_program_says_where_and_fails(seeded):
    seeded.append("src/http/pool.cc", "int pool_manager = 0;\n")
    done = subprocess.run([ROOT / "tools/tidy", "--root", seeded.root, "names"],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert "src/http/pool.cc:" in done.stdout and ": names: manager" in done.stdout
    listed = subprocess.run([ROOT / "tools/tidy", "--list"], capture_output=True, text=True)
    assert listed.returncode == 0 and len(listed.stdout.splitlines()) == len(rules.ALL)
    assert subprocess.run([ROOT / "tools/tidy", "nonsense"], capture_output=True).returncode == 2


def test_every_rule_has_a_violation_that_finds_it():
    """A rule that nothing here seeds would be a rule that nobody has seen work."""
    text = pathlib.Path(__file__).read_text()
    assert all(f'"{rule}"' in text for rule in rules.ALL)
