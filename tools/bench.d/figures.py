"""The figures: how each is taken, what it is held against, and whether Moongate meets it.

Servers take turns in every figure, a few seconds each and several rounds, because this is the only
way to compare on a machine that others use too; what is reported is the median of the rounds."""
import contextlib
import dataclasses
import re
import subprocess
import sys

import machine
from machine import Series
from servers import settle


@dataclasses.dataclass
class Row:
    figure: str
    reference: str
    moongate: str
    target: str
    met: bool


@dataclasses.dataclass
class Effort:
    """How long and how often."""
    rounds: int = 5
    seconds: int = 3


def cpu_per_request_us(bench, server, seconds, tls=False):
    before = machine.cpu_s(server.pid)
    answered = bench.wrk(server, seconds, tls=tls)
    settle()
    return (machine.cpu_s(server.pid) - before) / answered * 1e6


def plain(bench, effort):
    """Processor time for one plain request."""
    with bench.upstream() as upstream, bench.relay(upstream) as relay, \
            bench.nginx(upstream) as nginx, bench.haproxy(upstream) as haproxy, \
            bench.moongate(upstream) as moongate:
        servers = (relay, nginx, haproxy, moongate)
        for server in servers:
            bench.wrk(server, 1)
        took = {server.name: [] for server in servers}
        for _ in range(effort.rounds):
            for server in servers:
                took[server.name].append(cpu_per_request_us(bench, server, effort.seconds))
    times = {name: Series(values).median for name, values in took.items()}

    def multiple(name):
        return Series([us / base for us, base in zip(took[name], took["relay"])])

    ours = multiple("moongate")
    return [Row(
        "CPU per plain request, × relay",
        f"relay {times['relay']:.1f} µs; nginx {multiple('nginx').text()}; "
        f"HAProxy {multiple('haproxy').text()}",
        f"{ours.text()}; {times['moongate']:.1f} µs", "≤ 3.2, then 2.6", ours.median <= 3.2)]


def added_us(bench, mode, servers, upstream, effort, requests):
    """What each server adds to the time straight to the upstream."""
    for server in servers:
        bench.client(mode, server, 20)
    added = {id(server): [] for server in servers}
    for _ in range(effort.rounds):
        base = bench.client(mode, upstream, requests)["p50_us"]
        for server in servers:
            added[id(server)].append(bench.client(mode, server, requests)["p50_us"] - base)
    return [Series(added[id(server)]) for server in servers]


def latency(bench, effort):
    """Added latency of a plain answer, one connection, an upstream that takes 20 ms."""
    with bench.upstream("--delay-us", 20_000) as upstream, bench.nginx(upstream) as nginx, \
            bench.moongate(upstream, "relaxed") as relaxed, bench.moongate(upstream) as strict:
        ngx, fast, safe = added_us(
            bench, "latency", (nginx, relaxed, strict), upstream, effort, 25 * effort.seconds)
    form, unit = "{:.0f}", " µs"
    sync_us = machine.sync_us(bench.folder)
    return [
        Row("added latency, 20 ms upstream, p50, relaxed", "nginx +" + ngx.text(form, unit),
            "+" + fast.text(form, unit), "≤ +120 µs", fast.median <= 120),
        Row("the same, strict", f"a sync of this disk takes {sync_us:.0f} µs",
            "+" + safe.text(form, unit), "one commit more: two syncs and their waits",
            safe.median <= fast.median + 3 * sync_us + COMMIT_US)]


# What a commit of one record takes on a disk whose sync takes no time.
COMMIT_US = 300


def first(bench, effort):
    """Added time to the first chunk of a stream, an upstream whose first comes after 20 ms."""
    with bench.upstream("--delay-us", 20_000, "--chunks", 2, "--interval-us", 1_000) as upstream, \
            bench.nginx(upstream) as nginx, bench.moongate(upstream) as moongate:
        ngx, ours = added_us(
            bench, "first", (nginx, moongate), upstream, effort, 25 * effort.seconds)
    form, unit = "{:.0f}", " µs"
    return [Row("added time to first chunk, p50", "nginx +" + ngx.text(form, unit),
                "+" + ours.text(form, unit), "≤ +150 µs", ours.median <= 150)]


