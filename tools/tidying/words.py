"""Rules about words: seams that only some files may use, floats near money, names, marks, paths."""

import re

from . import picture

_IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_FLOAT = re.compile(r"\b(?:float|double)\b|(?<![\w.])\d[\d']*\.\d|(?<![\w.])\d[\d']*e[+-]?\d")


def seams(tree):
    """time, randomness, sleep, sockets and the environment are asked for in their files alone"""
    rules = [(re.compile(what), tuple(places), why) for what, places, why in picture.SEAMS]
    for file in tree.cpp("src/"):
        for number, line in enumerate(file.code_lines, 1):
            for what, places, why in rules:
                match = what.search(line)
                if match and not file.path.startswith(places):
                    yield file.finding(number, "seams", f"{match.group(0).strip()}: {why}")


def floats(tree):
    """no floating point where money is"""
    for file in tree.cpp():
        if not file.path.startswith(tuple(picture.MONEY)):
            continue
        for number, line in enumerate(file.code_lines, 1):
            match = _FLOAT.search(line)
            if match and not any(file.path == path and word in line
                                 for path, word, _ in picture.NOT_MONEY):
                yield file.finding(number, "floats", f"{match.group(0)}: money is integers")


def names(tree):
    """no name says util, common, helper, manager or context"""
    foreign = re.compile(picture.FOREIGN_NAMES)
    for file in tree.files:
        for part in re.split(r"[/._-]", file.path.lower()):
            if part in picture.BANNED_WORDS:
                yield file.finding(1, "names", f"{part} in its path: {picture.BANNED_WORDS[part]}")
    for file in tree.cpp():
        for number, line in enumerate(file.code_lines, 1):
            if line.lstrip().startswith("#include"):
                continue
            for name in _IDENTIFIER.findall(line):
                if foreign.match(name):
                    continue
                for part in _PART.findall(name):
                    why = picture.BANNED_WORDS.get(part.lower())
                    if why:
                        yield file.finding(number, "names", f"{part.lower()} in {name}: {why}")


def marks(tree):
    """no mark of work left lying"""
    yield from _search(tree, "marks", picture.MARKS, "do it, or name it in an issue")


def paths(tree):
    """no path of one machine"""
    yield from _search(tree, "paths", picture.MACHINE_PATHS, "a path of one machine")


def _search(tree, rule, expression, why):
    what = re.compile(expression)
    for file in tree.text_files():
        if what.search(file.text):
            for number, line in enumerate(file.lines, 1):
                match = what.search(line)
                if match:
                    yield file.finding(number, rule, f"{match.group(0)}: {why}")


# Files whose bytes are what they are about, and texts that are not wrapped.
_AS_THEY_ARE = (".json", ".sse", ".raw", ".txt", ".tsv", ".jsonl", ".http", ".golden")
_UNWRAPPED = (".md", "LICENSE", ".lock", "go.sum") + (".h", ".cc")  # C++ is clang-format's


def layout(tree):
    """no blank at the end of a line, no tab, no line over 100 columns, a newline at the end"""
    for file in tree.text_files():
        if file.path.endswith(_AS_THEY_ARE) or not file.raw:
            continue
        if not file.raw.endswith(b"\n"):
            yield file.finding(len(file.lines), "layout", "no newline at the end")
        if b"\r" in file.raw:
            yield file.finding(1, "layout", "a carriage return")
        is_wide = file.path.endswith(_UNWRAPPED) or file.path.startswith(tuple(picture.UNWRAPPED))
        for number, line in enumerate(file.lines, 1):
            if line != line.rstrip():
                yield file.finding(number, "layout", "blanks at the end of the line")
            if "\t" in line and not file.path.endswith((".go", "go.mod", "Makefile", ".tsv")):
                yield file.finding(number, "layout", "a tab")
            if len(line) > picture.COLUMNS_MAX and not is_wide:
                yield file.finding(number, "layout",
                                   f"{len(line)} columns, {picture.COLUMNS_MAX} at most")


def bounds(tree):
    """every bound of base/limits.h is kept somewhere in src and tried somewhere in tests"""
    file = tree.by_path.get(picture.LIMITS)
    if file is None:
        return
    used = _identifiers(tree.cpp("src/"), file)
    tried = _identifiers([other for other in tree.under("tests/") if other.is_text], file)
    for name, number in _bounds_of(file):
        if name not in used:
            yield file.finding(number, "bounds", f"nothing keeps {name}")
        elif name not in tried:
            yield file.finding(number, "bounds",
                               f"no test names {name}: try its edge, and one past")


def _bounds_of(file):
    for number, line in enumerate(file.code_lines, 1):
        match = re.search(r"\bconstexpr\s+[\w:<> ]+?\s(\w+)\s*=", line)
        if match and re.search(r"_(max|min|high|low|default)\b|_max_|_ms$|_s$|_bytes$",
                               match.group(1)):
            yield match.group(1), number


def _identifiers(files, but):
    found = set()
    for file in files:
        if file is not but:
            found.update(_IDENTIFIER.findall(file.text))
    return found
