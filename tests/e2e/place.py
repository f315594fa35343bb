"""Where things are: the checkout, the binary under test, the corpus; and how patient to be."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _under_root(variable, default):
    given = Path(os.environ.get(variable, default))
    return given if given.is_absolute() else (ROOT / given).resolve()


BINARY = _under_root("MOONGATE_BINARY", "build/release/moongate")
CORPUS = _under_root("MOONGATE_CORPUS", "../shared")


def _slowness():
    """How much longer than on a release build things may take: a sanitizer's price."""
    if "MOONGATE_SLOWNESS" in os.environ:
        return float(os.environ["MOONGATE_SLOWNESS"])
    preset = BINARY.parent.name
    return {"asan": 4.0, "tsan": 8.0, "debug": 2.0, "clang": 1.5}.get(preset, 1.0)


SLOWNESS = _slowness()


def patience(seconds):
    """A deadline in seconds, stretched for slow builds."""
    return seconds * SLOWNESS