def chunks(bench, effort):
    """Processor time for one relayed chunk, 200 streams of 100 chunks a second."""
    with bench.upstream("--chunks", 1_000_000) as upstream, bench.relay(upstream) as relay, \
            bench.nginx(upstream) as nginx, bench.haproxy(upstream) as haproxy, \
            bench.moongate(upstream) as moongate:
        servers = (relay, nginx, haproxy, moongate)
        took = {server.name: [] for server in servers}
        for _ in range(effort.rounds):
            for server in servers:
                before = machine.cpu_s(server.pid)
                passed = bench.client("streams", server, 200, effort.seconds)["chunks"]
                settle()
                took[server.name].append((machine.cpu_s(server.pid) - before) / passed * 1e6)
    series = {name: Series(values) for name, values in took.items()}
    against = Series([ours / ngx for ours, ngx in zip(took["moongate"], took["nginx"])])
    return [Row(
        "CPU per relayed SSE chunk",
        "; ".join(f"{name} {series[name].text('{:.1f}', ' µs')}"
                  for name in ("relay", "nginx", "haproxy")),
        f"{series['moongate'].text('{:.1f}', ' µs')}; {against.text()} × nginx",
        "≤ 1.1 × nginx", against.median <= 1.1)]


@contextlib.contextmanager
def held_streams(bench, server, count, transport):
    port = server.tls_port if transport == "tls" else server.port
    holder = subprocess.Popen(
        machine.pinned(machine.LOAD_CORE, [
            sys.executable, bench.tools + "/held.py", str(port), str(count), server.key,
            transport]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if holder.stdout.readline() != b"held\n":
            raise machine.Trouble(f"{server.name} does not hold {count} streams")
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def bytes_per_stream(bench, server, count, transport):
    with held_streams(bench, server, 50, transport):
        pass
    settle()
    before = machine.resident_bytes(server.pid)
    with held_streams(bench, server, count, transport):
        settle()
        return (machine.resident_bytes(server.pid) - before) / count


HELD = 5_000


def held_bytes(bench, names, transport):
    made = {"nginx": bench.nginx, "haproxy": bench.haproxy, "moongate": bench.moongate}
    used = {}
    with bench.upstream("--chunks", 1_000_000, "--interval-us", 2_000_000) as upstream:
        for name in names:
            with made[name](upstream) as server:
                used[name] = bytes_per_stream(bench, server, HELD, transport)
    return used


def memory(bench, effort):
    """Memory for one stream that is held open, 5,000 of them."""
    used = held_bytes(bench, ("nginx", "haproxy", "moongate"), "plain")
    return [Row("memory per held stream, plain",
                f"nginx {used['nginx']:,.0f} B; HAProxy {used['haproxy']:,.0f} B",
                f"{used['moongate']:,.0f} B", "≤ 9,000 B", used["moongate"] <= 9_000)]


def memory_tls(bench, effort):
    """The same with TLS on the client's side."""
    used = held_bytes(bench, ("nginx", "moongate"), "tls")
    return [Row("memory per held stream, TLS to the client", f"nginx {used['nginx']:,.0f} B",
                f"{used['moongate']:,.0f} B", "≤ 60,000 B", used["moongate"] <= 60_000)]


def idle(bench, effort):
    """Resident memory of a server that has just started."""
    with bench.upstream() as upstream, bench.nginx(upstream) as nginx, \
            bench.haproxy(upstream) as haproxy, bench.moongate(upstream) as moongate:
        settle()
        mb = {s.name: machine.resident_bytes(s.pid) / 1e6 for s in (nginx, haproxy, moongate)}
    return [Row("idle memory", f"nginx {mb['nginx']:.1f} MB; HAProxy {mb['haproxy']:.1f} MB",
                f"{mb['moongate']:.1f} MB", "≤ 30 MB", mb["moongate"] <= 30)]


def tls(bench, effort):
    """Processor time for a plain request over a kept TLS connection."""
    with bench.upstream() as upstream, bench.nginx(upstream) as nginx, \
            bench.moongate(upstream) as moongate:
        ratio, took = [], {"nginx": [], "moongate": []}
        seconds = 4 * effort.seconds  # a turn begins with 64 whole handshakes, no part of the figure
        for server in (nginx, moongate):
            bench.wrk(server, 1, tls=True)
        for _ in range(effort.rounds):
            for server in (nginx, moongate):
                took[server.name].append(
                    cpu_per_request_us(bench, server, seconds, tls=True))
            ratio.append(took["moongate"][-1] / took["nginx"][-1])
    against = Series(ratio)
    return [Row("CPU per plain request, TLS",
                f"nginx {Series(took['nginx']).text('{:.1f}', ' µs')}",
                f"{Series(took['moongate']).text('{:.1f}', ' µs')}; {against.text()} × nginx",
                "≤ 2 × nginx", against.median <= 2)]


def resumed_handshakes(server, seconds):
    """Connections that resume a session, by several clients at once; how many were made."""
    command = machine.pinned(machine.LOAD_CORE, [
        "openssl", "s_time", "-connect", f"127.0.0.1:{server.tls_port}", "-reuse", "-tls1_2",
        "-time", str(seconds)])
    clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True) for _ in range(8)]
    made = 0
    for client in clients:
        out, _ = client.communicate()
        counts = re.findall(r"^(\d+) connections in \d+ real seconds", out, re.MULTILINE)
        if not counts:
            raise machine.Trouble(f"no resumed handshakes with {server.name}:\n{out}")
        made += int(counts[-1])
    return made


