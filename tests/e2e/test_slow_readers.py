"""500 clients that each read a few bytes now and then from an answer that never ends: they cost
themselves time, and nobody else anything."""

import asyncio
import socket
import threading
import time

import crowd
import tally
from gateway import nanos
from place import SLOWNESS, patience
from size import sized
from upstream import chat_events, chunk, obliging, stream_head
from wire import memory_bytes

RECEIVE_BUFFER = 4096
MEMORY_PER_STREAM = 720 * 1024  # 256 KiB may wait, one reading more, and the allocator needs room


class Flood:
    """An upstream that sends events as fast as it is let, in pieces, and counts its streams. Its
    own kernel keeps little of them back."""

    def __init__(self):
        self.streams = self.sent = 0
        self._lock = threading.Lock()
        words = "It never ends, and nobody has the time to read it. " * 80
        self.piece = chunk(chat_events((words,))[1])

    def __call__(self, call):
        if not call.request.json().get("stream"):
            return obliging(call)
        call.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
        self._count(1, 0)
        call.send(stream_head() + chunk(chat_events()[0]))
        while call.send(self.piece):
            self._count(0, len(self.piece))
        return self._count(-1, 0)

    def _count(self, streams, sent):
        with self._lock:
            self.streams += streams
            self.sent += sent


class SlowReader:
    """Reads 16 bytes at a time until it is told to stop."""

    def __init__(self, gateway, key):
        self.visitor = crowd.Visitor(gateway.address, 60, RECEIVE_BUFFER)
        self.key = key

    async def begin(self):
        await self.visitor.connect()
        body = crowd.chat(stream=True, max_tokens=10_000)
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
    flood = Flood()
    gateway = workshop.gateway([workshop.upstream(flood).channel()], workers=2)
    slow, quick = gateway.caller("900000.00", name="slow"), gateway.caller("10.00", name="quick")
    readers = [SlowReader(gateway, slow.key) for _ in range(sized(500, 100))]
    requests = sized(200, 50)

    async def until_held_back():
        deadline = time.monotonic() + patience(60)
        while True:
            before = flood.sent
            await asyncio.sleep(0.5)
            if flood.sent - before < 64 * 1024 * len(readers) // 100:
                return
            assert time.monotonic() < deadline, "the upstream is not held back"

    async def run():
        alone = await asyncio.to_thread(fast_requests, gateway, quick.key, requests)
        empty = memory_bytes(gateway.pid)
        await asyncio.gather(*(reader.begin() for reader in readers))
        done = asyncio.Event()
        sips = [asyncio.create_task(reader.sip(done)) for reader in readers]
        await until_held_back()
        first, sent = memory_bytes(gateway.pid), flood.sent
        among = await asyncio.to_thread(fast_requests, gateway, quick.key, requests)
        await asyncio.sleep(1.0)
        second = memory_bytes(gateway.pid)
        assert flood.streams == len(readers), "a stream was lost"
        done.set()
        await asyncio.gather(*sips)
        assert all(reader.visitor.received > 100 for reader in readers)
        for number, reader in enumerate(readers):
            reader.visitor.reset() if number % 2 else reader.visitor.close()
        return alone, among, empty, first, second, sent

    alone, among, empty, first, second, sent = asyncio.run(run())
    per_stream = (second - empty) // len(readers)
    middle = len(alone) // 2
    tally.count_many("slow readers: bytes each", "in the gateway's memory", per_stream)
    tally.count_many("slow readers: bytes each", "taken from the upstream", sent // len(readers))
    tally.count_many("a request's p50 in us", "alone", int(1e6 * alone[middle]))
    tally.count_many("a request's p50 in us", "among slow readers", int(1e6 * among[middle]))
    assert sent < len(readers) * 4 * 1024 * 1024
    if SLOWNESS < 2:  # sanitizers keep freed memory
        assert per_stream < MEMORY_PER_STREAM
        assert second < 1.1 * first + 8 * 1024 * 1024, "they pile something up"
    assert among[middle] < patience(0.05)
    assert among[int(0.95 * len(among))] < patience(0.25)

    spent = gateway.wait_unheld(slow.tenant, 20)
    deadline = time.monotonic() + patience(10)
    while flood.streams > 0:
        assert time.monotonic() < deadline, "an upstream was not let go"
        time.sleep(0.02)
    for reader in readers[:: max(1, len(readers) // 50)]:
        decision = gateway.explain(reader.request_id)["decision"]
        assert (decision["outcome"], decision["usage_source"]) == ("client_left", "counted")
        assert nanos(decision["cost"]) > 0
    charged = nanos(gateway.cli("usage", "--by", "tenant")["total"]["charge"])
    assert spent["balance"] == 900_000 * 10**9 - charged + requests * 2 * 1650
    assert gateway.verify()["open_holds"] == 0
