"""The real binary with a folder of its own: configuration, scripts and data to edit, state."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import lua
import raw
from place import BINARY, ROOT, patience

# What a sanitizer, or a failed assertion, leaves on standard error.
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
           "runtime error:", "assertion failed:", "DEADLYSIGNAL")

# Of signals that come while code of the program's own runs, ThreadSanitizer's runtime defers its
# handler, and of those right after the start it forgets one in some fifty: its own handler runs, and
# the program's never does (GCC 12.2, seen with strace).
LOSES_SIGNALS = BINARY.parent.name == "tsan"

MASTER_KEY = "bW9vbmdhdGUtdGVzdC1tYXN0ZXIta2V5LTMyLWJ5dGU="


def environment():
    """What the binary is started with: nothing of the caller's but the path, sanitizers strict."""
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    env["ASAN_OPTIONS"] = "detect_leaks=1:exitcode=99:" + os.environ.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=98"
    env["TSAN_OPTIONS"] = "exitcode=97:" + os.environ.get("TSAN_OPTIONS", "")
    return env


class Failed(Exception):
    """A command ended with an exit code that was not expected."""


@dataclass
class Caller:
    """A tenant with a key: who a test's requests come from."""

    tenant: str
    key_id: str
    key: str


class Program:
    """A running process of the binary that reports JSON lines on standard output."""

    def __init__(self, arguments, folder, name, more_environment=None):
        self.name = name
        self.stderr_path = Path(folder) / f"{name}.stderr"
        self._stderr = open(self.stderr_path, "ab")
        self._lines = queue.Queue()
        self.reports = []  # every JSON line so far
        self.process = subprocess.Popen([str(BINARY), *arguments], cwd=folder,
                                        env={**environment(), **(more_environment or {})},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self._stderr)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def wait_report(self, event, seconds=20):
        """The next report of that event; raises where the program ends instead."""
        deadline = time.monotonic() + patience(seconds)
        while True:
            report = self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            if report is None:
                code = self.process.wait()
                raise Failed(f"{self.name} ended with {code}: {self.stderr()}")
            self.reports.append(report)
            if report.get("event") == event:
                return report

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def wait_logged(self, text, seconds=5):
        """Lines of the log may come a moment after what they tell of."""
        deadline = time.monotonic() + patience(seconds)
        while text not in self.stderr():
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} did not log {text}: {self.stderr()[-3000:]}")
            time.sleep(0.02)

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def end(self, seconds=60):
        """SIGTERM, and the exit code."""
        if self.is_running():
            self.signal(signal.SIGTERM)
            if LOSES_SIGNALS:
                self._insist()
        return self.wait(seconds)

    def _insist(self):
        """Says SIGTERM again to a server that does not drain after some seconds."""
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            while not self._lines.empty():
                self.reports.append(self._lines.get() or {})
            if not any(report.get("event") == "draining" for report in self.reports):
                print(f"{self.name}: the first SIGTERM was lost", file=sys.stderr)
                self.signal(signal.SIGTERM)

    def end_at_once(self):
        """SIGTERM twice: the second one does not wait for what is still open."""
        for _ in range(2):
            if self.is_running():
                self.signal(signal.SIGTERM)
                time.sleep(0.02)  # two at once would be delivered as one

    def wait(self, seconds=60):
        try:
            code = self.process.wait(patience(seconds))
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise Failed(f"{self.name} did not end in {seconds} s") from None
        self._reader.join()
        self._stderr.close()
        return code

    def kill(self):
        """SIGKILL."""
        if self.is_running():
            self.process.kill()
        self.wait()

    def complaints(self):
        """What sanitizers or assertions have said."""
        said = self.stderr()
        return said[:20000] if any(report in said for report in REPORTS) else ""


