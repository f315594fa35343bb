"""Runs the commands of a document in order, as its reader would, and compares what they print.

What a fence of a document means here, by the words after its three backticks:
  sh               commands for one shell that lasts through the document; they must succeed
  sh fails         the same, and the last one must fail
  sh server        a program that stays: started, waited for until it says that it is ready
  sh set           NAME=...: values that the reader copies from what the server printed
  text             what the sh block right before it prints; a line of ... stands for any lines
  lua FILE, json FILE    the file's content, written before what follows is run
  python           run with the official SDK where tests/sdk has installed it, else compiled
Everything else is for the eye. What differs from run to run (ids, keys, times, durations) is masked
on both sides; ports are those of the machine.
"""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def binary():
    given = Path(os.environ.get("MOONGATE_BINARY", "build/release/moongate"))
    return given if given.is_absolute() else ROOT / given


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block:
    def __init__(self, words, text, line):
        self.words, self.text, self.line = words.split(), text, line

    @property
    def kind(self):
        return self.words[0] if self.words else ""


def blocks(path):
    text = path.read_text()
    return [Block(match.group(1), match.group(2), text.count("\n", 0, match.start()) + 1)
            for match in _FENCE.finditer(text)]


# What no two runs have in common. Order matters: the longer patterns come first.
_MASKS = [
    (r"/tmp/[\w./-]*moongate-demo-\w+", "DEMO"),
    (r"\b(ten|key|req)_[0-9a-z.]+", r"\1_ID"),
    (r"\bmg-[\w.-]+", "mg-KEY"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} GMT", "DATE"),
    (r"\b(chatcmpl|cmpl|fp|call)[-_][0-9a-f]+", r"\1-HEX"),
    (r'"created": ?\d+', '"created":N'),
    (r"\b(after|took)\s+\d+ ms", r"\1 N ms"),
    (r'"(\w+_ms)": ?\d+', r'"\1":N'),
    (r"\b\d+(\.\d+)? (s|ms|us)\b", r"N \2"),
    (r"#\d+ ", "#N "),
    (r"\bseq \d+", "seq N"),
    (r"\b\d{9,10}\b", "MASTER_KEY_ID"),
    (r"\brecords? \d+( to \d+)?", "records N"),
    (r"[ \t]+", " "),
]


def masked(text):
    for pattern, name in _MASKS:
        text = re.sub(pattern, name, text)
    return [line.strip() for line in text.strip().splitlines()]


def matches(expected, actual):
    """Whether the lines are equal, `...` standing for any number of lines."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[skip:]) for skip in range(len(actual) + 1))
    return bool(actual) and line_matches(expected[0], actual[0]) and matches(
        expected[1:], actual[1:])


def line_matches(expected, actual):
    """The same within a line, for any characters."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), actual) is not None


