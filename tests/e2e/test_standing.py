"""How the program stands where it was started: whose folders it may use, which of the standard
files are open, whether its output can be written, and what a signal does before it is ready."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from gateway import Gateway, Program, environment
from place import BINARY, patience

SOMEBODY = 65534


@pytest.fixture
def gateway(workshop):
    return workshop.gateway([workshop.upstream().channel()], start=False)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def through_a_shell(gateway, ending, *arguments, **more):
    """Runs a command with redirections after it; the completed process."""
    line = ["sh", "-c", f'exec "$@" {ending}', "sh", str(BINARY), *arguments, "--config",
            str(gateway.config)]
    return subprocess.run(line, cwd=gateway.folder, env=environment(), text=True,
                          timeout=patience(30), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **more)


# --- Closed standard files ---


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("is_up", [True, False])
def test_commands_work_with_standard_files_closed(gateway, closed, is_up):
    tenant = gateway.tenant()
    if is_up:
        gateway.start()
    for command in (["tenant", "list"], ["check"], ["wallet", "show", "--tenant", tenant]):
        done = through_a_shell(gateway, closed, *command)
        # What was asked for is shown to nobody where there is no standard output.
        assert done.returncode == (1 if " >&-" in " " + closed else 0), (command, done)
        if ">&-" not in closed:
            assert done.stdout.strip()
    assert "tenant" in gateway.cli("wallet", "show", "--tenant", tenant)


def test_a_server_serves_with_standard_files_closed(gateway):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    gateway.write_config(listen=[{"address": f"127.0.0.1:{port}"}])
    gateway.addresses = [("127.0.0.1", port)]
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", str(BINARY), "serve", "--config",
            str(gateway.config)]
    server = subprocess.Popen(line, cwd=gateway.folder, env=environment())
    try:
        deadline = time.monotonic() + patience(20)
        while True:
            try:
                assert gateway.get("/health/ready").status == 200
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        assert gateway.chat(gateway.caller().key).status == 200
        names = [os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in range(3)]
        assert names == ["/dev/null"] * 3
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(patience(20)) == 0


# --- Output ---


def test_output_that_cannot_be_written_is_a_failure(gateway):
    tenant = gateway.tenant()
    for command in (["key", "create", "--tenant", tenant, "--json"], ["tenant", "list"], ["check"],
                    ["ledger", "verify"], ["policy", "check"]):
        done = through_a_shell(gateway, ">/dev/full", *command)
        assert done.returncode == 1, command
        assert done.stderr.startswith("moongate: standard output cannot be written"), command
    assert "No space left" in done.stderr
    done = subprocess.run([str(BINARY), "--help"], stdout=open("/dev/full", "w"), timeout=30,
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "cannot be written" in done.stderr


def test_much_output_that_cannot_be_written_is_a_failure(gateway):
    """More than is kept back until the end."""
    tenant = gateway.tenant("x" * 200)
    for _ in range(30):
        gateway.key(tenant, name="y" * 200)
    done = through_a_shell(gateway, ">/dev/full", "key", "list", "--tenant", tenant)
    assert done.returncode == 1 and "standard output cannot be written" in done.stderr


def test_a_reader_that_has_heard_enough_is_no_failure(gateway):
    gateway.tenant()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([str(BINARY), "tenant", "list", "--config", str(gateway.config)],
                          env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True,
                          timeout=patience(30))
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# --- The state folder ---


def test_commands_before_the_first_start_make_the_folder_ours_alone(gateway):
    gateway.tenant()
    assert mode(gateway.state) == 0o700 and mode(gateway.state / "records") == 0o700
    gateway.start()
    assert mode(gateway.state) == 0o700


def test_a_folder_that_is_there_is_left_as_it_is(gateway):
    gateway.state.mkdir(mode=0o750)
    gateway.start()
    assert mode(gateway.state) == 0o750


@pytest.mark.parametrize("bits", [0o777, 0o1777, 0o770])
def test_a_folder_that_others_may_write_into_is_refused(gateway, bits):
    gateway.state.mkdir()
    gateway.state.chmod(bits)
    (gateway.state / "somebody's").touch()
    for command in (["serve"], ["tenant", "create", "--name", "acme"]):
        said = gateway.refused(*command)
        assert "others may write into the state folder" in said and str(gateway.state) in said
    assert mode(gateway.state) == bits and len(list(gateway.state.iterdir())) == 1


def test_an_empty_folder_made_under_a_wide_umask_becomes_ours_alone(gateway):
    gateway.state.mkdir()
    gateway.state.chmod(0o775)
    gateway.start()
    assert mode(gateway.state) == 0o700


def test_a_backup_is_ours_alone(gateway):
    gateway.tenant()
    for name in ("offline", "online"):
        gateway.cli("ledger", "backup", gateway.folder / name)
        assert mode(gateway.folder / name) == 0o700
        assert mode(gateway.folder / name / "data.mdb") == 0o600
        if not gateway.is_running():
            gateway.start()
    assert "is no path" in gateway.refused("ledger", "backup", "")


# --- The wrong user ---


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_the_wrong_user_is_told_what_is_closed():
    folder = Path(tempfile.mkdtemp(prefix="moongate-somebody-"))
    gateway = Gateway(folder / "inner")
    try:
        folder.chmod(0o755)
        tenant = gateway.tenant()

        def as_somebody(*arguments):
            return subprocess.run([str(BINARY), *arguments, "--config", str(gateway.config)],
                                  cwd="/", env=environment(), user=SOMEBODY, group=SOMEBODY,
                                  extra_groups=[], capture_output=True, text=True,
                                  timeout=patience(30))
        try:
            as_somebody("--version")
        except PermissionError:
            pytest.skip("the binary is not where somebody else may run it")
        assert as_somebody("policy", "check").returncode == 0
        for command in (["tenant", "list"], ["tenant", "create", "--name", "x"], ["check"],
                        ["wallet", "show", "--tenant", tenant], ["ledger", "verify"], ["usage"],
                        ["ledger", "backup", "/tmp/moongate-never"], ["channel", "list"],
                        ["ledger", "backup", ""], ["explain", "req_01m80jtbbh5f3cfj8rrv2bde6w"],
                        ["serve"]):
            done = as_somebody(*command)
            assert done.returncode == (2 if command == ["ledger", "verify"] else 1), (command, done)
            said = done.stderr + done.stdout
            assert "terminate" not in said and ("denied" in said or "is no path" in said), said
        gateway.script("policies").chmod(0o700)
        for command in (["check"], ["policy", "check"]):
            done = as_somebody(*command)
            assert done.returncode == 1 and "scripts/policies: Permission denied" in done.stderr
        folder.chmod(0o700)
        done = as_somebody("check")
        assert done.returncode == 1 and "terminate" not in done.stderr
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_sources_that_become_closed_are_refused_and_come_back():
    folder = Path(tempfile.mkdtemp(prefix="moongate-somebody-"))
    gateway = Gateway(folder / "inner")
    shutil.chown(gateway.folder, SOMEBODY)
    folder.chmod(0o755)
    try:
        server = subprocess.Popen([str(BINARY), "serve", "--config", str(gateway.config)],
                                  env=environment(), user=SOMEBODY, group=SOMEBODY, extra_groups=[],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except PermissionError:
        shutil.rmtree(folder)
        pytest.skip("the binary is not where somebody else may run it")
    try:
        host, _, port = json.loads(server.stdout.readline())["address"].rpartition(":")
        gateway.addresses = [(host, int(port))]
        assert json.loads(server.stdout.readline())["event"] == "ready"

        def wait_policies(words):
            deadline = time.monotonic() + patience(5)
            while words not in json.loads(gateway.get("/health/ready").body)["policies"]:
                assert time.monotonic() < deadline and server.poll() is None
                time.sleep(0.05)
        policies = gateway.script("policies")
        for path, words in ((policies, "scripts/policies: Permission denied"),
                            (policies / "routing.lua", "routing.lua: Permission denied"),
                            (gateway.script(""), "scripts"), (gateway.folder / "data", "data")):
            before = mode(path)
            path.chmod(0)
            wait_policies(words)
            path.chmod(before)
            wait_policies("ok")
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(patience(20)) == 0, server.stderr.read()
        shutil.rmtree(folder)


# --- Signals ---


def ignored(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return int(line.split()[1], 16)
    return 0


def test_a_hangup_while_starting_is_not_the_end(gateway):
    program = Program(["serve", "--config", str(gateway.config)], gateway.folder, "serve")
    deadline = time.monotonic() + patience(10)
    while not ignored(program.process.pid) & (1 << (signal.SIGPIPE - 1)):
        assert time.monotonic() < deadline  # the first thing that the program does
    program.signal(signal.SIGHUP)
    program.wait_report("ready")
    assert program.end() == 0


def test_a_hangup_ends_a_command(gateway):
    """Which belongs to its terminal."""
    ours = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a program inherits that nohup ignores it
    program = Program(["lab", "--port", "0"], gateway.folder, "lab")
    signal.signal(signal.SIGHUP, ours)
    program.wait_report("listening")
    program.signal(signal.SIGHUP)
    assert program.wait() == -signal.SIGHUP
