"""`moongate demo`: what it prints works as printed, it asks real vendors first where it is given
their keys, says those to nobody, and leaves nothing behind."""

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import raw
from gateway import Failed, Program, _address, environment, nanos
from place import BINARY, ROOT, patience

CREDIT = 10 * 10**9
KEYS = {"OPENAI_API_KEY": "sk-x-canary-5b1", "GROQ_API_KEY": "gsk-canary-7c2"}
LAST_LINE = "Ctrl-C ends it"


class Demo(Program):
    """A running demo. It has a temporary folder for itself, whose path is short enough for a
    socket's."""

    def __init__(self, folder, *flags, name="demo", scripts=ROOT / "scripts", **variables):
        self.said = ""
        self._temporary = tempfile.TemporaryDirectory(prefix="demo-")
        arguments = ["demo", "--scripts", str(scripts), "--data", str(ROOT / "data"), *flags]
        super().__init__(arguments, folder, name, {"TMPDIR": self._temporary.name, **variables})

    def _read(self):
        for line in self.process.stdout:
            self.said += line.decode()
            if line.startswith(b"{"):
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def wait_guide(self, seconds=20):
        """The guide for people, once all of it is there."""
        self.address = _address(self.wait_report("listening")["address"])
        deadline = time.monotonic() + patience(seconds)
        while LAST_LINE not in self.said:
            if not self.is_running() or time.monotonic() > deadline:
                raise Failed(f"no guide: {self.said} {self.stderr()}")
            time.sleep(0.02)
        return self.said

    def wait_told(self):
        """What --json tells in place of the guide."""
        self.address = _address(self.wait_report("listening")["address"])
        return self.wait_report("demo")

    def left_over(self):
        return [path.name for path in Path(self._temporary.name).rglob("*")]


@pytest.fixture
def demo(tmp_path):
    """Starts demos; each ends with SIGTERM, exit code 0 and no trace of itself."""
    started = []

    def start(*flags, **settings):
        name = f"demo{len(started)}"
        started.append(Demo(tmp_path, *flags, name=name, **settings))
        return started[-1]

    yield start
    for one in started:
        if one.is_running():
            code = one.end()
            assert code == 0, (code, one.stderr())
            assert not one.left_over()
        assert not one.complaints(), one.complaints()