class Server:
    """A program of the document that stays; its output is gathered as it comes."""

    def __init__(self, command, folder, environment):
        self.program = subprocess.Popen(
            ["bash", "-c", "exec " + command], cwd=folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.output = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.program.stdout:
            self.output += line

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.output:
            assert self.program.poll() is None, f"it ended:\n{self.output}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.output}"
            time.sleep(0.05)

    def stop(self):
        self.program.terminate()
        self.program.wait(PATIENCE_S)


class Reader:
    """Does what a document says, in a scratch checkout of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {"8080": str(free_port()), "9000": str(free_port())}
        for name in ("scripts", "data", "examples"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "moongate.lua").write_text(self.local((ROOT / "moongate.lua").read_text()))
        for example in folder.glob("examples/*/moongate.lua"):
            example.write_text(self.local(example.read_text()))
        (folder / "build/release").mkdir(parents=True)
        (folder / "build/release/moongate").symlink_to(binary())
        (folder / "tools").mkdir()
        # The checkout is set up and built already: what is left of tools/demo is the demo.
        demo = folder / "tools/demo"
        demo.write_text(f'exec moongate demo --port {self.ports["8080"]} "$@"\n')
        demo.chmod(0o755)
        vendors = ("_API_KEY", "MOONGATE_")
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.endswith(vendors[0]) and not name.startswith(vendors[1])}
        self.environment["PATH"] = f"{folder}/build/release:{os.environ['PATH']}"
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self.servers = []
        self.shell = subprocess.Popen(["bash"], cwd=folder, env=self.environment, text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT)
        self.printed = ""

    def local(self, text):
        for port, ours in self.ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", ours, text)
        return text

    def common(self, text):
        for port, ours in self.ports.items():
            text = text.replace(ours, port)
        return text.replace(str(self.folder), "/opt/moongate")

    def run(self, commands):
        """Runs commands in the document's shell; returns the last one's exit code."""
        self.shell.stdin.write(self.local(commands) + "\ncode=$?; echo; echo \"== done $code\"\n")
        self.shell.stdin.flush()
        self.printed = ""
        for line in self.shell.stdout:
            if line.startswith("== done "):
                # The empty line before the mark is ours.
                self.printed = self.printed.removesuffix("\n")
                return int(line.split()[2])
            self.printed += line
        raise AssertionError(f"the shell ended:\n{self.printed}")

    def set_from_server(self, text):
        """NAME=... : what the last server printed for it."""
        patterns = {"KEY": r"mg-[\w-]{20,}", "TENANT": r"ten_[0-9a-z]+",
                    "CONFIG": r"/\S+/moongate\.lua"}
        for name in re.findall(r"^(\w+)=", text, re.MULTILINE):
            found = re.search(patterns[name], self.servers[-1].output)
            assert found, f"{name} is not in what the server printed"
            assert self.run(f"export {name}={found.group(0)}") == 0

    def do(self, block):
        if block.kind == "sh" and block.words[1:] == ["server"]:
            self.run("true")
            server = Server(self.local(block.text.strip()), self.folder, self.shell_environment())
            self.servers.append(server)
            server.wait_for("listening" if "lab" in block.text.split() else '"ready"')
            if "demo" in block.text:
                server.wait_for("Ctrl-C")
            self.printed = server.output
        elif block.kind == "sh" and block.words[1:] == ["set"]:
            self.set_from_server(block.text)
        elif block.kind == "sh":
            code = self.run(block.text)
            must_fail = block.words[1:] == ["fails"]
            assert (code != 0) == must_fail, f"exit {code} of:\n{block.text}\n{self.printed}"
        elif block.kind == "text":
            expected, actual = masked(block.text), masked(self.common(self.printed))
            assert matches(expected, actual), (
                "printed:\n" + "\n".join(actual) + "\n\nthe document says:\n" + "\n".join(expected))
        elif block.kind in ("lua", "json") and len(block.words) == 2:
            target = self.folder / block.words[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.local(block.text))
        elif block.kind == "python":
            self.python(block)

    def shell_environment(self):
        """The environment as the document's shell has it by now."""
        self.run("env -0 | tr '\\0' '\\1'")
        pairs = (pair.split("=", 1) for pair in self.printed.strip().split("\1") if "=" in pair)
        return dict(pairs)

    def python(self, block):
        compile(block.text, f"line {block.line}", "exec")
        python = ROOT / "build/sdk/python/venv/bin/python"
        if not python.exists():
            print("SKIPPED: the Python SDK is not installed (tests/sdk/run python installs it)")
            return
        done = subprocess.run([python, "-c", self.local(block.text)], cwd=self.folder,
                              env=self.shell_environment(), capture_output=True, text=True,
                              timeout=PATIENCE_S)
        self.printed = done.stdout
        assert done.returncode == 0, done.stderr

    def close(self):
        for server in reversed(self.servers):
            server.stop()
        self.shell.stdin.close()
        self.shell.wait(PATIENCE_S)