def handshakes(bench, effort):
    """TLS connections by ticket, made and closed again, for a second of processor time."""
    with bench.upstream() as upstream, bench.nginx(upstream) as nginx, \
            bench.moongate(upstream) as moongate:
        rates = {"nginx": [], "moongate": []}
        for _ in range(effort.rounds):
            for server in (nginx, moongate):
                before = machine.cpu_s(server.pid)
                made = resumed_handshakes(server, effort.seconds)
                settle()
                rates[server.name].append(made / (machine.cpu_s(server.pid) - before))
    ours = Series(rates["moongate"])
    return [Row("resumed TLS handshakes a second of one core",
                f"nginx {Series(rates['nginx']).text('{:,.0f}')}", ours.text("{:,.0f}"),
                "≥ 5,000", ours.median >= 5_000)]


def slow_disk(bench, effort):
    """Throughput of 2,048 connections, an upstream that takes 20 ms, on a slow and a fast disk."""
    with bench.upstream("--delay-us", 20_000) as upstream, bench.moongate(upstream) as fast, \
            bench.moongate(upstream, sync_us=5_000) as slow:
        rates = {"fast": [], "slow": []}
        seconds = 2 * effort.seconds  # so many connections take their time to be made
        for _ in range(effort.rounds):
            for name, server in (("fast", fast), ("slow", slow)):
                rates[name].append(bench.wrk(server, seconds, connections=2048) / seconds)
    share = Series([slow / fast for slow, fast in zip(rates["slow"], rates["fast"])])
    return [Row("throughput, 2,048 connections, sync + 5 ms",
                f"fast disk {Series(rates['fast']).text('{:,.0f}', '/s')}",
                f"{Series(rates['slow']).text('{:,.0f}', '/s')}; {share.text()} × fast",
                "≥ 0.8 × fast", share.median >= 0.8)]


FIGURES = {
    "plain": plain, "latency": latency, "first": first, "chunks": chunks, "memory": memory,
    "memory_tls": memory_tls, "idle": idle, "tls": tls, "handshakes": handshakes,
    "slow_disk": slow_disk,
}
