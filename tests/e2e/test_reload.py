"""Policies and prices that change under load: every request sees one generation, none fails, the
new one acts everywhere within two seconds, and a broken one changes nothing."""

import asyncio
import json
import os
import shutil
import threading
import time

import pytest

import crowd
import tally
from gateway import Failed, nanos
from place import patience
from size import sized
from upstream import LAST_CHUNK, chat_answer, chat_events, chunk, plain, stream_head, streamed

PROBES = 16  # connections that stay: on both workers, but for one time in 32,768
ACTS_WITHIN_S = 2.0


def marks(version):
    """A policy that leaves its version where a request begins and where it ends."""
    return f"""-- {"Long enough that it is not written at once. " * 150}
return {{
  name = "marks",
  route = function(_, _, candidates)
    for _, candidate in ipairs(candidates) do
      candidate.upstream_model = "mark-{version}"
    end
    return candidates
  end,
  observe = function()
    return {{ tags = {{ "mark-{version}" }} }}
  end,
}}
"""


class Scene:
    """An upstream that answers with the model it was asked for. A request for a long answer gets
    an event now and then until the test says that it is time."""

    def __init__(self):
        self.time_to_end = threading.Event()

    def __call__(self, call):
        call.keep()
        asked = call.request.json()
        if not asked.get("stream"):
            return call.send(plain(chat_answer(model=asked["model"])))
        events = chat_events()
        if "long" not in asked.get("metadata", {}):
            return call.send(streamed(b"".join(events), piece=61))
        call.send(stream_head() + chunk(events[0]))
        while not self.time_to_end.wait(1.0):
            if not call.send(chunk(events[1])):
                return None
        return call.send(b"".join(chunk(event) for event in events[1:]) + LAST_CHUNK)


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def gateway(workshop, scene):
    """Its scripts stand behind a symbolic link, as a deployment's releases do."""
    gateway = workshop.gateway([workshop.upstream(scene).channel()], start=False, workers=2)
    scripts = gateway.folder / "scripts"
    scripts.rename(gateway.folder / "release-0")
    scripts.symlink_to("release-0")
    gateway.edit("scripts/policies/chain.lua", '{ "routing" },', '{ "routing" }, { "marks" },')
    gateway.edit("scripts/policies/chain.lua", '{ "observe" },', '{ "observe" }, { "marks" },')
    gateway.script("policies/marks.lua").write_text(marks(0))
    return gateway


# --- The ways in which files change ---


def written_in_place(gateway, text):
    with open(gateway.script("policies/marks.lua"), "w") as file:
        half = len(text) // 2
        file.write(text[:half])
        file.flush()
        time.sleep(0.01)
        file.write(text[half:])


def renamed(gateway, text):
    beside = gateway.folder / "marks.lua.new"
    beside.write_text(text)
    os.replace(beside, gateway.script("policies/marks.lua"))


def swapped(gateway, text):
    scripts = gateway.folder / "scripts"
    old = gateway.folder / os.readlink(scripts)
    fresh = gateway.folder / f"release-{int(old.name.partition('-')[2]) + 1}"
    shutil.copytree(old, fresh)
    (fresh / "policies" / "marks.lua").write_text(text)
    link = gateway.folder / "scripts.new"
    link.symlink_to(fresh.name)
    os.replace(link, scripts)
    shutil.rmtree(old)


WAYS = (written_in_place, renamed, swapped)


# --- The clients ---


