"""Runs the stages of tools/test in two lanes, builds beside tests, and says how it went. When all is
built, both lanes run tests."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import outcome  # noqa: E402
import stages as plan  # noqa: E402

LOGS = plan.ROOT / "build" / "test"
TAIL_LINES = 120
# How a failing test shows itself above that, and the lines around it that say which and why.
FAILURE = re.compile(r": FAILED:|^FAILED |^E   |ERROR: \w+Sanitizer|WARNING: ThreadSanitizer"
                     r"|runtime error:|: error:|^== .*: exit ")
LINES_AROUND = 12
EXCERPT_LINES = 200
BEAT_S = 60


def clock_text(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Run:
    """Everything that the two lanes share; one lock over it and over what is printed."""

    def __init__(self, chosen):
        self.stages = chosen
        self.start = time.monotonic()
        self.changed = threading.Condition()
        self.state = {stage.name: "waiting" for stage in chosen}
        self.outcomes, self.took = {}, {}
        self.running = {}
        self.is_stopped = False

    def say(self, text):
        print(f"[{clock_text(time.monotonic() - self.start):>6}] {text}", flush=True)

    def next_of(self, lane):
        """The first stage of a lane that may run; None when the lane is done."""
        with self.changed:
            while not self.is_stopped:
                waiting = [stage for stage in self.stages
                           if stage.lane == lane and self.state[stage.name] == "waiting"]
                if not waiting:
                    return None
                for stage in waiting:
                    needs = [self.state.get(need, "passed") for need in stage.needs]
                    if "failed" in needs:
                        self.finish(stage, outcome.Outcome(failed=1), 0,
                                    "cannot run: what it needs has failed")
                        break
                    if all(state == "passed" for state in needs):
                        self.state[stage.name] = "running"
                        return stage
                else:
                    self.changed.wait(1)
            return None

    def finish(self, stage, counted, took_s, complaint=""):
        with self.changed:
            self.state[stage.name] = "failed" if counted.failed else "passed"
            self.outcomes[stage.name], self.took[stage.name] = counted, took_s
            self.changed.notify_all()
            verdict = "FAILED" if counted.failed else "ok"
            self.say(f"{stage.name}: {verdict}, {clock_text(took_s)}"
                     + (f" ({complaint})" if complaint else ""))
            log = LOGS / f"{stage.name}.log"
            if counted.failed and took_s and log.exists():
                print(f"    from {log}:")
                for line in worth_showing(log.read_text(errors="replace").splitlines()):
                    print("    " + line)
                sys.stdout.flush()

    def run_lanes(self, *lanes):
        for lane in lanes:
            while (stage := self.next_of(lane)) is not None:
                self.run_stage(stage)

    def start_all(self):
        """Threads to be joined."""
        threads = [threading.Thread(target=self.run_lanes, args=lanes)
                   for lanes in (("build", "test"), ("test",))]
        for thread in threads:
            thread.start()
        return threads

    def run_stage(self, stage):
        began = time.monotonic()
        self.say(f"{stage.name}: {stage.about}")
        path = LOGS / f"{stage.name}.log"
        code, complaint = 0, ""
        with open(path, "w") as log:
            if stage.folder and not (plan.ROOT / stage.folder).is_dir():
                complaint = f"{stage.folder} is not there"
                log.write(complaint + "\n")
                code = 1
            for command in stage.commands if code == 0 else []:
                log.write("$ " + " ".join(command) + "\n")
                log.flush()
                code, complaint = self.run_command(stage, command, log, began)
                if code != 0:
                    break
        text = path.read_text(errors="replace")
        counted = outcome.read(stage.name, text, code)
        if os.environ.get("MOONGATE_CORPUS_REQUIRED") == "1" and outcome.NEEDS_CORPUS.search(text):
            complaint = "tests were skipped although the corpus is required"
            counted.failed += 1
        self.finish(stage, counted, time.monotonic() - began, complaint)

    def run_command(self, stage, command, log, began):
        nice = ["nice"] if stage.lane == "build" else []
        program = subprocess.Popen(
            nice + command, cwd=plan.ROOT, stdout=log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env={**os.environ, **stage.environment},
            start_new_session=True)
        if stage.lane == "build":
            give_way(program)
        self.running[stage.name] = program
        deadline, beat = began + stage.minutes_max * 60, time.monotonic() + BEAT_S
        complaint = ""
        while True:
            try:
                code = program.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > deadline and not complaint:
                complaint = f"stopped after {stage.minutes_max} minutes"
                stop(program)
            if time.monotonic() > beat:
                beat += BEAT_S
                self.say(f"{stage.name}: {clock_text(time.monotonic() - began)} so far: "
                         + last_line(log.name))
        self.running.pop(stage.name, None)
        return (code or 1) if complaint else code, complaint

    def stop_all(self):
        with self.changed:
            self.is_stopped = True
            self.changed.notify_all()
        for program in list(self.running.values()):
            stop(program)


def give_way(program):
    """Builds give way to tests, whose deadlines are real. Where the kernel groups processes by
    session, niceness counts within a group only, and the group has one of its own."""
    try:
        pathlib.Path(f"/proc/{program.pid}/autogroup").write_text("10")
    except OSError:
        pass


def stop(program):
    """Ends a stage's program with all that it started: they are one session."""
    try:
        os.killpg(program.pid, signal.SIGTERM)
        try:
            program.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def worth_showing(lines):
    """The end of a failed stage's output, after what above it tells of failures: most stages go
    on after the first, and end with what passed."""
    above = len(lines) - TAIL_LINES
    shown = sorted({near for at in range(above) if FAILURE.search(lines[at])
                    for near in range(max(0, at - LINES_AROUND), min(above, at + LINES_AROUND))})
    shown = shown[:EXCERPT_LINES] + list(range(max(0, above), len(lines)))
    excerpt = []
    for before, at in zip([-1] + shown, shown):
        if at > before + 1:
            excerpt.append(f"... {at - before - 1} lines")
        excerpt.append(lines[at])
    return excerpt


