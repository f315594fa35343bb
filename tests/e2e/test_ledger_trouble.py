"""A ledger that cannot promise anything: a disk that is full, or one that fails in a commit. Nobody
is served on credit, nobody is told what did not happen, and what was told stays."""

import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import control
import raw
import sse
from crowd import chat
from fuse import FAILURES, Fuse
from gateway import Failed, nanos
from place import patience
from tap import WAIT, Tap
from test_kill import told_cost

MIB = 1 << 20
LOW, BALLAST = 64 * MIB, 32 * MIB
PLENTY = 1 << 40
CHAT = ("POST", "/v1/chat/completions")
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
CONNECTIONS = 16  # enough that each of the workers has some


class Place:
    """A gateway whose ledger can be troubled, with an upstream that can be made to wait."""

    def __init__(self, workshop, **settings):
        self.tap = Tap()
        self.upstream = workshop.upstream(self.tap)
        self.fuse = Fuse(workshop.folder)
        self.gateway = workshop.gateway([self.upstream.channel()], start=False, workers=2,
                                        **settings)
        self.gateway.environment = {
            **self.fuse.environment,
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=99"}
        self.gateway.start()
        self.caller = self.gateway.caller("100.00")
        self.credited = nanos("100")

    def ready(self):
        """Status and store of /health/ready."""
        answer = self.gateway.get("/health/ready")
        said = answer.json()
        assert said["status"] == ("ready" if answer.status == 200 else "unavailable")
        return answer.status, said["store"]

    def credit(self):
        """A commit of the ledger's that has to do with no request."""
        self.gateway.credit(self.caller.tenant, "1.00")
        self.credited += 10**9

    def begin_stream(self):
        """A stream in its middle."""
        connection = self.gateway.connect()
        connection.ask(*CHAT, chat(WAIT, **STREAMED), None, self.caller.key)
        connection.head = connection.read_head()
        assert connection.head.status == 200
        connection.events = connection.stream()
        assert next(connection.events).json()["choices"]
        return connection

    def assert_all_are_refused(self):
        """New requests of all kinds, on all workers."""
        bodies = [(CHAT, chat()), (CHAT, chat(stream=True)),
                  (("POST", "/v1/embeddings"), {"model": "text-embedding-3-small", "input": "a"})]
        before = len(self.upstream.requests)
        for number in range(CONNECTIONS):
            target, body = bodies[number % len(bodies)]
            answer = self.gateway.ask(*target, body, self.caller.key)
            assert is_refused(answer), answer
        assert len(self.upstream.requests) == before


def is_refused(answer):
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.header("content-type") == "application/json" and answer.is_complete
    assert answer.header("x-should-retry") is None  # it may pass
    return (answer.status, answer.code, answer.json()["error"]["type"]) == (
        503, "ledger_unavailable", "api_error")


@pytest.fixture
def place(workshop):
    place = Place(workshop)
    yield place
    place.tap.opened.set()
    place.fuse.close()


def wait_for_dropped(gateway, least, seconds=5):
    """Until that many records were dropped; the metrics then."""
    deadline = time.monotonic() + patience(seconds)
    while True:
        page = gateway.get("/metrics").body.decode()
        dropped = int(re.search(r"^moongate_records_dropped_total (\d+)$", page, re.M)[1])
        if dropped >= least:
            return page
        assert time.monotonic() < deadline, dropped
        time.sleep(0.05)


# --- A full disk ---


def test_with_too_little_disk_no_request_is_taken(workshop):
    place = Place(workshop, limits={"disk_low_bytes": 1 << 50})
    gateway = place.gateway
    place.assert_all_are_refused()
    assert place.ready() == (503, "disk_low")
    assert gateway.get("/health/live").status == 200
    assert gateway.get("/v1/models", place.caller.key).status == 200
    assert "\nmoongate_ledger_takes_holds 0\n" in gateway.get("/metrics").body.decode()
    gateway.write_config(limits={})
    gateway.restart()
    assert place.ready() == (200, "ok")
    assert gateway.chat(place.caller.key).status == 200
    place.fuse.close()


def test_below_the_mark_new_requests_are_refused_and_open_ones_settled(place):
    gateway, fuse = place.gateway, place.fuse
    fuse.set_space(LOW)
    place.credit()
    assert gateway.chat(place.caller.key).status == 200
    assert place.ready() == (200, "ok")
    streams = [place.begin_stream() for _ in range(4)]

    fuse.set_space(LOW - 1)
    place.credit()  # money may still come in
    assert place.ready() == (503, "disk_low")
    records = sum(path.stat().st_size for path in (gateway.state / "records").iterdir())
    place.assert_all_are_refused()
    place.tap.opened.set()
    for stream in streams:
        events = list(stream.events)
        assert sse.text(events) == "Hello" and events[-1].is_done
    wallet = gateway.wait_unheld(place.caller.tenant)
    assert wallet["balance"] == place.credited - 5 * 1650
    place.assert_all_are_refused()
    # Refusals take no room either.
    page = wait_for_dropped(gateway, 2 * CONNECTIONS)
    assert "\nmoongate_ledger_takes_holds 0\n" in page
    assert records == sum(path.stat().st_size for path in (gateway.state / "records").iterdir())

    fuse.set_space(LOW)
    answer = gateway.chat(place.caller.key)
    assert answer.status == 200  # the very next request
    assert place.ready() == (200, "ok")
    fuse.set_space(PLENTY)
    assert gateway.explain(gateway.chat(place.caller.key).request_id)["decision"]["status"] == 200


def test_far_below_the_mark_the_ballast_is_given_up_and_taken_back(place):
    gateway, fuse = place.gateway, place.fuse
    ballast = gateway.state / "store" / "ballast"
    assert ballast.stat().st_blocks * 512 >= BALLAST
    fuse.set_space(LOW // 2)
    place.credit()
    assert place.ready() == (503, "disk_low") and ballast.exists()
    fuse.set_space(LOW // 2 - 1)
    place.credit()
    assert place.ready() == (503, "disk_low") and not ballast.exists()

    # Room for the mark alone is not enough now.
    for space in (LOW, LOW + BALLAST - 1):
        fuse.set_space(space)
        place.assert_all_are_refused()
    fuse.set_space(LOW + BALLAST)
    assert gateway.chat(place.caller.key).status == 200
    assert place.ready() == (200, "ok")
    place.credit()
    assert ballast.stat().st_blocks * 512 >= BALLAST


def test_with_space_back_it_says_by_itself_that_it_is_ready(place):
    """Whoever sends it requests may go by that, and so would never send one again."""
    place.fuse.set_space(LOW - 1)
    place.credit()
    assert place.ready() == (503, "disk_low")
    place.fuse.set_space(PLENTY)
    deadline = time.monotonic() + patience(15)
    while place.ready() != (200, "ok"):
        assert time.monotonic() < deadline, place.ready()
        time.sleep(0.1)


# --- A commit that fails ---


def acknowledged(place, count=6):
    """Requests that were answered whole: costs by request id."""
    told = {}
    for number in range(count):
        answer = place.gateway.chat(place.caller.key, **(STREAMED if number % 2 else {}))
        assert answer.status == 200 and answer.is_complete
        told[answer.request_id] = told_cost(answer)
    assert None not in told.values()
    return told


def assert_ends_in_an_error(stream):
    """What had gone out stays; then an error event, and an end that is not taken for one."""
    events = []
    with pytest.raises(raw.Ended):
        for event in stream.events:
            events.append(event)
    assert not any(event.is_done for event in events)
    assert not any("usage" in event.data for event in events)
    assert events[-1].json()["error"]["code"] == "ledger_unavailable"
    assert not any("error" in event.json() for event in events[:-1])
    assert stream.has_ended and stream.buffer == b""


def journal(gateway, request):
    try:
        return control.ask(gateway, "explain", id=request)["journal"]
    except Failed as nothing:
        assert "no" in str(nothing), nothing
        return []


def charges(gateway, request):
    return [nanos(entry["charge"]) for entry in journal(gateway, request)
            if entry["kind"] == "post"]


def assert_books_are_as_told(place, told, failed, streams):
    """After a start: what was told stands, once; what failed is not there; what was open then is
    resolved, once."""
    gateway = place.gateway
    spent = 0
    for request, cost in told.items():
        assert charges(gateway, request) == [cost], request
        spent += cost
    for request in failed:
        assert journal(gateway, request) == [], request
    for stream in streams:
        ends = [e for e in journal(gateway, stream.head.request_id)
                if e["kind"] in ("post", "void")]
        assert len(ends) == 1, ends
        spent += sum(charges(gateway, stream.head.request_id))
    left = place.credited - spent
    assert gateway.wallet(place.caller.tenant) == {"balance": left, "held": 0, "available": left}


@pytest.mark.parametrize("manner", FAILURES)
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_commit_that_fails_stops_the_taking_of_money(place, call, manner):
    """The first three calls of a commit are a write, a sync or another write, and so on: whichever
    of them fails, and in whatever manner, the rest is the same."""
    gateway, fuse = place.gateway, place.fuse
    told = acknowledged(place)
    streams = [place.begin_stream() for _ in range(3)]
    once = {"idempotency-key": "once"}

    fuse.light(call, manner)
    answer = gateway.chat(place.caller.key, headers=once, stream=call == 2)
    assert is_refused(answer) and fuse.burnt, answer
    assert place.ready() == (503, "poisoned")
    assert gateway.get("/health/live").status == 200
    assert "\nmoongate_ledger_takes_holds 0\n" in gateway.get("/metrics").body.decode()
    gateway.program.wait_logged("ledger_poisoned")
    place.assert_all_are_refused()
    place.tap.opened.set()
    for stream in streams:
        assert_ends_in_an_error(stream)
    place.assert_all_are_refused()

    gateway.kill()
    gateway.verify()
    gateway.environment = {}
    gateway.start()
    assert gateway.verify()["open_holds"] == 0
    assert place.ready() == (200, "ok")
    assert_books_are_as_told(place, told, [answer.request_id], streams)
    again = gateway.chat(place.caller.key, headers=once)
    assert again.status == 200 and again.request_id != answer.request_id


@pytest.mark.parametrize("manner", FAILURES)
def test_many_at_once_are_told_of_a_failing_commit_or_charged(place, manner):
    """Some are in the commit that fails, some before and some behind it. Whoever got a whole answer
    was charged for it, and nobody was who got nothing."""
    gateway, count = place.gateway, 60
    told = acknowledged(place)
    place.fuse.light(12, manner)
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda number: gateway.chat(
            place.caller.key, **(STREAMED if number % 2 else {})), range(count)))
    assert place.fuse.burnt and place.ready() == (503, "poisoned")
    failed, broken = [], []
    for answer in answers:
        if answer.status != 200:
            assert is_refused(answer)
            failed.append(answer.request_id)
        elif answer.is_complete:
            told[answer.request_id] = told_cost(answer)
        else:
            assert answer.events()[-1].json()["error"]["code"] == "ledger_unavailable"
            broken.append(answer.request_id)
    assert failed and None not in told.values()

    gateway.kill()
    gateway.environment = {}
    gateway.verify()
    gateway.start()
    assert gateway.verify()["open_holds"] == 0
    spent = sum(told.values())
    for request, cost in told.items():
        assert charges(gateway, request) == [cost], request
    for request in failed:
        assert charges(gateway, request) == [], request
    for request in broken:
        assert len(charges(gateway, request)) <= 1, request
        spent += sum(charges(gateway, request))
    assert gateway.balance(place.caller.tenant) == place.credited - spent


def test_the_command_line_says_why_nothing_can_be_booked(place):
    place.fuse.light(1, "fails")
    assert is_refused(place.gateway.chat(place.caller.key))
    for command in (("wallet", "credit", "--tenant", place.caller.tenant, "--amount", "5.00"),
                    ("tenant", "create", "--name", "late"),
                    ("tenant", "suspend", place.caller.tenant)):
        assert "the ledger has stopped" in place.gateway.refused(*command)


@pytest.mark.parametrize("manner", ["before", "after"])
@pytest.mark.parametrize("call", [2, 4])
def test_a_credit_during_which_the_server_dies_is_made_once_at_the_most(place, call, manner):
    """A server that is gone may have booked what it was asked: nobody may book it again."""
    gateway, credit = place.gateway, nanos("5.00")
    place.fuse.light(call, manner)
    done = gateway.run("wallet", "credit", "--tenant", place.caller.tenant, "--amount", "5.00")
    assert place.fuse.burnt
    gateway.kill()  # only to take note of it
    gateway.environment = {}
    gateway.start()
    booked = gateway.balance(place.caller.tenant) - place.credited
    assert booked == credit if done.returncode == 0 else booked in (0, credit), done


class Middleman(threading.Thread):
    """Takes one command for the control socket, has the server carry it out, and lets the server
    end before the answer comes through."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.path = gateway, gateway.state / "control.sock"
        self.behind = self.path.with_name("behind.sock")
        self.path.rename(self.behind)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.settimeout(patience(20))
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.answer = b""
        self.start()

    def run(self):
        asked, _ = self.listener.accept()
        with asked, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.connect(str(self.behind))
            server.sendall(asked.makefile("rb").readline())
            self.answer = server.makefile("rb").readline()
            self.gateway.stop()
        self.listener.close()


def test_a_credit_whose_server_ends_before_it_answers_is_made_once(place):
    """The command line may book by itself where no server runs, and only there."""
    gateway, credit = place.gateway, nanos("5.00")
    middleman = Middleman(gateway)
    done = gateway.run("wallet", "credit", "--tenant", place.caller.tenant, "--amount", "5.00")
    middleman.join(patience(20))
    assert b"credited" in middleman.answer
    gateway.environment = {}
    gateway.start()
    assert gateway.balance(place.caller.tenant) - place.credited == credit, done


def test_a_stopped_ledger_lets_the_process_end_in_good_order(place):
    streams = [place.begin_stream() for _ in range(3)]
    place.fuse.light(2, "fails on")
    assert is_refused(place.gateway.chat(place.caller.key))
    place.tap.opened.set()
    for stream in streams:
        assert_ends_in_an_error(stream)
    begun = time.monotonic()
    place.gateway.stop()
    assert time.monotonic() - begun < patience(4)
    place.gateway.environment = {}
    place.gateway.start()
    assert place.gateway.verify()["open_holds"] == 0


def test_a_start_on_a_failing_disk_says_so_and_ends(place):
    gateway = place.gateway
    told = acknowledged(place, 3)
    gateway.kill()
    for manner in FAILURES:
        place.fuse.light(1, manner)
        with pytest.raises(Failed, match="ended with [1-9]"):
            gateway.start()
        assert place.fuse.burnt
        assert "the store" in gateway.program.stderr(), gateway.program.stderr()
        gateway.program = None
    place.fuse.put_out()
    gateway.start()
    assert_books_are_as_told(place, told, [], [])
    assert gateway.chat(place.caller.key).status == 200