@pytest.fixture
def shell(tmp_path):
    """Runs a line as printed, where `moongate` is the binary; its standard output."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "moongate").symlink_to(BINARY)
    env = environment()
    env["PATH"] = f"{programs}:{env['PATH']}"

    def run(line):
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True,
                              text=True, timeout=patience(30))
        assert done.returncode == 0, (line, done)
        return done.stdout

    return run


def section(guide, begin, end):
    """What stands between two lines of the guide."""
    return guide.partition(begin)[2].partition(end)[0]


def one_of(pattern, text):
    found = re.findall(pattern, text)
    assert len(set(found)) == 1, (pattern, found, text)
    return found[0]


def test_what_it_prints_works_as_printed(demo, shell):
    guide = demo("--port", "0").wait_guide()
    answer = shell(section(guide, "With curl:", "With the OpenAI SDK"))
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    assert head.startswith("HTTP/1.1 200 OK") and fields["x-moongate-channel"] == "lab-east"
    cost = nanos(fields["x-moongate-cost"])
    assert cost > 0 and json.loads(body)["choices"][0]["message"]["content"]

    wallet = shell(one_of(r"moongate --config .* wallet show .*", guide))
    balance = one_of(r"balance +(\S+)", wallet)
    assert nanos(balance) == CREDIT - cost
    explain = one_of(r"moongate --config .* explain REQUEST_ID", guide)
    deadline = time.monotonic() + patience(5)
    while True:
        story = shell(explain.replace("REQUEST_ID", fields["x-request-id"]))
        if "Considered" in story:
            break
        assert time.monotonic() < deadline, story
        time.sleep(0.1)
    assert re.search(r"lab-east +after \d+ ms +took \d+ ms +answered", story), story
    assert re.search(r"lab-west .* kept", story), story
    config = one_of(r"--config (\S+)", guide)
    assert "clean" in shell(f"moongate --config {config} ledger verify")


def test_the_line_it_prints_turns_routing_around(demo, shell, tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    program = demo("--port", "0", scripts=tmp_path / "scripts")
    guide = program.wait_guide()
    change = section(guide, 'put this line before "return order" in', "save, and send")
    path, line = (text for text in change.splitlines() if text.strip())
    policy = Path(path.strip())
    text = policy.read_text()
    assert policy.is_relative_to(tmp_path) and text.count("    return order\n") == 1
    policy.write_text(text.replace("    return order\n", f"{line}\n    return order\n"))
    curl = section(guide, "With curl:", "With the OpenAI SDK")
    deadline = time.monotonic() + patience(5)
    while "x-moongate-channel: lab-west" not in shell(curl).lower():
        assert time.monotonic() < deadline, program.stderr()
        time.sleep(0.1)


def test_the_python_lines_are_python_and_name_url_and_key(demo):
    program = demo("--port", "0")
    guide = program.wait_guide()
    lines = section(guide, "With the OpenAI SDK for Python:", "Answers come from")
    source = "\n".join(line[2:] for line in lines.strip("\n").splitlines())
    compile(source, "the guide", "exec")
    host, port = program.address
    key = one_of(r"mg-[A-Za-z0-9_-]+", guide)
    assert f'OpenAI(base_url="http://{host}:{port}/v1", api_key="{key}")' in source


def test_json_in_place_of_the_guide(demo):
    program = demo("--port", "0", "--json")
    told = program.wait_told()
    host, port = program.address
    assert told["url"] == f"http://{host}:{port}/v1"
    assert Path(told["scripts"]) == ROOT / "scripts"
    body = {"model": told["model"], "messages": [{"role": "user", "content": "Hello"}]}
    with raw.Connection(program.address) as connection:
        connection.ask("POST", "/v1/chat/completions", body, key=told["key"])
        answer = connection.read_answer()
    assert answer.status == 200
    command = [str(BINARY), "--config", told["config"], "--json"]
    shown = subprocess.run([*command, "wallet", "show", "--tenant", told["tenant"]],
                           env=environment(), capture_output=True, text=True)
    balance = nanos(json.loads(shown.stdout)["balance"])
    assert balance == CREDIT - nanos(answer.header("x-moongate-cost")) < CREDIT
    assert [line["event"] for line in map(json.loads, program.said.splitlines())] == [
        "listening", "ready", "demo"]


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = Demo(tmp_path, "--port", str(port))
        assert program.wait() == 1
    said = program.stderr().splitlines()
    assert said and all(line.startswith("moongate: ") for line in said), said
    assert f"127.0.0.1:{port}" in said[0] and "--port" in said[-1]
    assert not program.left_over() and "mg-" not in program.said


@pytest.mark.parametrize("port", ["65536", "-1", "many"])
def test_a_port_that_is_none(tmp_path, port):
    program = Demo(tmp_path, "--port", port)
    assert program.wait() == 2
    assert "--port" in program.stderr() and not program.left_over()


def test_elsewhere_it_asks_for_its_folders(tmp_path):
    program = Demo(tmp_path, scripts="/nowhere")
    assert program.wait() == 1
    assert "--scripts" in program.stderr() and not program.left_over()


def channels(told):
    done = subprocess.run([str(BINARY), "--config", told["config"], "--json", "channel", "list"],
                          env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stdout


def test_vendors_whose_key_is_set_come_first(demo):
    """What is empty is not set."""
    program = demo("--port", "0", "--json", **KEYS, MISTRAL_API_KEY="")
    told = program.wait_told()
    listed, printed = channels(told)
    assert [(c["id"], c["provider"], c["priority"]) for c in listed] == [
        ("groq", "groq", 1), ("openai", "openai", 1),
        ("lab-east", "openai_compatible", 2), ("lab-west", "openai_compatible", 3)]
    assert all(c["enabled"] for c in listed)
    state = Path(told["config"]).parent
    files = [path for path in state.rglob("*") if path.is_file()]
    assert (state / "moongate.lua") in files and len(files) > 2
    kept = b"".join(path.read_bytes() for path in files)
    assert program.end() == 0 and not program.left_over()
    for secret in KEYS.values():
        assert secret not in program.said + program.stderr() + printed
        assert secret.encode() not in kept


def test_the_guide_names_the_vendors(demo):
    guide = demo("--port", "0", **KEYS).wait_guide()
    for variable, vendor in (("OPENAI_API_KEY", "openai"), ("GROQ_API_KEY", "groq")):
        one_of(rf"{variable} is set: models of {vendor} go to the real provider", guide)
    assert "MISTRAL_API_KEY" not in guide
    for secret in KEYS.values():
        assert secret not in guide


@pytest.mark.parametrize("variable, is_asked", [("GROQ_API_KEY", False), ("OPENAI_API_KEY", True)])
def test_the_guide_says_who_answers_its_own_request(demo, variable, is_asked):
    """The request it prints is for a model of OpenAI's."""
    guide = demo("--port", "0", **{variable: KEYS[variable]}).wait_guide()
    assert '"model":"gpt-4o-mini"' in guide
    assert ("Answers come from lab-east" in guide) != is_asked


def test_ctrl_c_lets_an_answer_end(demo):
    """And then ends with 0, as SIGTERM does."""
    program = demo("--port", "0", "--json")
    told = program.wait_told()
    body = {"model": told["model"], "stream": True, "max_tokens": 20,
            "messages": [{"role": "user", "content": "Tell me of the moon"}],
            "metadata": {"x-lab-interval-ms": "50", "x-lab-tokens": "20"}}
    with raw.Connection(program.address) as connection:
        connection.ask("POST", "/v1/chat/completions", body, key=told["key"])
        head = connection.read_head()
        assert head.status == 200
        program.signal(signal.SIGINT)
        program.wait_report("draining")
        answer = connection.read_body(head)
    assert answer.is_complete and answer.events()[-1].is_done
    assert program.wait() == 0 and not program.left_over()


def test_two_at_a_time_are_apart(demo):
    one, other = (demo("--port", "0", "--json") for _ in range(2))
    one, other = one.wait_told(), other.wait_told()
    assert all(one[name] != other[name] for name in ("url", "key", "tenant", "config"))
