"""What the benchmarks ask of the machine: processes pinned to a core, their processor time and
memory, free ports, and medians."""
import os
import socket
import statistics
import subprocess
import time

SERVER_CORE = 0  # the servers under test, one at a time
LOAD_CORE = (os.cpu_count() or 1) - 1  # the load and the upstream

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


class Trouble(Exception):
    """Something the run cannot go on without."""


def pinned(core, command):
    return ["taskset", "-c", str(core)] + command


def start(core, command, log, **options):
    """A server in the background, in a process group of its own."""
    return subprocess.Popen(
        pinned(core, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, **options)


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(core, command, **options):
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Trouble(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log_path):
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    with open(log_path, encoding="utf-8") as log:
        raise Trouble(f"{process.args} does not listen:\n{log.read()}")


def family(pid):
    """A process and its children: nginx has a master and a worker."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid] + [int(child) for child in children.read().split()]


def cpu_s(pid):
    """Processor time used so far, all threads, user and system."""
    total = 0.0
    for one in family(pid):
        with open(f"/proc/{one}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) * TICK_S
    return total


def resident_bytes(pid):
    total = 0
    for one in family(pid):
        with open(f"/proc/{one}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


def load_average():
    return os.getloadavg()[0]


def sync_us(folder):
    """What it takes the folder's disk to make 4 KB durable, at the end of a file that grows."""
    took = []
    path = os.path.join(folder, "synced")
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    for page in range(50):
        os.pwrite(file, bytes(4096), page * 4096)
        begun = time.perf_counter()
        os.fdatasync(file)
        took.append((time.perf_counter() - begun) * 1e6)
    os.close(file)
    os.unlink(path)
    return statistics.median(took)


class Series:
    """Figures of several rounds: the median, and how far they lie apart."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = statistics.median(self.values)

    def text(self, form="{:.2f}", unit=""):
        low, high = form.format(self.values[0]), form.format(self.values[-1])
        return f"{form.format(self.median)}{unit} ({low} to {high})"
