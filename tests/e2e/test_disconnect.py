"""Clients that leave: at every point of a request and of its answer, by FIN, by RST and by closing
their sending side, and clients that take nothing. Whatever they do, nothing stays unsettled."""

import re
import threading
import time

import pytest

import crowd
from gateway import nanos
from place import patience
from pricing import Catalogue
from upstream import chat_answer, chat_events, chunk, plain, stream_head

CREDIT = 10 * 10**9
LEAVINGS = {"fin": lambda c: c.close(), "rst": lambda c: c.reset(),
            "half": lambda c: c.half_close()}
WORDS = ("Two", " things", " fill", " the", " mind", " with", " wonder")
EVENTS = chat_events(WORDS)  # a role, the words, the finish, the usage, [DONE]
FINISH = EVENTS[-3]
KEPT_BACK = 2  # usage and [DONE] go out once they are paid for


class Paced:
    """An upstream that goes one step further each time it is let: the head, then piece by piece.
    `left` is when it saw the gateway go."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.begin()

    def begin(self):
        self.asked, self.left = threading.Event(), threading.Event()
        self._steps = threading.Semaphore(0)

    def let(self, steps):
        for _ in range(steps):
            self._steps.release()

    def __call__(self, call):
        steps, left = self._steps, self.left
        self.asked.set()
        watcher = threading.Thread(target=self._watch, args=(call, steps, left), daemon=True)
        watcher.start()
        for piece in self.pieces:
            steps.acquire()
            if left.is_set() or not call.send(piece):
                break
        watcher.join(patience(20))

    @staticmethod
    def _watch(call, steps, left):
        call.wait_peer_gone(60)
        left.set()
        steps.release()


@pytest.fixture(scope="module")
def paced(module_workshop):
    return Paced([stream_head(), *[chunk(event) for event in EVENTS]])


@pytest.fixture(scope="module")
def gateway(module_workshop, paced):
    return module_workshop.gateway([module_workshop.upstream(paced).channel()], workers=2)


def figure(gateway, name):
    text = gateway.get("/metrics").body.decode()
    return int(re.search(rf"^{name} (\d+)$", text, re.MULTILINE).group(1))


def assert_all_quiet(gateway):
    """Nothing runs and nothing is held any more."""
    deadline = time.monotonic() + patience(5)
    while (figure(gateway, "moongate_requests_in_flight"),
           figure(gateway, "moongate_ledger_open_holds")) != (0, 0):
        assert time.monotonic() < deadline, gateway.get("/metrics").body.decode()
        time.sleep(0.01)


def resolutions(story):
    return [entry for entry in story["journal"] if entry["kind"] in ("post", "void")]


def receive_events(connection, count):
    stream = connection.stream()
    return [next(stream) for _ in range(count)]


# --- In the request ---


@pytest.mark.parametrize("leaving", LEAVINGS)
def test_leaving_within_the_request_leaves_no_trace(gateway, caller, leaving):
    """At every byte of the head and of the body nothing has been promised yet."""
    from raw import request
    whole = request("POST", "/v1/chat/completions", crowd.chat(stream=True), key=caller.key)
    head = whole.index(b"\r\n\r\n") + 4
    asked = len(gateway_requests(gateway))
    for at in [0, 1, 17, head // 2, head - 3, head, head + 1, len(whole) - 1]:
        connection = gateway.connect()
        connection.send(whole[:at])
        LEAVINGS[leaving](connection)
        if leaving == "half":
            connection.read_what_comes(0.3)
            connection.close()
    assert_all_quiet(gateway)
    assert gateway.wallet(caller.tenant) == {"balance": CREDIT, "held": 0, "available": CREDIT}
    assert len(gateway_requests(gateway)) == asked


def gateway_requests(gateway):
    """The settlements and releases so far, of everybody."""
    return [row for row in gateway.cli("usage", "--by", "tenant")["rows"]]


# --- In a stream ---


@pytest.mark.parametrize("leaving", LEAVINGS)
def test_leaving_after_each_event_is_settled_for_what_was_relayed(gateway, paced, caller, leaving):
    prices = Catalogue(gateway.folder / "data")
    balance, before = CREDIT, 0
    for sent in range(-1, len(EVENTS)):  # -1: not even a head came
        paced.begin()
        connection = gateway.connect()
        connection.ask("POST", "/v1/chat/completions", crowd.chat(stream=True, max_tokens=50),
                       key=caller.key)
        assert paced.asked.wait(patience(5))
        paced.let(sent + 1)
        shown = min(max(sent, 0), len(EVENTS) - KEPT_BACK)
        if shown:
            request_id = connection.read_head().request_id
            received = receive_events(connection, shown)
            assert b"".join(event.raw for event in received) == b"".join(EVENTS[:shown])
        else:
            time.sleep(patience(0.02))
        LEAVINGS[leaving](connection)
        assert paced.left.wait(patience(1)), "the upstream was not let go within a second"
        wallet = gateway.wait_unheld(caller.tenant)
        charge = balance - wallet["balance"]
        balance = wallet["balance"]
        connection.close()
        if sent < 1:  # nothing went out yet: the head waits for the first event
            assert charge == 0, sent
            continue
        assert charge > 0, sent
        story = gateway.explain(request_id)
        decision = story["decision"]
        assert [entry["kind"] for entry in resolutions(story)] == ["post"]
        assert nanos(resolutions(story)[0]["charge"]) == charge
        assert (decision["outcome"], decision["status"]) == ("client_left", 499)
        assert "client_left" in decision["tags"]
        counted = sent < len(EVENTS) - 1
        assert decision["usage_source"] == ("counted" if counted else "reported"), sent
        if counted:
            assert charge >= before, "more was relayed, and it cost less"
            assert decision["usage"].get("output", 0) <= sent
        else:
            assert charge == prices.cost("gpt-4o-mini", input=3, output=2)
        assert charge == prices.cost("gpt-4o-mini", **decision["usage"])
        before = charge
    assert_all_quiet(gateway)


@pytest.mark.parametrize("leaving", ["fin", "rst"])
def test_leaving_after_done_changes_nothing(gateway, paced, caller, leaving):
    paced.begin()
    connection = gateway.connect()
    connection.ask("POST", "/v1/chat/completions", crowd.chat(stream=True), key=caller.key)
    paced.let(len(EVENTS) + 1)
    request_id = connection.read_head().request_id
    receive_events(connection, len(EVENTS) - 1)  # all but the usage nobody asked to see
    LEAVINGS[leaving](connection)
    story = gateway.explain(request_id)
    assert (story["decision"]["outcome"], story["decision"]["status"]) == ("completed", 200)
    assert story["decision"]["usage_source"] == "reported"
    assert_all_quiet(gateway)
    assert gateway.balance(caller.tenant) == CREDIT - 1650


# --- In a plain answer ---


@pytest.mark.parametrize("leaving", LEAVINGS)
@pytest.mark.parametrize("part", ["before the head", "in the head", "in the body"])
def test_leaving_before_a_plain_answer_costs_nothing(workshop, leaving, part):
    """A plain answer is held whole: who leaves before it is through has seen nothing of it."""
    whole = plain(chat_answer("word " * 500))
    cut = {"before the head": 0, "in the head": 30, "in the body": 1500}[part]
    script = Paced([whole[:cut], whole[cut:]])
    gateway = workshop.gateway([workshop.upstream(script).channel()])
    caller = gateway.caller("10.00")
    connection = gateway.connect()
    connection.ask("POST", "/v1/chat/completions", crowd.chat(), key=caller.key)
    assert script.asked.wait(patience(5))
    script.let(1)
    time.sleep(patience(0.05))
    LEAVINGS[leaving](connection)
    assert script.left.wait(patience(1))
    assert_all_quiet(gateway)
    assert gateway.wallet(caller.tenant)["balance"] == CREDIT
    connection.close()


@pytest.mark.parametrize("leaving", ["fin", "rst"])
def test_leaving_within_a_long_plain_answer_is_charged_for_what_went_out(workshop, leaving):
    """Beyond plain_answer_bytes_max an answer goes out as it comes; that much is paid for."""
    whole = plain(chat_answer("all work and no play " * 80_000, completion=400_000))
    script = Paced([whole[:1_400_000], whole[1_400_000:]])
    gateway = workshop.gateway([workshop.upstream(script).channel()], start=False)
    gateway.set_models([{"id": "gpt-4o-mini", "max_output": 1_000_000,
                         "context_window": 2_000_000, "price": {"input": "0.15", "output": "0.6"}}])
    gateway.start()
    caller = gateway.caller("10.00")
    connection = gateway.connect()
    connection.ask("POST", "/v1/chat/completions", crowd.chat(max_tokens=500_000), key=caller.key)
    script.let(1)
    request_id = connection.read_head().request_id
    received = sum(len(connection.read_chunk()) for _ in range(3))
    assert received > 100_000
    LEAVINGS[leaving](connection)
    assert script.left.wait(patience(1))
    assert_all_quiet(gateway)
    decision = gateway.explain(request_id)["decision"]
    assert decision["usage_source"] == "counted"
    # About five tokens for each sentence of 21 bytes that may have gone out.
    assert 0.8 * 5 * received / 21 < decision["usage"]["output"] < 1.3 * 5 * 1_400_000 / 21
    assert gateway.balance(caller.tenant) == CREDIT - nanos(decision["cost"])


# --- Clients that do not read ---


class Flood:
    """An upstream that sends events as fast as it is allowed to, and counts what went."""

    def __init__(self):
        self.piece = chunk(chat_events(("never ending " * 300,))[1])
        self.sent, self.left = 0, threading.Event()

    def __call__(self, call):
        call.socket.settimeout(patience(60))
        call.send(stream_head() + chunk(EVENTS[0]))
        while call.send(self.piece):
            self.sent += len(self.piece)
        self.left.set()

    def wait_blocked(self):
        """Until nothing more goes: every buffer on the way is full."""
        deadline = time.monotonic() + patience(20)
        while True:
            before = self.sent
            time.sleep(patience(0.3))
            if before and self.sent == before:
                return
            assert time.monotonic() < deadline, f"still flowing after {self.sent} bytes"


@pytest.mark.parametrize("leaving", ["fin", "rst", "half", "stays"])
def test_a_full_send_buffer(workshop, leaving):
    """Whoever does not read holds back its own upstream, and is settled when it leaves; who stays
    and takes nothing is cut off after the write timeout."""
    flood = Flood()
    timeout_ms = int(1000 * patience(1)) if leaving == "stays" else 60_000
    gateway = workshop.gateway([workshop.upstream(flood).channel()],
                               limits={"write_timeout_ms": timeout_ms})
    caller = gateway.caller("10.00")
    connection = gateway.connect(receive_buffer=4096)
    connection.ask("POST", "/v1/chat/completions", crowd.chat(stream=True, max_tokens=2_000_000),
                   key=caller.key)
    request_id = connection.read_head().request_id
    if leaving == "stays":
        assert flood.left.wait(patience(30))
    else:
        flood.wait_blocked()
        assert flood.sent < 24 * 1024 * 1024  # most of it in the kernel, on its way to the gateway
        LEAVINGS[leaving](connection)
        assert flood.left.wait(patience(1))
    assert_all_quiet(gateway)
    decision = gateway.explain(request_id)["decision"]
    assert (decision["outcome"], decision["usage_source"]) == ("client_left", "counted")
    assert decision["usage"]["output"] > 1000
    assert gateway.balance(caller.tenant) == CREDIT - nanos(decision["cost"])
    connection.close()
