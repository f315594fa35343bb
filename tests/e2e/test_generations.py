"""More generations of policies alive than are kept: what runs ends well by the channels and names
of the one it began in, and the oldest ones' late hooks are run by the newest."""

import threading
import time

import pytest

import crowd
from place import ROOT, SLOWNESS, patience
from upstream import LAST_CHUNK, chat_events, chunk, obliging, stream_head


def alive_max():
    """As the program's own list of bounds has it."""
    text = (ROOT / "src" / "base" / "limits.h").read_text()
    return int(text.partition("generations_alive_max = ")[2].partition(";")[0])


ALIVE_MAX = alive_max()


def marks(version):
    """A policy that leaves its version in everything it decides, late hooks too."""
    return f"""
return {{
  name = "marks",
  route = function(_, _, candidates)
    for _, candidate in ipairs(candidates) do
      candidate.upstream_model = "mark-{version}"
    end
    return candidates
  end,
  recover = function()
    gate.log("warning", "recovered by {version}")
    return "next"
  end,
  disconnect = function()
    gate.log("warning", "left behind by {version}")
  end,
  observe = function()
    return {{ tags = {{ "mark-{version}" }} }}
  end,
}}
"""


class Scene:
    """A stream begins and then waits; whoever is told to fail, fails when it is time. What is no
    stream is answered at once."""

    def __init__(self):
        self.time_to_end = threading.Event()

    def __call__(self, call):
        asked = call.request.json()
        if asked.get("user") == "fail":
            self.time_to_end.wait(patience(120))
            return call.reset()
        if not asked.get("stream"):
            return obliging(call)
        events = chat_events(("Two", " things"))
        call.send(stream_head() + chunk(events[0]) + chunk(events[1]))
        self.time_to_end.wait(patience(120))
        return call.send(b"".join(chunk(event) for event in events[2:]) + LAST_CHUNK)


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def gateway(workshop, scene):
    """One worker, so that all streams are of the same one."""
    upstreams = workshop.upstream(scene), workshop.upstream(obliging)
    channels = [upstream.channel(name, priority=number) for number, (name, upstream) in
                enumerate(zip("ab", upstreams), 1)]
    gateway = workshop.gateway(channels, start=False)
    gateway.edit("scripts/policies/chain.lua", '{ "routing" },', '{ "routing" }, { "marks" },')
    gateway.edit("scripts/policies/chain.lua", '{ "fallback" },', '{ "marks" },')
    gateway.edit("scripts/policies/chain.lua", '{ "observe" },',
                 '{ "observe" }, { "marks" }, }, disconnect = { { "marks" },')
    gateway.script("policies/marks.lua").write_text(marks(1))
    return gateway.start()


def adopt(gateway, generation):
    """Has the next generation, and sees that it serves."""
    gateway.script("policies/marks.lua").write_text(marks(generation))
    deadline = time.monotonic() + patience(10)
    while True:
        ready = gateway.get("/health/ready").json()
        assert ready["policies"] == "ok", ready
        if ready["generation"] == generation:
            return
        assert time.monotonic() < deadline, ready
        time.sleep(0.01)


class Held:
    """A request that is under way: the generation it began in and its connection."""

    def __init__(self, gateway, key, generation, **members):
        self.generation = generation
        self.connection = gateway.connect(timeout=60)
        self.connection.ask("POST", "/v1/chat/completions", crowd.chat(**members), key=key)

    def begin(self):
        """Reads the head and the first event."""
        self.head = self.connection.read_head()
        assert self.head.status == 200
        assert self.head.header("x-moongate-generation") == str(self.generation)
        self.head.chunks.append(self.connection.read_chunk())
        return self

    def end(self):
        with self.connection:
            return self.connection.read_body(self.head)


def open_streams(gateway, key, generations):
    """One in each generation, the first among them."""
    held = []
    for generation in range(1, generations + 1):
        if generation > 1:
            adopt(gateway, generation)
        held.append(Held(gateway, key, generation, stream=True).begin())
    return held


def observer(generation, newest):
    """Which generation runs the late hooks of what began in this one."""
    return generation if generation > newest - ALIVE_MAX else newest


def metric(gateway, name):
    text = gateway.get("/metrics").body.decode()
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def assert_nothing_failed(gateway):
    log = gateway.program.stderr()
    for event in ("policy_failed", "reload_refused", '"level":"error"'):
        assert event not in log, log
    assert metric(gateway, "moongate_requests_in_flight") == 0
    assert metric(gateway, "moongate_ledger_open_holds") == 0


@pytest.mark.parametrize("generations", [ALIVE_MAX, ALIVE_MAX + 1, ALIVE_MAX + 3],
                         ids=["edge", "one past", "two reloads past"])
def test_one_stream_in_each(gateway, scene, generations):
    """The bound counts the one that serves. Up to it each ends by its own policies; beyond it the
    oldest end by the newest."""
    caller = gateway.caller()
    held = open_streams(gateway, caller.key, generations)
    scene.time_to_end.set()
    for one in held:
        answer = one.end()
        assert answer.is_complete and answer.events()[-1].is_done, one.generation
        decision = gateway.explain(answer.request_id)["decision"]
        assert decision["generation"] == one.generation
        assert decision["upstream_model"] == f"mark-{one.generation}"
        assert decision["tags"] == [f"mark-{observer(one.generation, generations)}"]
        assert (decision["outcome"], decision["usage"]) == ("completed", {"input": 3, "output": 2})
    assert gateway.wait_unheld(caller.tenant)["balance"] == 10 * 10**9 - generations * 1650
    assert_nothing_failed(gateway)
    assert gateway.chat(caller.key).header("x-moongate-generation") == str(generations)


