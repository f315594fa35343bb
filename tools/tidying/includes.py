"""Rules about #include: the layers, the fences, and files that nobody includes or builds."""

import re

from . import picture

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
_LIBRARY = re.compile(r"^moongate_library\(\s*(\w+)([^)]*)\)", re.MULTILINE)


def includes(file):
    """(line, quoted name or None, name in angles or None) of each #include."""
    for match in _INCLUDE.finditer(file.code):
        yield file.code.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def closure(edges):
    """What each folder reaches, itself included."""
    reached = {}

    def visit(folder):
        if folder not in reached:
            reached[folder] = {folder}
            for below in edges.get(folder, ()):
                reached[folder] |= visit(below)
        return reached[folder]

    for folder in edges:
        visit(folder)
    return reached


def libraries(tree):
    """folder -> (line, folders that CMakeLists.txt says it uses)."""
    text = tree.by_path["CMakeLists.txt"].text
    found = {}
    for match in _LIBRARY.finditer(text):
        words = match.group(2).split()
        uses, reading = set(), False
        for word in words:
            if word in ("USES", "LIBRARIES"):
                reading = word == "USES"
            elif reading:
                uses.add(word)
        found[match.group(1)] = (text.count("\n", 0, match.start()) + 1, uses)
    return found


def layers(tree):
    """src includes and CMakeLists.txt links only what the layers allow"""
    may = closure(picture.LAYERS)
    built = libraries(tree)
    cmake = tree.by_path["CMakeLists.txt"]
    for folder, (line, uses) in built.items():
        if folder not in may:
            yield cmake.finding(line, "layers", f"{folder} is no folder of the design")
            continue
        for use in sorted(uses - may[folder]):
            yield cmake.finding(line, "layers", f"{folder} must not use {use}")
    links = closure({folder: uses for folder, (_, uses) in built.items()})
    for file in tree.cpp("src/"):
        yield from _layers_of(tree, file, may, links)


def _layers_of(tree, file, may, links):
    if file.folder not in links:
        yield file.finding(1, "layers", f"no library of CMakeLists.txt builds src/{file.folder}")
        return
    own = re.sub(r"\.cc$", ".h", file.path).removeprefix("src/")
    quoted = [(line, name) for line, name, _ in includes(file) if name]
    for line, name in quoted:
        below = name.split("/")[0]
        if "src/" + name not in tree.by_path:
            yield file.finding(line, "layers", f'"{name}" is no file of src')
        elif below not in may.get(file.folder, set()):
            yield file.finding(line, "layers", f"{file.folder} must not include {below}")
        elif below not in links[file.folder]:
            yield file.finding(line, "layers",
                               f"CMakeLists.txt does not link {below} to {file.folder}")
    if file.path.endswith(".cc") and "src/" + own in tree.by_path:
        first = next(includes(file), (1, None, None))
        if first[1] != own:
            yield file.finding(first[0], "layers", f'includes "{own}" first, being its own header')


def fences(tree):
    """headers of C libraries and of the system stay in their folder"""
    for file in tree.cpp("src/"):
        for line, _, name in includes(file):
            for header, places, why in picture.FENCES:
                if name and re.fullmatch(header, name) and not file.path.startswith(tuple(places)):
                    yield file.finding(line, "fences", f"<{name}> does not belong here: {why}")


def pragma_once(tree):
    """every header says #pragma once before its first line of code"""
    for file in tree.cpp():
        if not file.path.endswith(".h"):
            continue
        for number, line in enumerate(file.code_lines, 1):
            if line.strip():
                if line.strip() != "#pragma once":
                    yield file.finding(number, "pragma_once", "comes before #pragma once")
                break


def dead_files(tree):
    """no header that nobody includes, no source that no target builds, no script nobody names"""
    included = set()
    for file in tree.cpp():
        folder = file.path.rsplit("/", 1)[0]
        for _, quoted, _ in includes(file):
            if not quoted:
                continue
            # What only its own source and tests include serves nobody.
            is_own = file.path == f"src/{quoted.removesuffix('.h')}.cc"
            if not is_own and not file.path.startswith("tests/"):
                included.add(f"src/{quoted}")
            included.update((f"tests/{quoted}", f"{folder}/{quoted}"))
    for file in tree.cpp():
        if file.path in picture.ALIVE:
            continue
        if file.path.endswith(".h") and file.path not in included:
            yield file.finding(1, "dead_files", "no file includes it")
        elif file.path.endswith(".cc") and not _is_built(tree, file):
            who = "nothing of tools names it" if file.path.startswith("tools/") else (
                "no target of CMake builds it")
            yield file.finding(1, "dead_files", who)
    yield from _dead_scripts(tree)


def _is_built(tree, file):
    folder, name = file.path.rsplit("/", 1)
    if folder.startswith("tools/"):
        stem = re.compile(rf"\b{re.escape(name.removesuffix('.cc'))}\b")
        return any(stem.search(other.text) for other in tree.under("tools/")
                   if other is not file and other.is_text and not other.is_cpp())
    if file.folder:
        return folder == f"src/{file.folder}" and file.folder in libraries(tree)
    unit = re.fullmatch(r"tests/unit/(\w+)", folder)
    for cmake in tree.files:
        if cmake.name != "CMakeLists.txt":
            continue
        text = re.sub(r"#[^\n]*", "", cmake.text)
        if unit and re.search(rf"\bmoongate_unit_test\(\s*{unit.group(1)}\b", text):
            return True
        if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text):
            return True
        stem = re.sub(r"_fuzz\.cc$", "", name)
        if stem != name and re.search(rf"\bmoongate_fuzz_target\(\s*{stem}\b", text):
            return True
        ending = name[name.rfind("_"):] if "_" in name else name
        if re.search(rf"GLOB[^)]*{re.escape(folder)}/\*({re.escape(ending)}|\.cc)", text):
            return True
    return False


def _dead_scripts(tree):
    chain = tree.by_path.get("scripts/policies/chain.lua")
    for file in tree.under("scripts/policies/"):
        stem = file.name.removesuffix(".lua")
        if chain and file is not chain and not re.search(rf'["\']{stem}["\']', chain.text):
            yield file.finding(1, "dead_files", "chain.lua does not name it")
    for file in tree.under("tools/"):
        if file.path.count("/") < 2 or not file.path.endswith(".py") or file.name == "__init__.py":
            continue
        stem = file.name.removesuffix(".py")
        folder = file.path.split("/")[1]
        users = [other for other in tree.under("tools/", "tests/") if other is not file]
        used = re.compile(rf"\b{stem}\b")
        if not any(other.is_text and used.search(other.text) for other in users):
            yield file.finding(1, "dead_files", f"nothing of tools/{folder} names it")
