"""Clients of HTTP/1.0, and those who want their connection closed: every kind of answer comes in a
form they can read, and the connection goes on or ends as they were told."""

import json
import shutil
import subprocess

import pytest

import raw
import sse

CHAT = {"model": "gpt-4o-mini", "max_tokens": 16,
        "messages": [{"role": "user", "content": "Hello"}]}
COMPLETION = {"model": "gpt-4o-mini", "max_tokens": 16, "prompt": "Hello"}
EMBEDDING = {"model": "text-embedding-3-small", "input": "Hello"}

PLAIN = {"chat": ("/v1/chat/completions", CHAT),
         "completion": ("/v1/completions", COMPLETION),
         "embedding": ("/v1/embeddings", EMBEDDING)}
STREAMS = {"chat": ("/v1/chat/completions", {**CHAT, "stream": True}),
           "completion": ("/v1/completions", {**COMPLETION, "stream": True})}


@pytest.fixture(scope="module")
def gateway(module_workshop):
    return module_workshop.gateway([module_workshop.lab().channel()])


@pytest.fixture(scope="module")
def key(gateway):
    return gateway.caller("10.00").key


def of_version(version, target, body, key, connection=None):
    asked = raw.request("POST", target, body, {"Connection": connection}, key)
    return asked.replace(b" HTTP/1.1\r\n", f" HTTP/{version}\r\n".encode(), 1)


def assert_plain(answer, target):
    assert answer.status == 200, answer.body
    assert answer.header("transfer-encoding") is None
    assert int(answer.header("content-length")) == len(answer.body)
    assert answer.json()["data" if target.endswith("embeddings") else "choices"]


def assert_streamed(body):
    events = sse.events(body)
    assert events[-1].is_done
    assert all(event.json() for event in events[:-1]) and len(events) > 2


def has_ended(connection):
    """The end follows at once: nothing was left to say, and no deadline had to pass."""
    return connection.read_to_end(seconds=3) == b"" and not connection.was_reset


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_answer_over_http_1_0_ends_with_its_connection(gateway, key, kind):
    target, body = PLAIN[kind]
    with gateway.connect() as client:
        client.send(of_version("1.0", target, body, key))
        answer = client.read_answer()
        assert_plain(answer, target)
        assert answer.header("connection") == "close"
        assert has_ended(client)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_answer_over_http_1_0_keeps_a_connection_that_asks_for_it(gateway, key, kind):
    target, body = PLAIN[kind]
    with gateway.connect() as client:
        for _ in range(3):
            client.send(of_version("1.0", target, body, key, "keep-alive"))
            answer = client.read_answer()
            assert_plain(answer, target)
            assert answer.header("connection").lower() == "keep-alive"
        client.send(of_version("1.0", target, body, key))  # and leaves when it no longer asks
        answer = client.read_answer()
        assert_plain(answer, target)
        assert answer.header("connection") == "close"
        assert has_ended(client)


@pytest.mark.parametrize("connection", [None, "keep-alive"])
@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_over_http_1_0_is_unframed_and_ends_with_its_connection(
        gateway, key, kind, connection):
    target, body = STREAMS[kind]
    with gateway.connect() as client:
        client.send(of_version("1.0", target, body, key, connection))
        answer = client.read_answer()
        assert answer.status == 200, answer.body
        assert answer.header("content-type") == "text/event-stream"
        assert answer.header("transfer-encoding") is None
        assert answer.header("content-length") is None
        assert answer.header("connection") == "close"
        assert answer.is_complete  # by an end, and no reset
        assert_streamed(answer.body)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_answer_to_connection_close_ends_with_its_connection(gateway, key, kind):
    target, body = PLAIN[kind]
    with gateway.connect() as client:
        client.send(of_version("1.1", target, body, key, "close"))
        answer = client.read_answer()
        assert_plain(answer, target)
        assert answer.header("connection") == "close"
        assert has_ended(client)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_to_connection_close_is_whole_before_the_end(gateway, key, kind):
    target, body = STREAMS[kind]
    with gateway.connect() as client:
        client.send(of_version("1.1", target, body, key, "close"))
        answer = client.read_answer()
        assert answer.status == 200, answer.body
        assert answer.header("transfer-encoding") == "chunked"
        assert answer.header("connection") == "close"
        assert answer.is_complete and answer.chunks  # with its last chunk
        assert_streamed(answer.body)
        assert has_ended(client)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_refusal_is_told_as_the_version_asks(gateway, version):
    target, body = STREAMS["chat"]
    with gateway.connect() as client:
        client.send(of_version(version, target, body, "mg-wrong", "close"))
        answer = client.read_answer()
        assert (answer.status, answer.code) == (401, "invalid_api_key")
        assert answer.header("transfer-encoding") is None
        assert answer.header("connection") == "close"
        assert has_ended(client)


@pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apache2-utils)")
@pytest.mark.parametrize("options", [[], ["-k"]], ids=["closing", "kept"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_ab_counts_every_request_as_answered(gateway, key, tmp_path, options, stream):
    """The best known client of HTTP/1.0, which believes Content-Length and the end alone."""
    body = tmp_path / "body.json"
    body.write_text(json.dumps({**CHAT, "stream": stream}))
    done = subprocess.run(
        ["ab", "-n", "50", "-c", "4", "-l", "-s", "10", *options, "-p", str(body), "-T",
         "application/json", "-H", f"Authorization: Bearer {key}",
         f"{gateway.base_url}/chat/completions"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    report = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert report["Complete requests"].strip() == "50", done.stdout
    assert report["Failed requests"].strip() == "0", done.stdout
    assert "Non-2xx responses" not in report, done.stdout
    if options and not stream:
        assert report["Keep-Alive requests"].strip() == "50", done.stdout
