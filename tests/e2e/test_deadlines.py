"""Each of a channel's timeouts alone, against a provider that is slow in one way: the client has
its answer when that time is over, long before any other bound, and pays for what it got."""

import socket
import time
from contextlib import closing, contextmanager

import pytest

from place import patience
from upstream import (LAST_CHUNK, chat_answer, chat_events, chunk, obliging, plain, stream_head)

SHORT_MS = int(patience(600))
LONG_MS = int(patience(10_000))
FULL = 10 * 10**9


def timeouts(**short):
    """Long ones, but for those that are named."""
    names = ("connect_ms", "first_byte_ms", "idle_ms", "total_ms")
    return {name: short.get(name, LONG_MS) for name in names}


def gateway_for(workshop, *channels, **settings):
    """One that tries nothing twice, so that one attempt's time is the request's."""
    gateway = workshop.gateway(channels, start=False, **settings)
    gateway.edit("scripts/policies/chain.lua", '{ "fallback" },',
                 '{ "fallback", conf = { retries = 0 } },')
    return gateway.start()


@contextmanager
def over_after(ms):
    """What is done within takes about so long: not less, and nowhere near the long bounds."""
    started = time.monotonic()
    yield
    took = time.monotonic() - started
    assert ms / 1000 * 0.9 <= took < ms / 1000 + patience(2), took


def ask(gateway, key, stream):
    return gateway.chat(key, stream=stream, seconds=60)


def attempt(gateway, answer):
    [one] = gateway.explain(answer.request_id)["decision"]["attempts"]
    return one


def assert_timed_out(gateway, caller, answer):
    assert (answer.status, answer.code) == (504, "upstream_timeout"), answer
    assert attempt(gateway, answer)["failure"] == "timeout"
    assert gateway.wait_unheld(caller.tenant)["balance"] == FULL


# --- Before an answer ---


def silent(call):
    call.wait_peer_gone(60)


def dripping_head(call):
    head = plain(chat_answer(), headers={"x-filler": "y" * 100_000})
    call.send(head, split=1, pause_s=patience(0.02))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("slow", [silent, dripping_head])
@pytest.mark.parametrize("bound", ["first_byte_ms", "total_ms"])
def test_a_head_that_does_not_come(workshop, bound, slow, stream):
    upstream = workshop.upstream(slow)
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(**{bound: SHORT_MS})))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream)
    assert_timed_out(gateway, caller, answer)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("bound", ["first_byte_ms", "total_ms"])
def test_a_kept_connection_that_falls_silent(workshop, bound):
    """It is not taken for a stale one: the request goes out once."""
    upstream = workshop.upstream(lambda call: silent(call) if call.number else obliging(call))
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(**{bound: SHORT_MS})))
    caller = gateway.caller()
    assert gateway.chat(caller.key).status == 200
    with over_after(SHORT_MS):
        answer = gateway.chat(caller.key, seconds=60)
    assert (answer.status, answer.code) == (504, "upstream_timeout")
    assert (len(upstream.requests), upstream.connections) == (2, 1)


def test_a_policys_timeouts_are_the_attempts(workshop):
    """They take the place of the channel's own, one by one."""
    upstream = workshop.upstream(silent)
    gateway = workshop.gateway([upstream.channel(timeouts=timeouts())], start=False)
    gateway.script("policies/routing.lua").write_text(f"""
        return {{ name = "routing", route = function(_, _, candidates)
          candidates[1].timeouts = {{ first_byte_ms = {SHORT_MS} }}
          return candidates
        end }}""")
    gateway.start()
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=True)
    assert_timed_out(gateway, caller, answer)


def test_the_next_channel_has_a_time_of_its_own(workshop):
    """A slow answer is good as long as its own channel's time is not over."""

    def slow(call):
        time.sleep(SHORT_MS * 0.6 / 1000)
        obliging(call)

    short = timeouts(total_ms=SHORT_MS)
    gateway = gateway_for(workshop,
                          workshop.upstream(silent).channel("a", priority=1, timeouts=short),
                          workshop.upstream(slow).channel("b", priority=2, timeouts=short))
    with over_after(SHORT_MS * 1.6):
        answer = gateway.chat(gateway.caller().key, seconds=60)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")


# --- Within an answer ---


def dripping(call, body=b"x" * 5_000, status="200 OK"):
    head, _, _ = plain(body, status).partition(b"\r\n\r\n")
    call.send(head + b"\r\n\r\n")
    call.send(body, split=1, pause_s=patience(0.02))


def test_a_body_that_drips(workshop):
    upstream = workshop.upstream(dripping)
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(total_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=False)
    assert_timed_out(gateway, caller, answer)


def test_the_body_of_an_error_that_drips(workshop):
    """What it says is not worth waiting for."""
    upstream = workshop.upstream(lambda call: dripping(call, status="500 Oops"))
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(total_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=False)
    assert (answer.status, answer.code) == (502, "upstream_error")
    assert attempt(gateway, answer)["status"] == 500


def test_a_long_body_that_begins_to_drip(workshop):
    """Its first part went out: it is cut where it stands, and what went out is paid for."""
    body = plain(chat_answer("word " * 300_000))
    upstream = workshop.upstream(
        lambda call: call.send(body[:-500]) and call.send(body[-500:], 1, patience(0.02)))
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(total_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=False)
    assert answer.status == 200 and not answer.is_complete
    assert gateway.explain(answer.request_id)["decision"]["outcome"] == "broken"
    assert gateway.wait_unheld(caller.tenant)["balance"] < FULL


