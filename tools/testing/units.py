"""Runs the unit tests of one build: python3 units.py build/PRESET [unit_NAME...].

Every folder of tests/unit must have its binary, so that none is forgotten."""

import os
import pathlib
import subprocess
import sys
import time

MINUTES_MAX = 10  # for one binary, sanitizers and all: one that hangs must not cost the whole run


def main():
    build = pathlib.Path(sys.argv[1])
    only = sys.argv[2:]
    folders = sorted(path.name for path in pathlib.Path("tests/unit").iterdir() if path.is_dir())
    names = only or [f"unit_{folder}" for folder in folders] + ["policies_test"]
    failed = []
    for name in names:
        binary = build / name
        if not os.access(binary, os.X_OK):
            print(f"== {name}: no such binary in {build}", flush=True)
            print("test cases: 1 | 1 failed", flush=True)
            failed.append(name)
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        try:
            code = subprocess.run([binary, "--durations", "yes"], timeout=MINUTES_MAX * 60).returncode
        except subprocess.TimeoutExpired:
            print(f"== {name}: still running after {MINUTES_MAX} minutes", flush=True)
            print("test cases: 1 | 1 failed", flush=True)
            code = 1
        print(f"== {name}: {'ok' if code == 0 else f'exit {code}'}, "
              f"{time.monotonic() - start:.1f} s", flush=True)
        if code != 0:
            failed.append(name)
    if failed:
        print("failed:", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
