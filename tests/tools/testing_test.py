"""tools/test counts right, and cannot pass by leaving something out."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/testing"))

import outcome  # noqa: E402
import run  # noqa: E402
import stages  # noqa: E402
from outcome import Outcome  # noqa: E402

CATCH_PASSED = "All tests passed (9 assertions in 4 test cases)\n"
CATCH_FAILED = "test cases: 12 | 10 passed | 2 failed\nassertions: 40 | 38 passed | 2 failed\n"
CATCH_SKIP = "SKIPPED: ../../tests/unit/http/a_test.cc:12 needs MOONGATE_CORPUS\n"


@pytest.mark.parametrize("name,text,code,counted", [
    ("unit-release", CATCH_PASSED + CATCH_PASSED, 0, Outcome(8, 0, 0)),
    ("unit-release", CATCH_SKIP + CATCH_PASSED, 0, Outcome(3, 1, 0)),
    ("unit-release", CATCH_PASSED + CATCH_FAILED, 1, Outcome(14, 0, 2)),
    ("unit-release", CATCH_PASSED, 1, Outcome(4, 0, 1)),  # it broke down after its tests
    ("e2e", "\n===== 2 failed, 7 passed, 3 skipped, 1 error in 9.21s =====\n", 1,
     Outcome(7, 3, 3)),
    ("e2e", "\n27 passed in 10.75s\n", 0, Outcome(27, 0, 0)),
    ("e2e", "\n27 passed, 1 skipped in 130.75s (0:02:10)\n", 0, Outcome(27, 1, 0)),
    ("tidy", "tidy: 16 rules, 700 files, nothing found\n", 0, Outcome(16, 0, 0)),
    ("tidy", "a.cc:1: names: no\ntidy: 3 findings\n", 1, Outcome(0, 0, 3)),
    ("sdk", "python: 5 passed, 0 failed, 0 skipped (1 s)\n9 passed, 0 failed, 2 skipped\n", 0,
     Outcome(9, 2, 0)),
    ("fuzz", "== sse, 20 s\nstat::x\n== url, 20 s\nstat::x\n", 0, Outcome(2, 0, 0)),
    ("fuzz", "== sse, 20 s\n== url, 20 s\nurl failed\n", 1, Outcome(1, 0, 1)),
    ("build-release", "[1/2] ...\n", 0, Outcome(1, 0, 0)),
    ("build-release", "FAILED: a.o\n", 1, Outcome(0, 0, 1)),
])
def test_what_programs_print_is_counted(name, text, code, counted):
    assert outcome.read(name, text, code) == counted


def test_failures_far_above_the_end_are_shown():
    above = [f"early {i}" for i in range(1000)]
    failure = ["a_test.cc:64", "a_test.cc:75: FAILED:", "  CHECK( one == two )"]
    lines = above + failure + [f"late {i}" for i in range(1000)]
    shown = run.worth_showing(lines)
    at = shown.index("a_test.cc:75: FAILED:")
    assert shown[at - 1:at + 2] == failure
    assert shown[0] == "... 989 lines" and shown[-run.TAIL_LINES:] == lines[-run.TAIL_LINES:]
    assert len(shown) < run.TAIL_LINES + 4 * run.LINES_AROUND
    assert run.worth_showing(lines[:50]) == lines[:50]
    many = run.worth_showing(["x.cc:1: FAILED:"] * 5000)
    assert len(many) == run.EXCERPT_LINES + 1 + run.TAIL_LINES


def ran(monkeypatch, tmp_path, *chosen):
    monkeypatch.setattr(run, "LOGS", tmp_path)
    running = run.Run(list(chosen))
    for thread in running.start_all():
        thread.join()
    return running


def stage(name, command, **more):
    return stages.Stage(name, name, [command], **more)


def test_a_stage_whose_folder_is_missing_fails(monkeypatch, tmp_path, capsys):
    running = ran(monkeypatch, tmp_path, stage("one", ["true"], folder="tests/no_such_folder"))
    assert running.outcomes["one"].failed == 1
    assert run.summary(running) == 1
    assert "tests/no_such_folder is not there" in capsys.readouterr().out


def test_what_needs_a_failed_stage_fails(monkeypatch, tmp_path):
    running = ran(monkeypatch, tmp_path, stage("make", ["false"], lane="build"),
                  stage("use", ["true"], needs=("make",)), stage("alone", ["true"]))
    failed = {name: counted.failed for name, counted in running.outcomes.items()}
    assert failed == {"make": 1, "use": 1, "alone": 0}


def test_tests_run_two_at_a_time_only_when_all_is_built(monkeypatch, tmp_path):
    def meeting(name, other, seconds):
        return ["bash", "-c", f"touch {tmp_path}/{name}; for i in $(seq {seconds * 20}); do "
                              f"[ -e {tmp_path}/{other} ] && exit 0; sleep 0.05; done; exit 1"]

    both = ran(monkeypatch, tmp_path, stage("make", ["true"], lane="build"),
               stage("a", meeting("a", "b", 20)), stage("b", meeting("b", "a", 20)))
    assert [both.outcomes[name].failed for name in ("a", "b")] == [0, 0]
    wait_for_d = ["bash", "-c", f"until [ -e {tmp_path}/d ]; do sleep 0.05; done"]
    busy = ran(monkeypatch, tmp_path, stage("make", wait_for_d, lane="build"),
               stage("c", meeting("c", "d", 1)), stage("d", meeting("d", "c", 1)))
    assert [busy.outcomes[name].failed for name in ("c", "d")] == [1, 0]


def test_a_stage_that_hangs_is_stopped(monkeypatch, tmp_path):
    hanging = stage("hang", ["bash", "-c", "sleep 600 & wait"], minutes_max=0)
    running = ran(monkeypatch, tmp_path, hanging)
    assert running.outcomes["hang"].failed == 1
    assert running.took["hang"] < 30


def test_a_skip_for_want_of_the_corpus_fails_where_it_is_required(monkeypatch, tmp_path):
    monkeypatch.delenv("MOONGATE_CORPUS_REQUIRED", raising=False)
    skipping = stage("unit", ["echo", "SKIPPED: a_test.cc:1 needs MOONGATE_CORPUS"])
    assert ran(monkeypatch, tmp_path, skipping).outcomes["unit"].failed == 0
    monkeypatch.setenv("MOONGATE_CORPUS_REQUIRED", "1")
    assert ran(monkeypatch, tmp_path, skipping).outcomes["unit"].failed == 1


def test_every_stage_needs_stages_that_are_there():
    everything = stages.everything()
    names = [one.name for one in everything]
    assert len(set(names)) == len(names)
    assert all(need in names for one in everything for need in one.needs)
    quick = {one.name for one in stages.chosen([], True)}
    assert all(need in quick for one in stages.chosen([], True) for need in one.needs)
    assert {one.name for one in stages.chosen(["e2e-tsan"], False)} == {"build-tsan", "e2e-tsan"}


def test_a_unit_binary_that_is_missing_is_a_failure(tmp_path):
    done = subprocess.run([sys.executable, "-B", ROOT / "tools/testing/units.py", tmp_path],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "no such binary" in done.stdout


def test_setup_lists_what_it_would_install():
    listed = subprocess.run([ROOT / "tools/setup", "--list", "--bench", "--sdk"],
                            capture_output=True, text=True, check=True).stdout.split()
    assert {"g++", "libuv1-dev", "nginx-light", "python3-venv"} <= set(listed)
    assert subprocess.run([ROOT / "tools/setup", "--nonsense"], capture_output=True).returncode == 1
