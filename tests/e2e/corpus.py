"""The corpus of recorded and hostile inputs, which is no part of the repository.

Without it a test that needs it is skipped, loudly and counted (the run's summary says how many);
with MOONGATE_CORPUS_REQUIRED=1 it fails instead.
"""

import os

import pytest

from place import CORPUS

skipped = []


def path(*parts):
    """A file or folder of the corpus; skips the calling test where there is no corpus."""
    found = CORPUS.joinpath(*parts)
    if found.exists():
        return found
    test = os.environ.get("PYTEST_CURRENT_TEST", "a test").split(" ")[0]
    if os.environ.get("MOONGATE_CORPUS_REQUIRED") == "1":
        pytest.fail(f"{found} is not there, and MOONGATE_CORPUS_REQUIRED=1")
    skipped.append(test)
    pytest.skip(f"SKIPPED: needs MOONGATE_CORPUS ({found})")


def table(*parts):
    """The rows of a tab-separated table as dicts, by the names in its first line."""
    lines = path(*parts).read_text(encoding="utf-8").split("\n")
    names = lines[0].split("\t")
    rows = []
    for line in lines[1:]:
        if not line:
            continue
        cells = line.split("\t")
        rows.append(dict(zip(names, cells + [""] * (len(names) - len(cells)))))
    return rows
