"""The circuit breaker, counted at the upstream: five failures in a row, then nothing for its time,
then one trial; whatever the number of workers."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import crowd
from place import patience
from size import IS_QUICK, sized
from upstream import chat_answer, obliging, plain

FAULT = plain({"error": {"message": "oops"}}, "500 Internal Server Error")
OPEN_S = 3
SLACK_S = 1.0  # for a request that was begun in time and came late


class Patient:
    """An upstream whose health a test decides; a `gate` holds its answers back."""

    def __init__(self, answer=FAULT):
        self.answer = answer
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, call):
        self.gate.wait(patience(30))
        if callable(self.answer):
            self.answer(call)
        else:
            call.keep()
            call.send(self.answer)


def ill_gateway(workshop, patient, workers=1, open_s=OPEN_S, **channel):
    upstream = workshop.upstream(patient)
    gateway = workshop.gateway([upstream.channel(**channel)], start=False, workers=workers)
    if open_s != 30:
        gateway.edit("scripts/policies/chain.lua", "open_s = 30", f"open_s = {open_s}")
    return gateway.start(), upstream


def ask(gateway, key):
    """A streamed request: it is never tried twice on the same channel."""
    return gateway.chat(key, stream=True, seconds=60)


def ask_many(gateway, key, count):
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(gateway, key), range(count)))


def breaker(gateway):
    text = gateway.get("/metrics").body.decode()
    return int(text.partition('moongate_channel_breaker{channel="up"} ')[2].split("\n")[0])


def assert_five_then_none(gateway, upstream, key, tries=25):
    codes = [ask(gateway, key) for _ in range(tries)]
    assert len(upstream.requests) == 5
    assert [answer.status >= 500 for answer in codes] == [True] * tries
    assert {answer.code for answer in codes[5:]} == {"no_channel_available"}
    assert breaker(gateway) == 2


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_five_failures_then_silence_then_one_trial(workshop, workers):
    patient = Patient()
    gateway, upstream = ill_gateway(workshop, patient, workers)
    key = gateway.caller().key
    begun = time.monotonic()
    assert_five_then_none(gateway, upstream, key)
    opened = time.monotonic()
    while time.monotonic() < begun + OPEN_S - SLACK_S:
        assert ask(gateway, key).status == 503
    assert len(upstream.requests) == 5

    # Half-open: of many at once one is let through, and its failure opens the breaker anew.
    time.sleep(max(0.0, opened + OPEN_S + 0.1 - time.monotonic()))
    patient.gate.clear()
    trial = threading.Thread(target=ask_many, args=(gateway, key, sized(30, 15)))
    trial.start()
    deadline = time.monotonic() + patience(5)
    while len(upstream.requests) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(patience(0.3))
    assert len(upstream.requests) == 6
    again = time.monotonic()
    patient.gate.set()
    trial.join()
    failed = time.monotonic()
    while time.monotonic() < again + OPEN_S - SLACK_S:
        assert ask(gateway, key).status == 503
    assert len(upstream.requests) == 6

    # A good trial closes it.
    time.sleep(max(0.0, failed + OPEN_S + 0.1 - time.monotonic()))
    patient.answer = obliging
    assert ask(gateway, key).status == 200
    assert breaker(gateway) == 0
    assert {answer.status for answer in ask_many(gateway, key, 20)} == {200}
    assert len(upstream.requests) == 27


@pytest.mark.skipif(IS_QUICK, reason="takes half a minute, because it tries the shipped setting")
def test_as_shipped_it_stays_open_for_30_seconds(workshop):
    """With one worker and with several at the same time."""

    def run(made):
        patient, (gateway, upstream) = made
        key = gateway.caller().key
        begun = time.monotonic()
        assert_five_then_none(gateway, upstream, key)
        opened = time.monotonic()
        while time.monotonic() < begun + 30 - SLACK_S:
            assert ask(gateway, key).status == 503
            time.sleep(0.02)
        assert len(upstream.requests) == 5
        patient.answer = obliging
        time.sleep(max(0.0, opened + 30.1 - time.monotonic()))
        assert ask(gateway, key).status == 200
        assert len(upstream.requests) == 6
        return True

    patients = [(Patient(), workers) for workers in (1, 2)]
    made = [(one, ill_gateway(workshop, one, workers, open_s=30)) for one, workers in patients]
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(run, made))


def test_a_trial_that_its_client_leaves_decides_nothing(workshop):
    patient = Patient()
    gateway, upstream = ill_gateway(workshop, patient, open_s=1)
    key = gateway.caller().key
    assert_five_then_none(gateway, upstream, key)
    time.sleep(1.1)
    patient.gate.clear()
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions", crowd.chat(stream=True), key=key)
        deadline = time.monotonic() + patience(5)
        while len(upstream.requests) < 6:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    time.sleep(patience(0.2))
    assert breaker(gateway) == 1
    patient.answer = obliging
    patient.gate.set()
    assert ask(gateway, key).status == 200  # the next one is a trial as well
    assert breaker(gateway) == 0


FAILURES = {
    "reset": lambda call: call.reset(),
    "closed": lambda call: None,
    "garbage": lambda call: call.send(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "not a stream": lambda call: call.send(plain(b"<html>", content_type="text/html")),
    "502": plain(b"", "502 Bad Gateway"),
    "503": plain(b"", "503 Service Unavailable", {"Retry-After": "1"}),
    "timeout": lambda call: call.wait_peer_gone(10),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_counts_as_failure(workshop, failure):
    patient = Patient(FAILURES[failure])
    timeouts = {"connect_ms": 1000, "first_byte_ms": int(patience(1) * 100), "idle_ms": 5000,
                "total_ms": 60000}
    gateway, upstream = ill_gateway(workshop, patient, timeouts=timeouts)
    assert_five_then_none(gateway, upstream, gateway.caller().key, 10)


def test_a_connection_that_is_refused_counts(workshop):
    gateway, upstream = ill_gateway(workshop, Patient())
    key = gateway.caller().key
    upstream.close()
    answers = [ask(gateway, key) for _ in range(10)]
    assert [answer.status for answer in answers] == [502] * 5 + [503] * 5
    assert breaker(gateway) == 2


@pytest.mark.parametrize("status", ["400 Bad Request", "413 Too Large", "422 Unprocessable"])
def test_the_clients_own_faults_do_not_count(workshop, status):
    """They show that the upstream is well: four failures, one of these, four more are no five."""
    patient = Patient()
    gateway, upstream = ill_gateway(workshop, patient)
    key = gateway.caller().key
    fault = plain({"error": {"message": "no such thing"}}, status)
    for answer, count in [(fault, 12), (FAULT, 4), (fault, 1), (FAULT, 4)]:
        patient.answer = answer
        for _ in range(count):
            ask(gateway, key)
    assert len(upstream.requests) == 21 and breaker(gateway) == 0
    ask(gateway, key)
    assert breaker(gateway) == 2


def test_a_429_cools_down_and_does_not_count(workshop):
    patient = Patient(plain({"error": {"message": "slow down"}}, "429 Too Many Requests",
                            {"Retry-After": "3"}))
    gateway, upstream = ill_gateway(workshop, patient, workers=2)
    key = gateway.caller().key
    first = ask(gateway, key)
    cooling = time.monotonic()
    assert first.status == 429 and first.header("retry-after") == "3", first
    while time.monotonic() < cooling + 2.5:
        ask(gateway, key)
    assert len(upstream.requests) == 1
    assert breaker(gateway) == 0
    patient.answer = plain(b"{}", "429 Too Many Requests", {"Retry-After": "0"})
    time.sleep(0.7)
    for _ in range(8):
        ask(gateway, key)
    assert len(upstream.requests) > 6 and breaker(gateway) == 0
    patient.answer = plain(chat_answer())
    assert gateway.chat(key).status == 200