def assert_cut(gateway, caller, answer):
    """A stream that ends in an error, is not taken for complete, and is paid for in part."""
    events = answer.events()
    assert answer.status == 200 and not answer.is_complete
    assert events[-1].json()["error"]["code"] == "upstream_timeout"
    assert len(events) > 2 and not any(event.is_done for event in events)
    one = attempt(gateway, answer)
    assert (one["channel"], one["failure"]) == ("up", "timeout")
    assert 0 < FULL - gateway.wait_unheld(caller.tenant)["balance"] < 10**6


def words(call, count, pause_s):
    """A head, its role, and so many words, one at a time. False when the gateway has left."""
    first, word = chat_events((" word",))[:2]
    call.send(stream_head() + chunk(first))
    for _ in range(count):
        if not call.send(chunk(word)):
            return False
        time.sleep(pause_s)
    return True


def test_a_stream_that_goes_on_and_on(workshop):
    upstream = workshop.upstream(lambda call: words(call, 1000, patience(0.05)))
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(total_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=True)
    assert_cut(gateway, caller, answer)


def test_a_stream_that_stalls(workshop):
    def stalling(call):
        words(call, 3, 0)
        call.wait_peer_gone(60)

    upstream = workshop.upstream(stalling)
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(idle_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=True)
    assert_cut(gateway, caller, answer)


def test_a_body_that_stalls(workshop):
    answer_bytes = plain(chat_answer())

    def stalling(call):
        call.send(answer_bytes[:-20])
        call.wait_peer_gone(60)

    upstream = workshop.upstream(stalling)
    gateway = gateway_for(workshop, upstream.channel(timeouts=timeouts(idle_ms=SHORT_MS)))
    caller = gateway.caller()
    with over_after(SHORT_MS):
        answer = ask(gateway, caller.key, stream=False)
    assert_timed_out(gateway, caller, answer)


@pytest.mark.parametrize("alive", [chunk(b": still here\n\n"), chunk(chat_events((" word",))[1])],
                         ids=["comments", "words"])
def test_a_steady_stream_is_never_idle(workshop, alive):
    def steady(call):
        events = chat_events()
        call.send(stream_head() + chunk(events[0]))
        for _ in range(8):
            time.sleep(SHORT_MS / 3000)
            call.send(alive)
        call.send(b"".join(chunk(event) for event in events[1:]) + LAST_CHUNK)

    upstream = workshop.upstream(steady)
    gateway = gateway_for(workshop, upstream.channel(
        timeouts=timeouts(first_byte_ms=SHORT_MS, idle_ms=SHORT_MS)))
    with over_after(SHORT_MS * 8 / 3):
        answer = ask(gateway, gateway.caller().key, stream=True)
    assert answer.is_complete and answer.events()[-1].is_done


# --- Before a connection ---


@contextmanager
def deaf_port():
    """A port whose backlog is full: the kernel drops whoever knocks."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        while True:
            one = socket.socket()
            waiting.append(one)
            one.settimeout(0.3)
            try:
                one.connect(listener.getsockname())
            except TimeoutError:
                break
            assert len(waiting) < 100, "the backlog does not fill"
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


@contextmanager
def mute_port():
    """Takes connections and says nothing: no TLS handshake ends there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def channel_at(url, **settings):
    return {"id": "up", "provider": "openai_compatible", "base_url": url, "allow_private": True,
            "credential": "sk-up", "models": {"*": True}, **settings}


@pytest.mark.parametrize("bound", ["connect_ms", "total_ms"])
@pytest.mark.parametrize("port, scheme", [(deaf_port, "http"), (mute_port, "https")],
                         ids=["no-tcp", "no-tls"])
def test_a_connection_that_is_not_made(workshop, port, scheme, bound):
    with port() as number:
        gateway = gateway_for(workshop, channel_at(f"{scheme}://127.0.0.1:{number}/v1",
                                                   timeouts=timeouts(**{bound: SHORT_MS})))
        caller = gateway.caller()
        with over_after(SHORT_MS):
            answer = gateway.chat(caller.key, seconds=60)
        assert (answer.status, answer.code) == (502, "upstream_error")
        assert attempt(gateway, answer)["failure"] == "connect"
        assert gateway.wait_unheld(caller.tenant)["balance"] == FULL


def test_after_a_connection_that_is_not_made_comes_the_next_channel(workshop):
    with deaf_port() as number:
        gateway = gateway_for(
            workshop, channel_at(f"http://127.0.0.1:{number}/v1", priority=1,
                                 timeouts=timeouts(connect_ms=SHORT_MS)),
            workshop.upstream(obliging).channel("b", priority=2))
        with over_after(SHORT_MS):
            answer = ask(gateway, gateway.caller().key, stream=True)
        assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
        assert answer.events()[-1].is_done


@pytest.mark.parametrize("bound", ["connect_ms", "total_ms"])
def test_a_name_that_is_not_resolved(workshop, bound):
    """A name server that is silent costs no more than any other way of not being there."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))
        resolver = {"servers": [f"127.0.0.1:{server.getsockname()[1]}"], "timeout_ms": LONG_MS}
        gateway = gateway_for(workshop,
                              channel_at("http://silent.test:80/v1", allow_plain=True,
                                         timeouts=timeouts(**{bound: SHORT_MS})),
                              resolver=resolver)
        caller = gateway.caller()
        with over_after(SHORT_MS):
            answer = gateway.chat(caller.key, seconds=60)
        assert (answer.status, answer.code) == (502, "upstream_error")
        assert gateway.wait_unheld(caller.tenant)["balance"] == FULL