class Load:
    """Clients that ask one request after the other, in a thread of their own. What was wrong with
    an answer stands in `failures`."""

    def __init__(self, gateway, key, streamers=12):
        self.gateway, self.key, self.streamers = gateway, key, streamers
        self.done, self.failures, self.answers = threading.Event(), [], 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self._thread.join()

    async def _all(self):
        await asyncio.gather(*(self._one(number) for number in range(self.streamers)))

    async def _one(self, number):
        visitor = await crowd.Visitor(self.gateway.address).connect()
        while not self.done.is_set():
            try:
                body = crowd.chat(stream=number % 2 == 0)
                await visitor.ask("POST", "/v1/chat/completions", body, None, self.key)
                answer = await visitor.read_answer()
                if answer.status != 200 or body["stream"] and not answer.events()[-1].is_done:
                    self.failures.append(answer)
                self.answers += 1
            except Exception as error:  # noqa: whatever it is, it counts
                self.failures.append(error)
                return
            await asyncio.sleep(0.02)
        visitor.close()


async def probe(visitor, key):
    """What one more request on a connection sees: generation and version."""
    await visitor.ask("POST", "/v1/chat/completions", crowd.chat(), None, key)
    answer = await visitor.read_answer()
    assert answer.status == 200, answer
    return int(answer.header("x-moongate-generation")), answer.json()["model"]


async def rest(visitor):
    """The events to the end of a stream; raises Ended where it is cut."""
    return [event async for event in visitor.stream()]


def decisions(gateway):
    for path in sorted((gateway.state / "records").rglob("*")):
        if path.is_file():
            for line in path.read_text().splitlines():
                yield json.loads(line)


# --- The tests ---


def test_100_reloads_under_load_with_300_streams_open(gateway, scene):
    gateway.start()
    key = gateway.caller("1000.00").key
    reloads, open_streams = sized(100, 12), sized(300, 80)
    took = []

    async def begin(visitor):
        await visitor.connect()
        body = crowd.chat(stream=True, metadata={"long": "yes"})
        await visitor.ask("POST", "/v1/chat/completions", body, None, key)
        head = await visitor.read_head()
        assert (head.status, head.header("x-moongate-generation")) == (200, "1")
        await visitor.read_chunk()

    async def run():
        long = [crowd.Visitor(gateway.address, 300) for _ in range(open_streams)]
        await asyncio.gather(*(begin(visitor) for visitor in long))
        probes = [await crowd.Visitor(gateway.address).connect() for _ in range(PROBES)]
        for version in range(1, reloads + 1):
            await asyncio.to_thread(WAYS[version % 3], gateway, marks(version))
            changed = time.monotonic()
            while True:
                seen = await asyncio.gather(*(probe(visitor, key) for visitor in probes))
                if {model for _, model in seen} == {f"mark-{version}"}:
                    break
                assert time.monotonic() < changed + patience(ACTS_WITHIN_S), (version, seen)
                await asyncio.sleep(0.02)
            took.append(time.monotonic() - changed)
            assert {generation for generation, _ in seen} == {version + 1}
        scene.time_to_end.set()
        return await asyncio.gather(*(rest(visitor) for visitor in long))

    with Load(gateway, key) as load:
        ends = asyncio.run(run())
    assert not load.failures, load.failures[:3]
    assert load.answers > reloads
    assert all(events[-1].is_done for events in ends)
    tally.count_many("reloads", "acted upon by both workers", len(took))
    tally.count_many("reloads: ms until they acted", "longest", int(1000 * max(took)))

    gateway.stop()  # and with it the last records are written
    by_generation, records, long = {}, 0, 0
    for record in decisions(gateway):
        [mark] = [tag for tag in record["tags"] if tag.startswith("mark-")]
        assert record["upstream_model"] == mark, "a request saw two generations"
        assert by_generation.setdefault(record["generation"], mark) == mark
        records += 1
        long += record["latency_ms"] > 1000 * sum(took)
    assert by_generation == {n + 1: f"mark-{n}" for n in range(reloads + 1)}
    assert records >= load.answers + open_streams + PROBES * reloads
    assert long >= open_streams, "they were to stay open throughout"