class Gateway:
    """One gateway in one folder; may be started and stopped many times.

    `settings` replaces or adds keys of moongate.lua: channels, limits, drain_s, ... Each `listen`
    is given as in the file; by default one plain listener on a free loopback port.
    """

    def __init__(self, folder, channels=(), **settings):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = {"listen": [{"address": "127.0.0.1:0"}], "state": "state",
                         "scripts": "scripts", "data": "data", "master_key": MASTER_KEY,
                         "workers": 1, "drain_s": 5, "channels": list(channels), **settings}
        self.program = None
        self.addresses = []
        self.environment = {}  # of `serve`, beside what every program gets
        for name in ("scripts", "data"):
            if not (self.folder / name).exists():
                shutil.copytree(ROOT / name, self.folder / name)
        self.write_config()

    # --- Files ---

    @property
    def config(self):
        return self.folder / "moongate.lua"

    @property
    def state(self):
        return self.folder / "state"

    @property
    def has_ledger(self):
        return (self.state / "store" / "data.mdb").exists()

    def write_config(self, text=None, **changes):
        """Writes moongate.lua: changed settings, or a text of the test's own."""
        self.settings.update(changes)
        self.config.write_text(text or "return " + lua.literal(self.settings) + "\n")

    def script(self, name):
        return self.folder / "scripts" / name

    def edit(self, name, old, new):
        """Replaces text in a file of scripts/ or data/; it must be there exactly once."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    def without_breaker(self):
        """Lets channels fail as often as they like."""
        self.edit("scripts/policies/chain.lua", "failures = 5", "failures = 1000")

    def set_models(self, models):
        """Replaces the catalogue. Each model: {"id", "price": {...}, ...}; defaults are filled in,
        and left out where the model says None."""
        usual = {"provider": "openai", "mode": "chat", "context_window": 128000,
                 "max_output": 16384}
        filled = [{name: value for name, value in {**usual, **model}.items() if value is not None}
                  for model in models]
        path = self.folder / "data" / "models.json"
        path.write_text(json.dumps({"rates": {}, "models": filled}))

    # --- The process ---

    def start(self, seconds=20):
        """Starts serving and waits until it is ready. Returns self."""
        assert not self.is_running()
        self.program = Program(["serve", "--config", str(self.config)], self.folder, "serve",
                               self.environment)
        self.program.wait_report("ready", seconds)
        listening = [r for r in self.program.reports if r["event"] == "listening"]
        self.addresses = [_address(r["address"]) for r in listening]
        return self

    @property
    def address(self):
        return self.addresses[0]

    @property
    def base_url(self):
        return f"http://{self.address[0]}:{self.address[1]}/v1"

    @property
    def pid(self):
        return self.program.process.pid

    def is_running(self):
        return self.program is not None and self.program.is_running()

    def stop(self, expected_exit=0):
        """SIGTERM; the exit code and standard error must be good."""
        if self.program is None:
            return
        program, self.program = self.program, None
        code = program.end()
        assert not program.complaints(), program.complaints()
        assert code == expected_exit, f"serve ended with {code}: {program.stderr()[-3000:]}"

    def kill(self):
        """kill -9."""
        program, self.program = self.program, None
        program.kill()
        assert not program.complaints(), program.complaints()

    def restart(self):
        self.stop()
        return self.start()

    # --- The command line ---

    def run(self, *arguments, stdin="", seconds=30, config=True):
        """Runs a command; the completed process, whatever came of it (but no sanitizer report)."""
        command = [str(BINARY), *map(str, arguments)]
        if config:
            command += ["--config", str(self.config)]
        done = subprocess.run(command, cwd=self.folder, env=environment(), input=stdin,
                              capture_output=True, text=True, timeout=patience(seconds))
        assert not any(report in done.stderr for report in REPORTS), done.stderr
        return done

    def cli(self, *arguments, stdin=""):
        """Runs a command with --json that must succeed; its value."""
        done = self.run(*arguments, "--json", stdin=stdin)
        if done.returncode != 0:
            raise Failed(f"{arguments} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments, stdin="", code=1):
        """Runs a command that must be refused; what it said on standard error."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert done.stderr.startswith("moongate: "), done.stderr
        return done.stderr

    def tenant(self, name="acme", **options):
        return self.cli("tenant", "create", "--name", name, *_flags(options))["id"]

    def credit(self, tenant, amount, **options):
        return self.cli("wallet", "credit", "--tenant", tenant, "--amount", amount,
                        *_flags(options))

    def key(self, tenant, **options):
        """A key: {"id", "key", ...}. Options are flags: daily_limit="5.00", allow_ip=[...]."""
        return self.cli("key", "create", "--tenant", tenant, *_flags(options))

    def caller(self, credit="10.00", name="acme", **key_options):
        tenant = self.tenant(name)
        if credit:
            self.credit(tenant, credit)
        key = self.key(tenant, **key_options)
        return Caller(tenant, key["id"], key["key"])

    def wallet(self, tenant):
        """Balance, held and available in nano-dollars."""
        shown = self.cli("wallet", "show", "--tenant", tenant)
        return {name: nanos(shown[name]) for name in ("balance", "held", "available")}

    def balance(self, tenant):
        return self.wallet(tenant)["balance"]

    def explain(self, request_id, seconds=5):
        """The story of a request, once its record is written (records follow within 200 ms)."""
        deadline = time.monotonic() + patience(seconds)
        while True:
            done = self.run("explain", request_id, "--json")
            story = json.loads(done.stdout) if done.returncode == 0 else {}
            if "decision" in story:
                return story
            if time.monotonic() > deadline:
                raise Failed(f"no story of {request_id}: {done.stderr} {story}")
            time.sleep(0.05)

    def wait_unheld(self, tenant, seconds=10):
        """Waits until nothing of the tenant's is held any more; the wallet then."""
        deadline = time.monotonic() + patience(seconds)
        while True:
            wallet = self.wallet(tenant)
            if wallet["held"] == 0:
                return wallet
            if time.monotonic() > deadline:
                raise Failed(f"still held: {wallet}")
            time.sleep(0.05)

    def verify(self):
        """`ledger verify` must be clean; its report."""
        done = self.run("ledger", "verify", "--json", seconds=120)
        assert done.returncode == 0, f"ledger verify: {done.stdout} {done.stderr}"
        return json.loads(done.stdout)

    # --- Requests ---

    def connect(self, timeout=10.0, **options):
        return raw.Connection(self.address, timeout, **options)

    def ask(self, method, target, body=None, key=None, headers=None, seconds=None):
        """One request on a connection of its own; the answer."""
        with self.connect() as connection:
            connection.ask(method, target, body, headers, key)
            return connection.read_answer(method, seconds)

    def get(self, target, key=None, headers=None):
        return self.ask("GET", target, None, key, headers)

    def chat(self, key, text="Hello", model="gpt-4o-mini", headers=None, seconds=None, **members):
        body = {"model": model, "messages": [{"role": "user", "content": text}], **members}
        return self.ask("POST", "/v1/chat/completions", body, key, headers, seconds)


def nanos(text):
    """Decimal dollars as nano-dollars, exactly."""
    sign = -1 if text.startswith("-") else 1
    whole, _, places = text.lstrip("+-").partition(".")
    assert len(places) <= 9, text
    return sign * (int(whole) * 10**9 + int((places or "0").ljust(9, "0")))


def _address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _flags(options):
    flags = []
    for name, value in options.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            flags += ["--" + name.replace("_", "-"), str(one)]
    return flags
