"""Rules that another program judges: clang-format for C++, luacheck for Lua."""

import concurrent.futures
import os
import re
import shutil
import subprocess

_CLANG = re.compile(r"^(.+?):(\d+):\d+: (?:error|warning): (.*)$")
_LUA = re.compile(r"^\s*(.+?):(\d+):\d+: (.*)$")
_FILES_A_CALL = 24


def formatting(tree):
    """C++ stands as clang-format 14 sets it"""
    if not shutil.which("clang-format-14"):
        raise RuntimeError("clang-format-14 is missing: run tools/setup")
    paths = [file.path for file in tree.cpp()]
    calls = [paths[at:at + _FILES_A_CALL] for at in range(0, len(paths), _FILES_A_CALL)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda call: list(_format_findings(tree, call)), calls):
            yield from found


def _format_findings(tree, paths):
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", "--ferror-limit=1", *paths],
                          cwd=tree.root, capture_output=True, text=True)
    found = False
    for line in done.stderr.splitlines():
        match = _CLANG.match(line)
        if match and match.group(1) in tree.by_path:
            found = True
            yield tree.by_path[match.group(1)].finding(
                int(match.group(2)), "formatting", "run clang-format-14 -i on the file")
    if done.returncode and not found:
        raise RuntimeError("clang-format-14: " + done.stderr.strip())


def lua(tree):
    """luacheck finds nothing in scripts and configurations"""
    if not shutil.which("luacheck"):
        raise RuntimeError("luacheck is missing: run tools/setup")
    paths = [file.path for file in tree.files if file.path.endswith(".lua")]
    if not paths:
        return
    done = subprocess.run(["luacheck", "--no-color", "--formatter", "plain", *paths],
                          cwd=tree.root, capture_output=True, text=True)
    found = False
    for line in done.stdout.splitlines():
        match = _LUA.match(line)
        if match and match.group(1) in tree.by_path:
            found = True
            yield tree.by_path[match.group(1)].finding(int(match.group(2)), "lua", match.group(3))
    if done.returncode and not found:
        raise RuntimeError("luacheck: " + (done.stdout + done.stderr).strip())