BROKEN = {
    "a syntax error": ("policies/marks.lua", "return {\n  name = = 5\n}", "policies/marks.lua:2"),
    "half a file": ("policies/marks.lua", marks(1)[:-40], "policies/marks.lua:"),
    "an unknown phase": ("policies/marks.lua", 'return { name = "marks", rout = 1 }', "marks.lua"),
    "an unknown module": ("policies/chain.lua", 'return { admit = { { "nobody" } } }', "nobody"),
    "a selftest that fails": ("policies/marks.lua", marks(1).replace(
        "observe =", "selftest = function(t) t.equal(1, 2) end,\n  observe ="), "marks.lua"),
    "a write to a global": ("policies/marks.lua", marks(1).replace(
        "name =", "name = 'marks', x = (function() y = 1 end)(),\n  --"), "marks.lua"),
}


def ready(gateway):
    return gateway.get("/health/ready").json()


def wait_ready(gateway, condition, seconds=10):
    deadline = time.monotonic() + patience(seconds)
    while not condition(ready(gateway)):
        assert time.monotonic() < deadline, ready(gateway)
        time.sleep(0.02)
    return ready(gateway)


@pytest.mark.parametrize("way", ["in place", "swapped"])
def test_a_broken_file_changes_nothing_and_is_named(gateway, way):
    gateway.start()
    key = gateway.caller("100.00").key
    generation = 1
    with Load(gateway, key, 4) as load:
        for what, (name, text, named) in BROKEN.items():
            path = gateway.script(name)
            good = path.read_text()
            if way == "swapped" and name.endswith("marks.lua"):
                swapped(gateway, text)
            else:
                path.write_text(text)
            state = wait_ready(gateway, lambda state: state["policies"] != "ok")
            assert named in state["policies"], (what, state)
            assert (state["status"], state["generation"]) == ("ready", generation)
            answer = gateway.chat(key)
            assert (answer.status, answer.json()["model"]) == (200, "mark-0")
            gateway.program.wait_logged("reload_refused")
            refused = gateway.refused("reload")
            assert named in refused, (what, refused)
            generation += 1
            gateway.script(name).write_text(good + f"\n-- {generation}\n")
            state = wait_ready(gateway, lambda state: state["policies"] == "ok")
            assert state["generation"] == generation, what
    assert not load.failures, load.failures[:3]
    assert gateway.chat(key).json()["model"] == "mark-0"


@pytest.mark.parametrize("what", BROKEN)
def test_a_first_start_with_a_broken_file_ends_with_its_name(gateway, what):
    name, text, named = BROKEN[what]
    gateway.script(name).write_text(text)
    with pytest.raises(Failed, match="ended with 1") as failure:
        gateway.start()
    assert named in str(failure.value)
    assert gateway.program.process.returncode == 1
    gateway.program = None
    check = gateway.run("policy", "check")
    assert check.returncode == 1 and named in check.stdout + check.stderr


def test_a_price_that_changes_meets_the_next_request(gateway, scene):
    """What runs pays the price it began with."""
    gateway.set_models([{"id": "gpt-4o-mini", "price": {"input": "1", "output": "2"}}])
    gateway.start()
    caller = gateway.caller("10.00")
    assert nanos(gateway.chat(caller.key).header("x-moongate-cost")) == 3 * 1000 + 2 * 2000
    with gateway.connect(timeout=30) as running:
        body = crowd.chat(stream=True, stream_options={"include_usage": True},
                          metadata={"long": "yes"})
        running.ask("POST", "/v1/chat/completions", body, key=caller.key)
        head = running.read_head()
        gateway.set_models([{"id": "gpt-4o-mini", "price": {"input": "7", "output": "9"}}])
        wait_ready(gateway, lambda state: state["generation"] == 2)
        assert nanos(gateway.chat(caller.key).header("x-moongate-cost")) == 3 * 7000 + 2 * 9000
        scene.time_to_end.set()
        events = running.read_body(head).events()
    assert '"cost":0.000007' in events[-2].data
    spent = 2 * (3 * 1000 + 2 * 2000) + 3 * 7000 + 2 * 9000
    assert gateway.wait_unheld(caller.tenant)["balance"] == 10 * 10**9 - spent
