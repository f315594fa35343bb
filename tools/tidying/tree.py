"""The files of the tree, read once, and what a rule says about a line of one of them."""

import dataclasses
import functools
import os
import pathlib
import re

# Not part of the project: what is built, what runs leave behind, what package tools fetch.
SKIPPED_FOLDERS = {".git", "build", "state", ".cache", "__pycache__", "node_modules", ".venv",
                   ".pytest_cache", ".idea", ".vscode", "target"}
BINARY = re.compile(rb"\0")

CPP = (".h", ".cc")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    reason: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.reason}"


class File:
    """One file. `path` is relative to the root, with slashes."""

    def __init__(self, root, path):
        self.root = root
        self.path = path
        self.name = path.rsplit("/", 1)[-1]

    @functools.cached_property
    def raw(self):
        return (self.root / self.path).read_bytes()

    @functools.cached_property
    def is_text(self):
        return not BINARY.search(self.raw[:4096])

    @functools.cached_property
    def text(self):
        return self.raw.decode("utf-8", errors="replace")

    @functools.cached_property
    def lines(self):
        return self.text.splitlines()

    @functools.cached_property
    def code(self):
        """C++ with comments and the insides of strings blanked, every line where it was."""
        return blanked(self.text)

    @functools.cached_property
    def code_lines(self):
        return self.code.splitlines()

    @property
    def folder(self):
        """The folder of src that a file belongs to, or None."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    def is_cpp(self):
        return self.path.endswith(CPP)

    def finding(self, line, rule, reason):
        return Finding(self.path, line, rule, reason)


class Tree:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = [File(self.root, path) for path in sorted(self._paths())]
        self.by_path = {file.path: file for file in self.files}

    def _paths(self):
        for folder, folders, names in os.walk(self.root):
            at = pathlib.Path(folder)
            # A worktree of git has a file where a clone has a folder: both are no part of us.
            names = [name for name in names if name != ".git" and not name.endswith(".pyc")]
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in names:
                path = at / name
                if not path.is_symlink() and path.is_file():
                    yield path.relative_to(self.root).as_posix()

    def under(self, *folders):
        return [file for file in self.files if file.path.startswith(folders)]

    def cpp(self, *folders):
        return [file for file in self.under(*(folders or ("src/", "tests/", "tools/")))
                if file.is_cpp()]

    def text_files(self):
        return [file for file in self.files if file.is_text]


def _spaces(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def _inside(match):
    text = match.group(0)
    return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]


_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<raw>\bu?8?R"(?P<mark>[^()\s\\]*)\(.*?\)(?P=mark)")
      | (?P<number>\b\d[\w']*(?:\.[\w']*)?)
      | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE)


def blanked(text):
    """Blanks comments and what strings hold; numbers are read too, for the sake of 1'000."""

    def blank(match):
        if match.group("number"):
            return match.group(0)
        if match.group("comment"):
            return _spaces(match)
        return _inside(match)

    # Includes keep their names.
    kept = {}

    def keep(match):
        kept[match.start()] = match.group(0)
        return match.group(0)

    re.sub(r'^[ \t]*#[ \t]*include[^\n]*', keep, text, flags=re.MULTILINE)
    out = _TOKEN.sub(blank, text)
    for at, include in kept.items():
        out = out[:at] + include.split("//")[0].ljust(len(include)) + out[at + len(include):]
    return out