def last_line(path):
    with open(path, "rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 2000))
        lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip()[:100] for line in reversed(lines) if line.strip()), "")


def summary(run):
    print(f"\n{'stage':<15} {'passed':>7} {'skipped':>8} {'failed':>7} {'time':>7}")
    total = outcome.Outcome()
    for stage in run.stages:
        counted = run.outcomes.get(stage.name, outcome.Outcome(failed=1))
        total += counted
        print(f"{stage.name:<15} {counted.passed:>7} {counted.skipped:>8} {counted.failed:>7} "
              f"{clock_text(run.took.get(stage.name, 0)):>7}")
    took = clock_text(time.monotonic() - run.start)
    print(f"{'all':<15} {total.passed:>7} {total.skipped:>8} {total.failed:>7} {took:>7}")
    if total.skipped:
        print(f"SKIPPED: {total.skipped} tests; those that need the corpus say so in build/test")
    print("tools/test: FAILED" if total.failed else "tools/test: passed")
    return 1 if total.failed else 0


def interrupted(number, frame):
    raise KeyboardInterrupt


def main():
    arguments = argparse.ArgumentParser(prog="tools/test")
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--only", type=lambda text: text.split(","), default=[])
    arguments.add_argument("--list", action="store_true")
    options = arguments.parse_args()
    chosen = plan.chosen(options.only, options.quick)
    if options.list:
        for stage in plan.everything():
            print(f"{stage.name:<15} {'quick ' if stage.is_quick else '      '}{stage.about}")
        return 0
    # Also where the shell that started us in the background has its jobs ignore the first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    LOGS.mkdir(parents=True, exist_ok=True)
    run = Run(chosen)
    try:
        for thread in run.start_all():
            while thread.is_alive():
                thread.join(timeout=1)
    except KeyboardInterrupt:
        print("tools/test: stopping", file=sys.stderr)
        run.stop_all()
        return 130
    return summary(run)


if __name__ == "__main__":
    sys.exit(main())
