"""The gateway that one lane of SDK tests runs against: the real binary with a provider behind it.

Each lane has a scene of its own (lab, gateway, store, tenants), so lanes can't disturb each other,
and the books of a scene must agree to the nano-dollar with what its clients were told.
"""

import json
import os
import signal
import socket
import subprocess
import time
from decimal import Decimal
from pathlib import Path

CREDIT = Decimal("10.00")
NANO = Decimal("0.000000001")
START_S = 20
STOP_S = 20
SETTLE_S = 10

# `steady` serves what works. The others are each for one way to fail, on a model of its own, so
# that a breaker or a cool-down of one can't touch the tests of another.
CONFIG = """return {{
  listen = {{ {{ address = "127.0.0.1:0" }} }},
  state = "state",
  scripts = [==[{root}/scripts]==],
  data = [==[{root}/data]==],
  log = {{ level = "warning" }},
  drain_s = 5,
  channels = {{
    {{ id = "steady", provider = "openai_compatible", base_url = "{lab}/v1", allow_private = true,
       priority = 2, models = {{ ["gpt-4o-mini"] = true, ["gpt-4o"] = true, ["o3-mini"] = true,
                               ["text-embedding-3-small"] = true }} }},
    {{ id = "absent", provider = "openai_compatible", base_url = "http://127.0.0.1:{absent}/v1",
       allow_private = true, priority = 1, models = {{ ["gpt-4o"] = true }} }},
    {{ id = "failing", provider = "openai_compatible", base_url = "{lab}/v1", allow_private = true,
       models = {{ ["gpt-4.1"] = true }} }},
    {{ id = "limited", provider = "openai_compatible", base_url = "{lab}/v1", allow_private = true,
       models = {{ ["gpt-4.1-mini"] = true }} }},
    {{ id = "slow", provider = "openai_compatible", base_url = "{lab}/v1", allow_private = true,
       models = {{ ["gpt-4.1-nano"] = true }}, timeouts = {{ first_byte_ms = 400 }} }},
  }},
}}
"""


class Unequal(Exception):
    """The books and what clients were told are not the same."""


def compare(spent: Decimal, charged: dict, told: dict, unsaid: set):
    for request, cost in told.items():
        if charged.get(request, Decimal(0)) != cost:
            raise Unequal(f"{request}: told {cost}, charged {charged.get(request, 0)}")
    for request, cost in charged.items():
        if request not in told and request not in unsaid:
            raise Unequal(f"{request}: charged {cost}, and no client knows of it")
    known = sum(told.values()) + sum(charged.get(request, Decimal(0)) for request in unsaid)
    if spent != known:
        raise Unequal(f"the wallet went down by {spent}, and the charges are {known} together")
    if not told:
        raise Unequal("no client was told of any cost")


# The comparison itself is put to the test, with errors of one nano-dollar and of one request.
def must_notice_errors(spent: Decimal, charged: dict, told: dict, unsaid: set):
    request = next(iter(told))
    less = {key: value for key, value in told.items() if key != request}
    planted = [
        (spent, charged, told | {request: told[request] + NANO}, unsaid),
        (spent, charged | {request: told[request] + NANO}, told, unsaid),
        (spent + NANO, charged, told, unsaid),
        (spent, charged, less, unsaid),
        (spent, {key: charged[key] for key in charged if key != request}, told, unsaid),
    ]
    for case in planted:
        try:
            compare(*case)
        except Unequal:
            continue
        raise RuntimeError("a planted error of one nano-dollar went unnoticed")


