"""What tools/test runs: every stage with what it needs, and what it runs on."""

import dataclasses
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUZZ_SECONDS_EACH = 20

# What the thread sanitizer builds and runs: the folders in which threads meet.
THREADED = ["event", "tls", "ledger", "limit", "script", "gateway", "lab"]
# Patterns of the end-to-end tests that are worth their time with a sanitizer on top.
E2E_WITH_THREADS = "smoke or test_load or reload or drain or breaker or parallel"


@dataclasses.dataclass
class Stage:
    name: str
    about: str
    commands: list  # of argument lists, run in order; the first that fails ends the stage
    needs: tuple = ()
    lane: str = "test"  # "build" or "test": one of a lane at a time, until all is built
    environment: dict = dataclasses.field(default_factory=dict)
    folder: str = ""  # that must be there
    is_quick: bool = False
    minutes_max: int = 30


def build(preset, *targets, quick=False, defines=()):
    return Stage(
        f"build-{preset}", f"configure and build the preset {preset}",
        [["cmake", "--preset", preset, *defines],
         ["cmake", "--build", "--preset", preset] + (["--target", *targets] if targets else [])],
        lane="build", is_quick=quick, minutes_max=60)


def units(preset, names=None, quick=False, environment=None):
    """The unit tests of a preset: all of them, or those of the named folders."""
    only = [f"unit_{name}" for name in names] if names else []
    return Stage(
        f"unit-{preset}", f"unit tests, built with {preset}",
        [["python3", "-B", "tools/testing/units.py", f"build/{preset}", *only]],
        needs=(f"build-{preset}",), folder="tests/unit", is_quick=quick,
        environment=environment or {})


def pytest(name, about, folder, preset, *arguments, quick=False, environment=None, needs=(),
           minutes_max=30):
    return Stage(
        name, about, [["python3", "-B", "-m", "pytest", "-q", folder, *arguments]],
        needs=(f"build-{preset}", *needs) if preset else needs, folder=folder, is_quick=quick,
        minutes_max=minutes_max,
        environment={"MOONGATE_BINARY": f"build/{preset}/moongate", **(environment or {})})


def fixed_addresses():
    """Where the kernel spreads addresses wider than the thread sanitizer of g++ 12 stands, programs
    must be started with that turned off; not every container allows it."""
    try:
        bits = int(pathlib.Path("/proc/sys/vm/mmap_rnd_bits").read_text())
    except (OSError, ValueError):
        return []
    prefix = ["setarch", os.uname().machine, "-R"]
    if bits <= 28:
        return []
    works = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    return prefix if works else []


def everything():
    asan = {"ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=0:"
            # Freed memory is given back in one go, by default 25 MB in the middle of some free():
            # milliseconds on the time of a script, which has five.
            "quarantine_size_mb=32:thread_local_quarantine_size_kb=64",
            "UBSAN_OPTIONS": "print_stacktrace=1"}
    tsan = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
            # libuv closes descriptors where the sanitizer does not see it.
            "ignore_noninstrumented_modules=1"}
    threaded = [f"unit_{name}" for name in THREADED]
    stages = [
        Stage("tidy", "layers, fences, lengths, words, formatting", [["tools/tidy"]],
              is_quick=True),
        pytest("tools", "what tidy must find, and tools/test must count", "tests/tidy", None,
               "tests/tools", quick=True),
        build("release", quick=True),
        units("release", quick=True),
        pytest("smoke", "the binary from the outside, in short", "tests/e2e", "release",
               "-k", "smoke", quick=True, environment={"MOONGATE_QUICK": "1"}),
        pytest("e2e", "the binary from the outside", "tests/e2e", "release", minutes_max=45),
        pytest("docs", "every command of the documents", "tests/docs", "release"),
        Stage("sdk", "the official SDKs against the gateway", [["tests/sdk/run"]],
              needs=("build-release",), folder="tests/sdk",
              environment={"MOONGATE_BINARY": "build/release/moongate"}),
        build("asan"),
        units("asan", environment=asan),
        pytest("e2e-asan", "the same, with ASan and UBSan", "tests/e2e", "asan", environment=asan,
               minutes_max=60),
        build("tsan", "moongate", *threaded),
        units("tsan", THREADED, environment=tsan),
        pytest("e2e-tsan", "what threads share, with TSan", "tests/e2e", "tsan",
               "-k", E2E_WITH_THREADS, environment=tsan, minutes_max=45),
        build("clang"),
        Stage("fuzz", f"every fuzz target for {FUZZ_SECONDS_EACH} s", [["tests/fuzz/run"]],
              needs=("build-clang",), folder="tests/fuzz",
              environment={"SECONDS_EACH": str(FUZZ_SECONDS_EACH)}),
    ]
    prefix = fixed_addresses()
    for stage in stages:
        if stage.name.endswith("-tsan") and stage.lane == "test":
            stage.commands = [prefix + command for command in stage.commands]
    return stages


def chosen(only, quick):
    """The stages asked for, with those they need, in order."""
    stages = everything()
    by_name = {stage.name: stage for stage in stages}
    if only:
        wanted = set()

        def want(name):
            if name not in by_name:
                raise SystemExit(f"tools/test: there is no stage {name}; see --list")
            wanted.add(name)
            for need in by_name[name].needs:
                want(need)

        for name in only:
            want(name)
        return [stage for stage in stages if stage.name in wanted]
    if quick:
        return [stage for stage in stages if stage.is_quick]
    return [stage for stage in stages if stage.name != "smoke"]  # e2e holds it
