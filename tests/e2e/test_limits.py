"""What one client may ask of a connection, at the edge of each bound and one past it; and how long
a slow one is waited for."""

import time

import pytest

import raw
from gateway import nanos
from place import patience

BODY_MAX = 4096
# Long enough for a busy machine to keep them, when it should.
HEAD_MS, BODY_MS, IDLE_MS, WRITE_MS = (int(patience(ms)) for ms in (1000, 1000, 1500, 1000))


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    return module_workshop.gateway([upstream.channel()], limits={
        "body_bytes_max": BODY_MAX, "head_timeout_ms": HEAD_MS, "body_timeout_ms": BODY_MS,
        "idle_timeout_ms": IDLE_MS, "write_timeout_ms": WRITE_MS})


@pytest.fixture(scope="module")
def key(gateway):
    return gateway.caller("100.00").key


def get(gateway, fields="", target="/health/live"):
    """The status of a GET with more header fields; the connection must end with a refusal."""
    with gateway.connect() as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
        answer = connection.read_answer("GET")
        if answer.status >= 400 and answer.status != 404:
            connection.read_to_end()
        return answer.status


def test_header_fields(gateway):
    assert get(gateway, "".join(f"x-{i}: 1\r\n" for i in range(99))) == 200  # Host is the 100th
    assert get(gateway, "".join(f"x-{i}: 1\r\n" for i in range(100))) == 431
    assert get(gateway, "x" * 256 + ": 1\r\n") == 200
    assert get(gateway, "x" * 257 + ": 1\r\n") == 431


def test_the_head_as_a_whole(gateway):
    def head_of(size):
        fixed = len("GET /health/live HTTP/1.1\r\nHost: a\r\nx: \r\n\r\n")
        return get(gateway, "x: " + "y" * (size - fixed) + "\r\n")

    assert head_of(32768) == 200
    assert head_of(32769) == 431


def test_the_target(gateway):
    assert get(gateway, target="/" + "a" * 8191) == 404
    assert get(gateway, target="/" + "a" * 8192) == 414


def sized_body(size):
    body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"user":"'
    return body + b"x" * (size - len(body) - 2) + b'"}'


def test_the_body(gateway, key, upstream):
    assert gateway.ask("POST", "/v1/chat/completions", sized_body(BODY_MAX), key).status == 200
    asked = len(upstream.requests)
    with gateway.connect() as connection:
        connection.send(raw.request("POST", "/v1/chat/completions", sized_body(BODY_MAX + 1),
                                    key=key))
        answer = connection.read_answer()
        assert (answer.status, answer.code) == (413, "request_too_large")
        connection.read_to_end()
    # Said beforehand, it is refused before the body comes.
    with gateway.connect() as connection:
        head = raw.request("POST", "/v1/chat/completions", headers={
            "Content-Type": "application/json", "Content-Length": str(10**9)}, key=key)
        connection.send(head)
        assert connection.read_answer().status == 413
    assert len(upstream.requests) == asked


def chunked(body, piece):
    parts = [body[i : i + piece] for i in range(0, len(body), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("piece", [1, 100, 10**6])
def test_a_body_in_chunks(gateway, key, piece):
    def ask(size):
        with gateway.connect() as connection:
            head = raw.request("POST", "/v1/chat/completions", key=key, headers={
                "Content-Type": "application/json", "Transfer-Encoding": "chunked"})
            connection.send(head + chunked(sized_body(size), piece))
            return connection.read_answer().status

    assert ask(BODY_MAX) == 200
    assert ask(BODY_MAX + 1) == 413


def test_a_slow_head_is_not_waited_for(gateway):
    """From its first byte on, however steadily it drips."""
    with gateway.connect() as connection:
        started = time.monotonic()
        head = b"GET /health/live HTTP/1.1\r\nHost: a\r\nx: " + b"y" * 5000
        for i in range(len(head)):
            connection.socket.settimeout(0.05)
            connection.send(head[i : i + 1])
            try:
                connection.fill(time.monotonic() + 0.05)
            except TimeoutError:
                continue
            break
        answer = connection.read_answer("GET")
        took = time.monotonic() - started
        assert answer.status == 408 and answer.code == "request_timeout"
        assert HEAD_MS / 1000 * 0.9 <= took < patience(HEAD_MS / 1000 + 1), took


def test_a_slow_body_is_not_waited_for(gateway, key, upstream):
    asked = len(upstream.requests)
    with gateway.connect() as connection:
        body = sized_body(200)
        connection.send(raw.request("POST", "/v1/chat/completions", body, key=key)[:-50])
        started = time.monotonic()
        answer = connection.read_answer()
        assert answer.status == 408 and answer.code == "request_timeout"
        assert time.monotonic() - started < patience(BODY_MS / 1000 + 1)
        connection.read_to_end()
    assert len(upstream.requests) == asked


def test_an_idle_connection_is_closed_without_a_word(gateway):
    with gateway.connect() as connection:
        connection.ask("GET", "/health/live")
        assert connection.read_answer("GET").status == 200
        started = time.monotonic()
        assert connection.read_to_end() == b""
        assert IDLE_MS / 1000 * 0.9 <= time.monotonic() - started < patience(IDLE_MS / 1000 + 1)


def test_a_client_that_sends_the_next_request_in_time_stays(gateway):
    with gateway.connect() as connection:
        for _ in range(4):
            connection.ask("GET", "/health/live")
            assert connection.read_answer("GET").status == 200
            time.sleep(IDLE_MS / 1000 / 3)


def test_a_client_that_reads_nothing_is_given_up(workshop):
    """Its stream ends, its hold is settled, and another client notices nothing."""
    lab = workshop.lab()
    gateway = workshop.gateway([lab.channel()], limits={"write_timeout_ms": WRITE_MS})
    caller = gateway.caller("100.00")
    body = {"model": "gpt-4o-mini", "stream": True, "max_tokens": 16000,
            "messages": [{"role": "user", "content": "On and on"}],
            "metadata": {"x-lab-fault": "endless"}}
    with gateway.connect(receive_buffer=4096) as stuck:
        stuck.ask("POST", "/v1/chat/completions", body, key=caller.key)
        stuck.read_head()
        deadline = time.monotonic() + patience(10)
        while gateway.wallet(caller.tenant)["held"]:
            assert gateway.chat(caller.key, max_tokens=10).status == 200
            assert time.monotonic() < deadline
    wallet = gateway.wallet(caller.tenant)
    assert wallet["held"] == 0 and wallet["balance"] < nanos("100")


def test_pipelined_requests_are_answered_in_order(workshop, upstream):
    gateway, count = workshop.gateway([upstream.channel()]), 40
    key = gateway.caller().key
    with gateway.connect() as connection:
        chat = raw.request("POST", "/v1/chat/completions", sized_body(300), key=key)
        live = raw.request("GET", "/health/live")
        connection.send((chat + live) * count)
        for _ in range(count):
            assert b"choices" in connection.read_answer().body
            assert connection.read_answer("GET").json() == {"status": "ok"}
