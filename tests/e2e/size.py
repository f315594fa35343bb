"""How much of a thing to try: all of it on a release build, less under sanitizers and --quick."""

import os

from place import SLOWNESS

IS_QUICK = os.environ.get("MOONGATE_QUICK") == "1"


def sized(full, slow, quick=None):
    """`full` on a quick build, `slow` under sanitizers; `quick` (or slow) for people at work."""
    if IS_QUICK:
        return slow if quick is None else quick
    return full if SLOWNESS < 2 else slow