@pytest.mark.parametrize("generations", [ALIVE_MAX, ALIVE_MAX + 1], ids=["edge", "one past"])
def test_what_fails_late_is_recovered(gateway, scene, generations):
    """Its channel breaks only now; the next one is asked as its own generation planned."""
    caller = gateway.caller()
    old = Held(gateway, caller.key, 1, user="fail")
    held = open_streams(gateway, caller.key, generations)
    scene.time_to_end.set()
    with old.connection:
        answer = old.connection.read_answer()
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    assert answer.header("x-moongate-generation") == "1"
    decision = gateway.explain(answer.request_id)["decision"]
    by = observer(1, generations)
    assert [(a["channel"], a["upstream_model"], a.get("then")) for a in decision["attempts"]] == [
        ("a", "mark-1", "next"), ("b", "mark-1", None)]
    assert decision["tags"] == ["retried", f"mark-{by}"]
    assert f"recovered by {by}" in gateway.program.stderr()
    assert all(one.end().events()[-1].is_done for one in held)
    gateway.wait_unheld(caller.tenant)
    assert_nothing_failed(gateway)


@pytest.mark.parametrize("generations", [ALIVE_MAX, ALIVE_MAX + 1], ids=["edge", "one past"])
def test_who_leaves_late_is_seen(gateway, scene, generations):
    caller = gateway.caller()
    left, *held = open_streams(gateway, caller.key, generations)
    left.connection.close()
    decision = gateway.explain(left.head.request_id)["decision"]
    by = observer(1, generations)
    assert (decision["outcome"], decision["generation"]) == ("client_left", 1)
    assert decision["tags"] == ["client_left", f"mark-{by}"]
    assert f"left behind by {by}" in gateway.program.stderr()
    scene.time_to_end.set()
    assert all(one.end().events()[-1].is_done for one in held)
    gateway.wait_unheld(caller.tenant)
    assert_nothing_failed(gateway)


def test_the_newest_may_have_no_late_hook(gateway, scene):
    """Then there is none: nobody's policies are asked."""
    caller = gateway.caller()
    held = open_streams(gateway, caller.key, ALIVE_MAX)
    chain = gateway.script("policies/chain.lua")
    chain.write_text('return { route = { { "routing" }, { "marks" } } }')
    deadline = time.monotonic() + patience(10)
    while gateway.get("/health/ready").json()["generation"] == ALIVE_MAX:
        assert time.monotonic() < deadline, gateway.program.stderr()
        time.sleep(0.01)
    held.append(Held(gateway, caller.key, ALIVE_MAX + 1, stream=True).begin())
    scene.time_to_end.set()
    tags = []
    for one in held:
        answer = one.end()
        assert answer.events()[-1].is_done
        tags.append(gateway.explain(answer.request_id)["decision"].get("tags"))
    assert tags == [None, *([f"mark-{n}"] for n in range(2, ALIVE_MAX + 1)), None]
    assert_nothing_failed(gateway)


def test_changes_of_the_directory_retire_no_policies_that_serve(gateway, scene):
    """A key more makes a new world of the same policies, and that counts as well."""
    caller = gateway.caller()
    old = Held(gateway, caller.key, 1, stream=True).begin()
    held = []
    for _ in range(ALIVE_MAX + 2):
        key = gateway.key(caller.tenant)["key"]
        held.append(Held(gateway, key, 1, stream=True).begin())
    adopt(gateway, 2)
    scene.time_to_end.set()
    answer = old.end()
    assert answer.events()[-1].is_done
    assert gateway.explain(answer.request_id)["decision"]["tags"] in (["mark-1"], ["mark-2"])
    for one in held:
        answer = one.end()
        assert answer.events()[-1].is_done
    assert gateway.explain(answer.request_id)["decision"]["tags"] == ["mark-1"]
    assert_nothing_failed(gateway)


def private_mib(gateway):
    """Memory of its own, without mapped files."""
    with open(f"/proc/{gateway.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) // 1024


@pytest.mark.skipif(SLOWNESS >= 2, reason="sanitizers keep freed memory, and look for leaks anyway")
def test_what_is_over_leaves_nothing_behind(gateway, scene):
    """Round by round as many generations with a stream each. What is kept of a round would be 6 MiB
    in every one; what the allocator takes once, for good or for a moment, is no leak."""
    caller = gateway.caller()
    newest, at_once = 1, []
    for _ in range(6):
        scene.time_to_end.clear()
        held = [Held(gateway, caller.key, newest, stream=True).begin()]
        for _ in range(ALIVE_MAX + 1):
            newest += 1
            adopt(gateway, newest)
            held.append(Held(gateway, caller.key, newest, stream=True).begin())
        at_once.append(private_mib(gateway))
        scene.time_to_end.set()
        assert all(one.end().events()[-1].is_done for one in held)
        gateway.wait_unheld(caller.tenant)
    grown = [later - sooner for sooner, later in zip(at_once, at_once[2:])]
    assert min(grown) < 6, at_once
    assert_nothing_failed(gateway)
