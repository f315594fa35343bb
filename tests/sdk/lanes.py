"""How each lane's pinned environment is made, and how its tests are run and counted.

What is downloaded stays in the tool chain's own cache; what is made of it goes to build/sdk.
"""

import hashlib
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_S = 600
RUN_S = 300

Outcome = namedtuple("Outcome", "passed failed skipped")


class Missing(Exception):
    """The lane's tool chain isn't there."""


def version_of(command: list, pattern: str) -> tuple:
    if not shutil.which(command[0]):
        raise Missing(f"{command[0]} is not installed")
    shown = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, shown.stdout + shown.stderr)
    if shown.returncode != 0 or not found:
        raise Missing(f"{' '.join(command)} does not work: {shown.stderr.strip()}")
    return tuple(int(part) for part in found.group(1).split("."))


def require(command: list, pattern: str, least: tuple):
    found = version_of(command, pattern)
    if found < least:
        wanted = ".".join(map(str, least))
        raise Missing(f"{command[0]} is {'.'.join(map(str, found))}, and {wanted} is needed")


def install(command: list, folder: Path):
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=INSTALL_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout.decode()}")


# True when `stamp` says that the environment was made of these very files.
def is_made(stamp: Path, parts: list) -> bool:
    return stamp.exists() and stamp.read_text() == digest(parts)


def digest(parts: list) -> str:
    sums = hashlib.sha256()
    for part in parts:
        sums.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
    return sums.hexdigest()


def count_junit(files: list) -> Outcome:
    passed = failed = skipped = 0
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    return Outcome(passed, failed, skipped)


class Python:
    name = "python"

    def prepare(self, build: Path):
        require(["python3", "--version"], r"(\d+\.\d+)", (3, 9))
        self.build, self.report = build, build / "report.xml"
        pinned = HERE / "python" / "requirements.txt"
        parts = [pinned, *version_of(["python3", "--version"], r"(\d+\.\d+\.\d+)")]
        if is_made(build / "made", parts):
            return
        shutil.rmtree(build / "venv", ignore_errors=True)
        if subprocess.run(["python3", "-c", "import ensurepip"], capture_output=True).returncode:
            raise Missing("python3 has no venv (the package python3-venv)")
        install(["python3", "-m", "venv", build / "venv"], build)
        install([build / "venv/bin/pip", "install", "--no-deps", "-r", pinned], build)
        (build / "made").write_text(digest(parts))

    def command(self):
        flags = ["-q", "-p", "no:cacheprovider", f"--junitxml={self.report}"]
        return [self.build / "venv/bin/python", "-B", "-m", "pytest", *flags], HERE / "python"

    def count(self, output: bytes) -> Outcome:
        return count_junit([self.report])


class Node:
    name = "node"

    # Modules are looked up from where the tests stand, so the tests go to where the modules are.
    def prepare(self, build: Path):
        require(["node", "--version"], r"v(\d+\.\d+)", (20, 0))
        require(["npm", "--version"], r"(\d+\.\d+)", (8, 0))
        self.build, self.report = build, build / "report.xml"
        sources = sorted((HERE / "node").iterdir())
        pinned = [HERE / "node/package.json", HERE / "node/package-lock.json"]
        for old in build.glob("*.mjs"):
            old.unlink()
        for source in sources:
            shutil.copy(source, build / source.name)
        if is_made(build / "made", pinned):
            return
        install(["npm", "ci", "--no-audit", "--no-fund"], build)
        (build / "made").write_text(digest(pinned))

    def command(self):
        files = sorted(str(file) for file in self.build.glob("*.test.mjs"))
        reporters = [
            "--test-reporter=spec",
            "--test-reporter-destination=stdout",
            "--test-reporter=junit",
            f"--test-reporter-destination={self.report}",
        ]
        # One file after the other: some tests count what reaches the provider.
        return ["node", "--test", "--test-concurrency=1", *reporters, *files], self.build

    def count(self, output: bytes) -> Outcome:
        return count_junit([self.report])


class Go:
    name = "go"

    def prepare(self, build: Path):
        wanted = re.search(r"^go (\d+\.\d+)", (HERE / "go/go.mod").read_text(), re.M).group(1)
        require(["go", "version"], r"go(\d+\.\d+)", tuple(map(int, wanted.split("."))))
        self.build, self.program = build, build / "sdk.test"
        flags = ["-mod=readonly", "-o", self.program]
        install(["go", "test", "-c", *flags, "."], HERE / "go")

    def command(self):
        return [self.program, "-test.v"], self.build

    def count(self, output: bytes) -> Outcome:
        ends = re.findall(rb"^ *--- (PASS|FAIL|SKIP): ", output, re.M)
        return Outcome(*(ends.count(end) for end in (b"PASS", b"FAIL", b"SKIP")))


class Java:
    name = "java"

    def prepare(self, build: Path):
        require(["javac", "-version"], r"javac (\d+)", (11,))
        require(["mvn", "--version"], r"Maven (\d+\.\d+)", (3, 6))
        self.build = build
        install([*self._maven("test-compile")], HERE / "java")

    def _maven(self, goal: str) -> list:
        return ["mvn", "-B", "-q", "-ntp", f"-Dsdk.build={self.build}", goal]

    def command(self):
        shutil.rmtree(self.build / "surefire-reports", ignore_errors=True)
        return self._maven("surefire:test"), HERE / "java"

    def count(self, output: bytes) -> Outcome:
        return count_junit(sorted((self.build / "surefire-reports").glob("TEST-*.xml")))


ALL = [Python(), Node(), Go(), Java()]
