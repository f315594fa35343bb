"""Rules about size and shape: lengths of files and functions, coroutines that g++ 12 spoils."""

import ast
import re

from . import picture

_SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|\bextern\s*$")
_INITIALIZERS = re.compile(r"\)\s*(?:const|noexcept|override|final|\s)*:(?!:)")
# What a table, a document or a record of another program holds is not counted in lines.
_COUNTED = (".h", ".cc", ".lua", ".py", ".cmake", ".sh")


def _is_program(file):
    return file.is_text and (file.path.endswith(_COUNTED) or file.raw.startswith(b"#!"))


def file_length(tree):
    """no file over 500 lines; policies over 150, providers over 60"""
    for file in tree.under("src/", "tests/", "tools/", "scripts/", "cmake/", "examples/", ".ci/"):
        if not _is_program(file):
            continue
        most = picture.FILE_LINES_MAX
        if file.path.startswith("scripts/policies/"):
            most = picture.POLICY_LINES_MAX
        elif file.path.startswith("scripts/providers/"):
            most = picture.PROVIDER_LINES_MAX
        if len(file.lines) > most:
            yield file.finding(most + 1, "file_length", f"{len(file.lines)} lines; {most} at most")


def functions(code):
    """(first line, last line, beginning of its text, offsets of the body) of each function that
    stands at the level of a namespace or a class, and of each lambda given to a variable there."""
    header_from = 0
    inside = []  # of each open brace: None for a scope, else where the function begins
    depth_in_function = 0
    parens = 0
    for at, char in enumerate(code):
        if depth_in_function:
            if char == "{":
                depth_in_function += 1
            elif char == "}":
                depth_in_function -= 1
                if depth_in_function == 0:
                    begin, body = inside.pop()
                    yield begin, body, at
                    header_from = at + 1
            continue
        if char in "()":
            parens += 1 if char == "(" else -1
        elif char == "{":
            header = code[header_from:at]
            kind = _kind(header, parens)
            if kind == "value":
                # Braces of an initialiser: skipped up to their end, the header goes on.
                inside.append("value")
            elif kind == "function":
                begin = header_from + len(header) - len(header.lstrip())
                inside.append((begin, at))
                depth_in_function = 1
            else:
                inside.append("scope")
                header_from = at + 1
        elif char == "}":
            if inside and inside.pop() == "scope":
                header_from = at + 1
        elif char == ";" and parens == 0 and (not inside or inside[-1] == "scope"):
            header_from = at + 1
        elif char == "\n" and code[header_from:at].lstrip().startswith("#"):
            header_from = at + 1


def _kind(header, parens):
    text = header.strip()
    if parens > 0 or text.endswith(("=", ",", "(", "return")):
        return "value"
    if _SCOPE.search(text) and not text.endswith(")") and "(" not in re.sub(
            r"\b(?:alignas|__attribute__|decltype|sizeof)\s*\(.*?\)", "", text):
        return "scope"
    if re.match(r"(?:inline\s+)?namespace\b", text):
        return "scope"
    if text.startswith("extern") and "(" not in text:
        return "scope"
    if "(" not in text:
        return "value"
    # `Thing::Thing(int a) : a_{a} {`: the first brace, after a name, belongs to the member.
    if _INITIALIZERS.search(text) and re.search(r"[\w>]$", text):
        if not re.search(r"\b(?:const|noexcept|override|final|try)$", text):
            return "value"
    return "function"


def _line(code, at):
    return code.count("\n", 0, at) + 1


def _table_lines(body):
    """The rows of tables: data that happens to stand in a function is not counted."""
    rows = 0
    for match in re.finditer(r"=\s*\{[^\n]*\n", body):
        rows += max(0, body.count("\n", match.end(), _closing(body, body.index("{", match.start()),
                                                             "{}")))
    return rows


def function_length(tree):
    """no function over 70 lines, in C++ and Python"""
    most = picture.FUNCTION_LINES_MAX
    for file in tree.cpp():
        for begin, body, end in functions(file.code):
            first = _line(file.code, begin)
            length = _line(file.code, end) - first + 1 - _table_lines(file.code[body:end])
            if length > most:
                name = " ".join(file.text[begin:body].split())[:60]
                yield file.finding(first, "function_length",
                                   f"{length} lines, {most} at most: {name}")
    for file in tree.text_files():
        if not file.path.endswith(".py") and not file.text.startswith("#!/usr/bin/env python3"):
            continue
        try:
            module = ast.parse(file.text)
        except SyntaxError as error:
            yield file.finding(error.lineno or 1, "function_length", f"cannot be read: {error.msg}")
            continue
        for node in ast.walk(module):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno - node.lineno + 1
                if length > most:
                    yield file.finding(node.lineno, "function_length",
                                       f"{length} lines, {most} at most: {node.name}")


_CAPTURING = re.compile(r"\[[^\[\]]*[\w&=][^\[\]]*\]\s*(?:\([^{};]*\))?\s*(?:mutable\s*)?"
                        r"(?:->\s*[^{};]*)?\{")


def coroutines(tree):
    """no capturing lambda is a coroutine, no condition awaits (g++ 12 spoils both)"""
    for file in tree.cpp():
        code = file.code
        if "co_" not in code:
            continue
        for match in re.finditer(r"\b(?:if|while|switch|for)\s*\(", code):
            if "co_await" in code[match.end():_closing(code, match.end() - 1, "()")]:
                yield file.finding(_line(code, match.start()), "coroutines",
                                   "awaits in a condition: bind the result to a name first")
        for match in _CAPTURING.finditer(code):
            # A subscript looks like a capture: `a[i] = {` does not, for the `=`.
            if match.start() and re.match(r"[\w)\]]", code[match.start() - 1]):
                continue
            body = code[match.end():_closing(code, match.end() - 1, "{}")]
            if re.search(r"\bco_(?:await|return|yield)\b", _without_lambdas(body)):
                yield file.finding(_line(code, match.start()), "coroutines",
                                   "a lambda that captures is a coroutine: make it a function")


def _closing(code, at, pair):
    depth = 0
    for i in range(at, len(code)):
        if code[i] == pair[0]:
            depth += 1
        elif code[i] == pair[1]:
            depth -= 1
            if depth == 0:
                return i
    return len(code)


def _without_lambdas(body):
    for match in re.finditer(r"\[[^\[\]]*\]\s*(?:\([^{};]*\))?\s*(?:->\s*[^{};]*)?\{", body):
        end = _closing(body, match.end() - 1, "{}")
        body = body[:match.end()] + re.sub(r"\S", " ", body[match.end():end]) + body[end:]
    return body
