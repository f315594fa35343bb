"""How many tests a stage's output speaks of: passed, skipped, failed."""

import dataclasses
import re

_CATCH_ALL = re.compile(r"^All tests passed \(.*? in (\d+) test cases?\)", re.MULTILINE)
_CATCH_SOME = re.compile(r"^test cases:\s*(\d+)((?: \|\s*\d+ \w+(?: \w+)*)*)", re.MULTILINE)
_CATCH_PART = re.compile(r"(\d+) (passed|failed)")
_CATCH_SKIP = re.compile(r"^SKIPPED: \S+\.(?:cc|h):\d+ needs MOONGATE_CORPUS", re.MULTILINE)
_PYTEST = re.compile(r"^=* ?((?:\d+ \w+(?:, )?)+) in [\d.]+s", re.MULTILINE)
_PYTEST_PART = re.compile(r"(\d+) (passed|failed|error|errors|skipped)")
_TIDY = re.compile(r"^tidy: (\d+) rules, \d+ files, nothing found", re.MULTILINE)
_TIDY_FAILED = re.compile(r"^tidy: (\d+) findings", re.MULTILINE)
_FUZZ = re.compile(r"^== \w+, \d+ s$", re.MULTILINE)
_SDK = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
NEEDS_CORPUS = re.compile(r"SKIPPED\b.*needs? MOONGATE_CORPUS")


@dataclasses.dataclass
class Outcome:
    passed: int = 0
    skipped: int = 0
    failed: int = 0

    def __iadd__(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failed += other.failed
        return self


def read(name, text, code):
    """Counts by what the stage's programs print; a stage that prints none counts as one."""
    out = Outcome()
    for match in _CATCH_ALL.finditer(text):
        out.passed += int(match.group(1))
    for match in _CATCH_SOME.finditer(text):
        parts = dict((word, int(n)) for n, word in _CATCH_PART.findall(match.group(2)))
        out.passed += parts.get("passed", 0)
        out.failed += parts.get("failed", 0)
    skipped = len(_CATCH_SKIP.findall(text))
    out.skipped += skipped
    out.passed -= min(skipped, out.passed)  # Catch2 counts a test that returned as passed
    for match in _PYTEST.finditer(text):
        parts = {word: int(n) for n, word in _PYTEST_PART.findall(match.group(1))}
        out.passed += parts.get("passed", 0)
        out.skipped += parts.get("skipped", 0)
        out.failed += parts.get("failed", 0) + parts.get("error", 0) + parts.get("errors", 0)
    for match in _TIDY.finditer(text):
        out.passed += int(match.group(1))
    for match in _TIDY_FAILED.finditer(text):
        out.failed += int(match.group(1))
    if name == "fuzz":
        out.passed += len(_FUZZ.findall(text))
    if name == "sdk":
        for passed, failed, skipped in _SDK.findall(text)[-1:]:
            out += Outcome(int(passed), int(skipped), int(failed))
    if code != 0 and out.failed == 0:
        out.failed = 1
        out.passed = max(0, out.passed - 1) if name == "fuzz" else out.passed
    if code == 0 and out == Outcome():
        out.passed = 1
    return out
