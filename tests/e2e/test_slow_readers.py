"""500 clients that each read a few bytes now and then from an answer that never ends: they cost
themselves time, and nobody else anything."""

import asyncio
import re
import time

import crowd
import tally
from gateway import nanos
from place import SLOWNESS, patience
from size import sized

RECEIVE_BUFFER = 4096
MEMORY_PER_STREAM = 512 * 1024  # 256 KiB queued, a read buffer's worth on top, and room


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024


class SlowReader:
    """Reads 16 bytes at a time until it is told to stop."""

    def __init__(self, gateway, key):
        self.visitor = crowd.Visitor(gateway.address, 60, RECEIVE_BUFFER)
        self.key = key

    async def begin(self):
        await self.visitor.connect()
        body = crowd.chat(stream=True, max_tokens=10_000_000)
        await self.visitor.ask("POST", "/v1/chat/completions", body, None, self.key)
        head = await self.visitor.read_head()
        assert head.status == 200
        self.request_id = head.request_id

    async def sip(self, done):
        while not done.is_set():
            await self.visitor.fill(16)
            await asyncio.sleep(0.25)


def fast_requests(gateway, key, count):
    """How long one request after the other takes, in seconds, sorted."""
    took = []
    with gateway.connect() as connection:
        for _ in range(count):
            begun = time.monotonic()
            connection.ask("POST", "/v1/chat/completions", crowd.chat(max_tokens=5), key=key)
            assert connection.read_answer().status == 200
            took.append(time.monotonic() - begun)
    return sorted(took)


def test_500_slow_readers_hold_up_only_themselves(workshop):
    lab = workshop.lab()
    gateway = workshop.gateway([lab.channel()], workers=2)
    slow, quick = gateway.caller("900000.00", name="slow"), gateway.caller("10.00", name="quick")
    readers = [SlowReader(gateway, slow.key) for _ in range(sized(500, 100))]
    requests = sized(200, 50)

    async def run():
        alone = await asyncio.to_thread(fast_requests, gateway, quick.key, requests)
        empty = resident_bytes(gateway.pid)
        await asyncio.gather(*(reader.begin() for reader in readers))
        done = asyncio.Event()
        sips = [asyncio.create_task(reader.sip(done)) for reader in readers]
        await asyncio.sleep(patience(1.0))
        first = resident_bytes(gateway.pid), resident_bytes(lab.program.process.pid)
        among = await asyncio.to_thread(fast_requests, gateway, quick.key, requests)
        await asyncio.sleep(patience(1.0))
        second = resident_bytes(gateway.pid), resident_bytes(lab.program.process.pid)
        held_back = lab.counts()
        done.set()
        await asyncio.gather(*sips)
        for number, reader in enumerate(readers):
            reader.visitor.reset() if number % 2 else reader.visitor.close()
        return alone, among, empty, first, second, held_back

    alone, among, empty, first, second, held_back = asyncio.run(run())
    per_stream = (second[0] - empty) / len(readers)
    middle = len(alone) // 2
    tally.count_many("slow readers: bytes of memory each", "gateway", int(per_stream))
    tally.count_many("a request's p50 in us", "alone", int(1e6 * alone[middle]))
    tally.count_many("a request's p50 in us", "among them", int(1e6 * among[middle]))
    assert held_back["streams_open"] == len(readers)
    if SLOWNESS < 2:  # sanitizers keep freed memory
        assert per_stream < MEMORY_PER_STREAM
        for before, after in zip(first, second):  # both are held back: neither piles anything up
            assert after < 1.1 * before + 16 * 1024 * 1024, (first, second)
    assert among[middle] < patience(0.05)
    assert among[int(0.95 * len(among))] < patience(0.25)

    spent = gateway.wait_unheld(slow.tenant, 20)
    deadline = time.monotonic() + patience(10)
    while lab.counts()["streams_open"] > 0:
        assert time.monotonic() < deadline, "an upstream was not let go"
        time.sleep(0.02)
    charged = 0
    for reader in readers[:: max(1, len(readers) // 50)]:
        decision = gateway.explain(reader.request_id)["decision"]
        assert (decision["outcome"], decision["usage_source"]) == ("client_left", "counted")
        charged += nanos(decision["cost"])
    assert charged > 0 and spent["balance"] < 900_000 * 10**9
    assert gateway.verify()["open_holds"] == 0
