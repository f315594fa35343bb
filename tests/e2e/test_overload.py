"""More and more connections: first they are not kept, then new requests are refused, then idle ones
are closed, then nobody is let in. What is under way goes on, and all of it passes."""

import os
import resource
import socket
import time

import pytest

import raw
import sse
from crowd import chat
from place import SLOWNESS, patience
from tap import WAIT, Tap

MOST = 20
NOT_KEPT, REFUSED, SHED = 16, 18, 19  # 80, 90 and 95 % of it

CHAT = ("POST", "/v1/chat/completions")
LISTENS = "0A"


class House:
    """The guests of a gateway of one worker, and how many it counts itself."""

    def __init__(self, gateway, tap):
        self.gateway, self.tap, self.guests = gateway, tap, []
        self.key = gateway.caller("100.00").key

    def sockets(self):
        """Those that the server holds: what it has not accepted, or has closed, has no inode."""
        port = f":{self.gateway.address[1]:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table if port in line]
        return [row for row in rows
                if row[1].endswith(port) and row[3] != LISTENS and row[9] != "0"]

    @property
    def count(self):
        return len(self.sockets())

    def has_unread(self):
        return any(row[4].partition(":")[2] != "00000000" for row in self.sockets())

    def wait(self, count, seconds=10):
        deadline = time.monotonic() + patience(seconds)
        while self.count != count:
            assert time.monotonic() < deadline, f"{self.count} connections instead of {count}"
            time.sleep(0.005)

    def enter(self):
        guest = self.gateway.connect()
        self.guests.append(guest)
        self.wait(len(self.guests))
        return guest

    def leave(self, *guests):
        for guest in guests:
            self.guests.remove(guest)
            guest.close()
        self.wait(len(self.guests))

    def enter_busy(self, count):
        """Guests in the middle of the head of a request."""
        entered = []
        for _ in range(count):
            guest = self.enter()
            entered.append(guest)
            guest.send(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n")
            while self.has_unread():
                time.sleep(0.005)
        return entered

    def enter_streaming(self):
        """A guest in the middle of a stream."""
        guest = self.enter()
        guest.ask(*CHAT, chat(WAIT, stream=True), None, self.key)
        guest.head = guest.read_head()
        assert guest.head.status == 200
        guest.events = guest.stream()
        assert next(guest.events).json()["choices"]
        return guest

    def ask(self, guest, method="GET", target="/v1/models", body=None):
        guest.ask(method, target, body, None, self.key)
        return guest.read_answer(method)

    def ask_in(self, method="GET", target="/v1/models", body=None):
        """What one more guest is told, who then leaves."""
        guest = self.enter()
        answer = self.ask(guest, method, target, body)
        assert has_ended(guest) if answer.header("connection") == "close" else stays(guest)
        self.leave(guest)
        return answer


def has_ended(guest):
    """The gateway closes it, with nothing more to say."""
    return guest.read_to_end() == b"" and guest.has_ended


def stays(guest):
    return guest.read_what_comes(0.2) == b"" and not guest.has_ended


def refuses(answer):
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.header("content-type") == "application/json"
    assert answer.request_id.startswith("req_")
    return (answer.status, answer.code, answer.json()["error"]["type"]) == (
        503, "overloaded", "api_error")


def assert_streams_end_well(house, streams):
    house.tap.opened.set()
    for stream in streams:
        events = list(stream.events)
        assert sse.text(events) == "Hello" and events[-1].is_done


@pytest.fixture
def house(workshop):
    tap = Tap()
    upstream = workshop.upstream(tap)
    gateway = workshop.gateway([upstream.channel()], limits={
        "connections_max": MOST, "head_timeout_ms": 120_000, "idle_timeout_ms": 120_000})
    house = House(gateway, tap)
    house.upstream = upstream
    yield house
    tap.opened.set()
    house.leave(*list(house.guests))


KINDS = [("POST", "/v1/chat/completions", chat(), 200),
         ("POST", "/v1/chat/completions", chat(stream=True), 200),
         ("POST", "/v1/chat/completions", chat(model="no-such-model"), 404),
         ("POST", "/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}, 200),
         ("GET", "/v1/models", None, 200),
         ("GET", "/nowhere", None, 404),
         ("GET", "/health/live", None, 200),
         ("GET", "/metrics", None, 200)]


def test_from_80_percent_on_an_answer_ends_its_connection(house):
    house.enter_busy(NOT_KEPT - 2)
    for *request, status in KINDS:
        guest = house.enter()
        for _ in range(2):
            answer = house.ask(guest, *request)
            assert (answer.status, answer.header("connection")) == (status, None), request
        one_more, = house.enter_busy(1)
        assert house.count == NOT_KEPT
        answer = house.ask(guest, *request)
        assert (answer.status, answer.header("connection")) == (status, "close"), request
        assert answer.is_complete and has_ended(guest)
        house.leave(guest, one_more)


def test_an_answer_that_was_waited_for_while_it_filled_up_ends_its_connection(house):
    house.enter_busy(NOT_KEPT - 2)
    guest = house.enter()
    guest.ask(*CHAT, chat(WAIT), None, house.key)
    house.enter_busy(1)
    house.tap.opened.set()
    answer = guest.read_answer()
    assert (answer.status, answer.header("connection")) == (200, "close")
    assert has_ended(guest)


def test_from_90_percent_on_requests_are_refused_and_streams_go_on(house):
    kept = house.enter()
    assert house.ask(kept, *CHAT, chat()).status == 200
    house.enter_busy(9)
    streams = [house.enter_streaming() for _ in range(6)]
    assert [s.head.header("connection") for s in streams] == [None] * 5 + ["close"]
    assert house.count == REFUSED - 2

    answer = house.ask_in(*CHAT, chat())
    assert (answer.status, answer.header("connection")) == (200, "close")
    house.enter_busy(1)
    asked = len(house.upstream.requests)
    for *request, _ in KINDS[:6]:
        answer = house.ask_in(*request)
        assert refuses(answer) and answer.header("connection") == "close", request
    assert len(house.upstream.requests) == asked
    for *request, status in KINDS[6:]:  # who watches over it is still answered
        assert house.ask_in(*request).status == status, request

    house.enter_busy(1)
    assert house.count == REFUSED
    answer = house.ask(kept, *CHAT, chat())
    assert refuses(answer) and answer.header("connection") == "close"
    assert has_ended(kept) and len(house.upstream.requests) == asked
    assert_streams_end_well(house, streams)
    assert all(has_ended(stream) for stream in streams)


def test_from_95_percent_on_idle_connections_are_closed_and_no_others(house):
    used = [house.enter() for _ in range(3)]
    for guest in used:
        assert house.ask(guest).header("connection") is None
    busy = house.enter_busy(7)
    streams = [house.enter_streaming() for _ in range(6)]
    silent = [house.enter() for _ in range(2)]
    assert house.count == SHED - 1
    assert all(stays(guest) for guest in used + silent)

    last = house.enter()
    assert all(has_ended(guest) for guest in used + silent)
    assert all(stays(guest) for guest in busy)
    house.gateway.program.wait_logged("overloaded")
    house.leave(*used, *silent)
    assert house.count == 14
    answer = house.ask(last)
    assert (answer.status, answer.header("connection")) == (200, None)

    second = [house.enter() for _ in range(SHED - 1 - house.count)]
    assert all(stays(guest) for guest in second)
    house.enter()
    assert all(has_ended(guest) for guest in second + [last])
    house.leave(*second, last)
    for guest in busy:
        guest.send(b"\r\n")
        assert guest.read_answer("GET").code == "invalid_api_key"
    assert_streams_end_well(house, streams)


def test_one_past_the_last_is_turned_away_without_a_word(house):
    house.enter_busy(MOST - 1)
    assert refuses(house.ask_in())  # there is room for this one
    last, = house.enter_busy(1)
    assert house.count == MOST
    for _ in range(3):
        with house.gateway.connect() as turned_away:
            turned_away.ask("GET", "/v1/models", key=house.key)
            assert turned_away.read_to_end() == b""
    assert house.count == MOST
    house.leave(last)
    assert refuses(house.ask_in())


def test_all_of_it_passes(house):
    streams = [house.enter_streaming() for _ in range(5)]
    busy = house.enter_busy(MOST - 5)
    with house.gateway.connect() as turned_away:
        assert turned_away.read_to_end() == b""
    for count, connection in [(SHED, None), (REFUSED, None), (REFUSED - 1, "close"),
                              (NOT_KEPT, "close"), (NOT_KEPT - 1, "kept"), (6, "kept")]:
        house.leave(*[busy.pop() for _ in range(house.count - count + 1)])
        answer = house.ask_in(*CHAT, chat())
        if connection is None:
            assert refuses(answer)
            continue
        assert answer.status == 200
        assert answer.header("connection") == ("close" if connection == "close" else None), count
    assert_streams_end_well(house, streams)
    for stream in streams:
        answer = house.ask(stream, *CHAT, chat())  # its connection is kept, as ever
        assert (answer.status, answer.header("connection")) == (200, None)
    ready = house.gateway.get("/health/ready")
    assert ready.status == 200 and ready.json()["status"] == "ready"


@pytest.mark.skipif(SLOWNESS >= 2, reason="the sanitizers need descriptors to look at an address")
def test_without_descriptors_nobody_is_let_in_and_all_goes_on(workshop):
    """Several workers run out together: who is here is served, who comes waits, and when others
    have left it is their turn."""
    gateway = workshop.gateway([workshop.lab().channel()], workers=4)
    key = gateway.caller().key
    pid = gateway.program.process.pid
    with raw.Connection(gateway.address) as inside:
        inside.ask("GET", "/health/live")
        assert inside.read_answer().status == 200
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 40, limits[1]))
        crowd_outside = [socket.create_connection(gateway.address) for _ in range(300)]
        gateway.program.wait_logged("accept_failed")
        time.sleep(patience(0.5))  # long enough for every worker to run out
        assert len(os.listdir(f"/proc/{pid}/fd")) <= open_now + 40
        inside.ask("GET", "/health/live")
        assert inside.read_answer().status == 200
        waiting = raw.Connection(gateway.address)
        waiting.ask("GET", "/health/live")
        for one in crowd_outside:
            one.close()
        with waiting:
            assert waiting.read_answer().status == 200
    assert gateway.chat(key).status == 200
    gateway.stop()
