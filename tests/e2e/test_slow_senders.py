"""Clients that send slowly, or not at all, and need neither key nor money for it: they give way to
those who talk, and what they can pin is bounded."""

import json
import socket
import ssl
import time

import pytest

import raw
from certificates import Authority
from place import patience
from wire import memory_bytes

CHAT = "/v1/chat/completions"
MIB = 1 << 20


def head_of(length, key):
    return raw.request("POST", CHAT, None, {"Content-Type": "application/json",
                                            "Content-Length": str(length)}, key)


@pytest.fixture
def lab(workshop):
    return workshop.lab()


def test_a_body_that_trickles_is_given_up_although_it_never_stops(workshop, lab):
    gateway = workshop.gateway([lab.channel()], limits={"body_timeout_ms": 1000})
    key = gateway.caller().key
    with gateway.connect() as client:
        client.send(head_of(8 * MIB, key) + b" " * (4 * MIB))
        began, said = time.monotonic(), b""
        while b"\r\n\r\n" not in said and time.monotonic() - began < patience(10):
            client.send(b" ")
            said += client.read_what_comes(0.1)
        assert time.monotonic() - began < patience(5)
        answer, = raw.split_answers(said + client.read_to_end(), ["POST"])[0]
        assert (answer.status, answer.code) == (408, "request_timeout")
        assert answer.header("connection") == "close"


def test_a_body_may_pause_and_come_at_the_slowest_rate(workshop, lab):
    gateway = workshop.gateway([lab.channel()], limits={"body_timeout_ms": 1000})
    key = gateway.caller().key
    body = json.dumps({"model": "gpt-4o-mini", "max_tokens": 1, "messages": [
        {"role": "user", "content": "Hello"}]}).encode().ljust(40_000)
    with gateway.connect() as client:
        client.send(head_of(len(body), key))
        for at in range(0, len(body), 4000):
            time.sleep(0.3)  # 13 KB/s for three seconds, which is three times the timeout
            client.send(body[at:at + 4000])
        assert client.read_answer().status == 200


def test_bodies_fill_their_share_of_the_memory_and_no_more(workshop, lab):
    """512 MiB, whoever sends: larger bodies are then refused, small ones taken, and it passes."""
    gateway = workshop.gateway([lab.channel()])
    key = gateway.caller("100.00").key
    before = memory_bytes(gateway.pid)
    pinning = []
    for _ in range(16):
        pinning.append(gateway.connect())
        pinning[-1].send(head_of(32 * MIB, key) + b" " * (32 * MIB - 1))
    late = [gateway.connect() for _ in range(3)]
    for client in late:
        client.send(head_of(32 * MIB, key) + b" " * (4 * MIB))
        answer = client.read_answer()
        assert (answer.status, answer.code) == (503, "overloaded")
        assert (answer.header("connection"), answer.header("retry-after")) == ("close", "1")
        client.close()
    assert memory_bytes(gateway.pid) - before < 1200 * MIB
    assert gateway.chat(key).status == 200  # it is small
    for client in pinning:
        client.reset()
    large = {"model": "gpt-4o-mini", "max_tokens": 1, "user": "x" * 100_000,
             "messages": [{"role": "user", "content": "Hello"}]}
    deadline = time.monotonic() + patience(10)
    while (status := gateway.ask("POST", CHAT, large, key).status) == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status == 200


def test_silent_handshakes_give_way_to_who_talks(workshop, lab, tmp_path):
    authority = Authority(tmp_path / "authority")
    cert, key_file = authority.issue("one.test", addresses=["127.0.0.1"])
    gateway = workshop.gateway(
        [lab.channel()], limits={"handshakes_max": 20},
        listen=[{"address": "127.0.0.1:0"},
                {"address": "127.0.0.1:0", "tls": {"cert": str(cert), "key": str(key_file)}}])
    key = gateway.caller().key
    context = ssl.create_default_context(cafile=str(authority.cert))
    silent = []

    def crowd_in(count):
        for _ in range(count):
            silent.append(socket.create_connection(gateway.addresses[1], timeout=patience(10)))

    for _ in range(3):
        crowd_in(50)
        plain = socket.create_connection(gateway.addresses[1], timeout=patience(10))
        with context.wrap_socket(plain, server_hostname="one.test") as secure:
            secure.sendall(raw.request("GET", "/v1/models", key=key))
            assert secure.recv(65536).startswith(b"HTTP/1.1 200")
    for connection in silent[:-20]:
        assert connection.recv(1) == b""  # closed, without a word
    silent[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        silent[-1].recv(1)  # of the last ones the handshake may still come
    for connection in silent:
        connection.close()