class Scene:
    def __init__(self, binary: Path, root: Path, folder: Path):
        self.binary = binary
        self.folder = folder
        self.config = folder / "moongate.lua"
        self.told = folder / "told.jsonl"
        self.processes = []
        folder.mkdir(parents=True)
        try:
            self._start(root)
        except BaseException:
            self._kill()
            raise

    def _start(self, root: Path):
        self.lab = "http://" + self._spawn("lab", ["lab", "--port", "0"], "listening")["address"]
        # Bound, but never listening: whoever connects is refused.
        self.absent = socket.socket()
        self.absent.bind(("127.0.0.1", 0))
        absent = self.absent.getsockname()[1]
        self.config.write_text(CONFIG.format(root=root, lab=self.lab, absent=absent))
        started = self._spawn("serve", ["--config", str(self.config), "serve"], "listening", "ready")
        self.url = f"http://{started['address']}/v1"
        self.tenant = self.cli("tenant", "create", "--name", "SDK")["id"]
        self.cli("wallet", "credit", "--tenant", self.tenant, "--amount", str(CREDIT))
        self.key = self._key(self.tenant)
        self.key_brisk = self._key(self.tenant, "--rpm", "60")
        self.key_slow = self._key(self.tenant, "--rpm", "1")
        self.key_narrow = self._key(self.tenant, "--models", "gpt-4o")
        self.key_empty = self._key(self.cli("tenant", "create", "--name", "Empty")["id"])

    def _key(self, tenant: str, *limits: str) -> str:
        return self.cli("key", "create", "--tenant", tenant, *limits)["key"]

    # Starts a server and returns what its announcements said, up to the last of `events`.
    def _spawn(self, name: str, arguments: list, *events: str) -> dict:
        log = open(self.folder / f"{name}.log", "wb")
        process = subprocess.Popen(
            [self.binary, *arguments], stdout=subprocess.PIPE, stderr=log, cwd=self.folder
        )
        self.processes.append(process)
        os.set_blocking(process.stdout.fileno(), False)
        said, text, deadline = {}, b"", time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            text += process.stdout.read() or b""
            for line in text.split(b"\n")[:-1]:
                line = json.loads(line)
                said[line.pop("event")] = line
            if all(event in said for event in events):
                return {key: value for event in events for key, value in said[event].items()}
            time.sleep(0.01)
        error = (self.folder / f"{name}.log").read_text()
        raise RuntimeError(f"moongate {name} did not start: {error or text.decode()}")

    def cli(self, *arguments: str):
        command = [self.binary, "--config", self.config, "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"moongate {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    def environment(self) -> dict:
        own = {
            "URL": self.url,
            "LAB": self.lab,
            "TENANT": self.tenant,
            "KEY": self.key,
            "KEY_BRISK": self.key_brisk,
            "KEY_SLOW": self.key_slow,
            "KEY_NARROW": self.key_narrow,
            "KEY_EMPTY": self.key_empty,
            "TOLD": str(self.told),
            "BINARY": str(self.binary),
            "CONFIG": str(self.config),
        }
        clean = {k: v for k, v in os.environ.items() if not k.upper().endswith("_PROXY")}
        clean = {k: v for k, v in clean.items() if not k.startswith("OPENAI_")}
        return clean | {f"MOONGATE_SDK_{name}": value for name, value in own.items()}

    def audit(self) -> str:
        """Compares every charge with what was told of it. Raises Unequal."""
        deadline = time.monotonic() + SETTLE_S
        while Decimal((wallet := self.cli("wallet", "show", "--tenant", self.tenant))["held"]) != 0:
            if time.monotonic() > deadline:
                raise Unequal(f"{wallet['held']} USD are still held after {SETTLE_S} s")
            time.sleep(0.05)
        spent = CREDIT - Decimal(wallet["balance"])
        charged = self._charges()
        told, unsaid = self._read_told()
        compare(spent, charged, told, unsaid)
        must_notice_errors(spent, charged, told, unsaid)
        return (
            f"{len(charged)} charges, {spent} USD: {len(told)} as told, "
            f"{len(unsaid)} of answers without a cost or an end"
        )

    def _charges(self) -> dict:
        page = self.cli("wallet", "history", "--tenant", self.tenant, "--count", "1000")
        charges = {}
        for item in page["items"]:
            if "request" not in item:
                continue
            if item["request"] in charges:
                raise Unequal(f"{item['request']} was charged twice")
            charges[item["request"]] = -Decimal(item["change"])
        return charges

    def _read_told(self):
        told, unsaid = {}, set()
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        for entry in map(json.loads, lines):
            request, cost = entry["request"], entry.get("cost")
            if cost is None:
                unsaid.add(request)
            elif told.setdefault(request, Decimal(cost)) != Decimal(cost):
                raise Unequal(f"{request}: told {told[request]}, and then {cost}")
        return told, unsaid - told.keys()

    def stop(self):
        """Ends both servers as an operator would, and reads the books once more, at rest."""
        try:
            for process in reversed(self.processes):
                process.send_signal(signal.SIGTERM)
                code = process.wait(STOP_S)
                if code != 0:
                    raise RuntimeError(f"{process.args[-1]} ended with {code}: {self.logs()}")
            self.cli("ledger", "verify")
        finally:
            self._kill()

    def logs(self) -> str:
        return "".join(log.read_text() for log in sorted(self.folder.glob("*.log")))

    def _kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
