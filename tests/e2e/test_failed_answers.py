"""What an upstream may answer with a 200 without answering, and what clients hear of several
failures: another channel is asked, nobody pays, and nobody is told what is not true."""

import json
import re
import threading
import time

import pytest

import raw
import sse
from gateway import nanos
from place import patience
from upstream import (chat_answer, chat_events, chunk, event, obliging, plain, stream_head,
                      streamed)

NO_ANSWERS = {
    "flat error": {"object": "error", "message": "no such model", "code": 400},
    "msg": {"code": 500, "msg": "busy", "success": False},
    "code and message": {"code": "InvalidParameter", "message": "no"},
    "nothing": {},
    "no choices": {"id": "1", "choices": [], "usage": None},
}
CHAT = {"model": "gpt-4o-mini", "max_tokens": 16,
        "messages": [{"role": "user", "content": "Hello"}]}


def two(workshop, first, second=obliging, **settings):
    """Channel a is asked first, then b."""
    upstreams = [workshop.upstream(first), workshop.upstream(second)]
    channels = [one.channel(name, priority=number + 1)
                for number, (name, one) in enumerate(zip("ab", upstreams))]
    return workshop.gateway(channels, **settings), upstreams


@pytest.mark.parametrize("kind", NO_ANSWERS)
def test_a_200_without_an_answer_is_a_failure(workshop, kind):
    gateway, _ = two(workshop, lambda call: call.send(plain(NO_ANSWERS[kind])))
    key = gateway.caller().key
    answer = gateway.chat(key)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    attempts = gateway.explain(answer.header("x-request-id"))["decision"]["attempts"]
    assert attempts[0]["failure"] in ("garbage", "server_error")
    assert not attempts[-1].get("failure")


@pytest.mark.parametrize("kind", ["flat error", "msg", "code and message"])
@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n"])
def test_a_stream_that_begins_with_an_error_is_a_failure(workshop, kind, end):
    gateway, _ = two(workshop, lambda call: call.send(streamed(event(NO_ANSWERS[kind]) + end)))
    answer = gateway.chat(gateway.caller().key, stream=True)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    assert sse.events(answer.body)[-1].is_done


@pytest.mark.parametrize("kind", NO_ANSWERS)
def test_a_stream_without_events_is_a_failure(workshop, kind):
    gateway, _ = two(workshop, lambda call: call.send(plain(NO_ANSWERS[kind])))
    answer = gateway.chat(gateway.caller().key, stream=True)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    first = gateway.explain(answer.header("x-request-id"))["decision"]["attempts"][0]
    assert first["failure"] == "garbage"
    assert first["what"] == "the upstream's answer to a stream held no event"


def test_an_error_in_the_middle_of_a_stream_is_no_end_of_it(workshop):
    def failing(call):
        call.send(stream_head() + chunk(b"".join(chat_events(done=False)[:3])))
        begun.wait(patience(20))
        end = event(NO_ANSWERS["flat error"]) + b"data: [DONE]\n\n"
        call.send(chunk(end) + b"0\r\n\r\n")

    begun = threading.Event()
    gateway = workshop.gateway([workshop.upstream(failing).channel()])
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions", {**CHAT, "stream": True}, None,
                       gateway.caller().key)
        head = connection.read_head()
        connection.read_until(b"lo")
        begun.set()
        rest = connection.read_to_end()
    assert b"[DONE]" not in rest and b"upstream_error" in rest
    told = gateway.explain(head.header("x-request-id"))["decision"]
    assert told["outcome"] == "broken", told


def test_an_embedding_without_data_is_a_failure(workshop):
    gateway, _ = two(workshop, lambda call: call.send(plain({"object": "list", "data": []})))
    key = gateway.caller().key
    answer = gateway.ask("POST", "/v1/embeddings",
                         {"model": "text-embedding-3-small", "input": "Hello"}, key)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")


def test_that_the_next_channel_rests_does_not_hide_why_the_first_failed(workshop):
    statuses = {"a": "500 Oops", "b": "429 Busy"}

    def failing(name):
        return lambda call: call.send(plain({"error": {"message": "no"}}, statuses[name],
                                            {"Retry-After": "60"}))

    gateway, _ = two(workshop, failing("a"), failing("b"))
    key = gateway.caller().key
    gateway.chat(key)  # b rests from here on
    answer = gateway.chat(key)
    assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_error")
    assert answer.header("x-moongate-channel") == "a"
    assert gateway.explain(answer.header("x-request-id"))["decision"]["channel"] == "a"


def test_of_several_that_rest_the_first_to_be_back_is_told(workshop):
    def resting(seconds):
        return lambda call: call.send(plain({"error": {"message": "no"}}, "429 Busy",
                                            {"Retry-After": str(seconds)}))

    gateway, _ = two(workshop, resting(20), resting(200))
    key = gateway.caller().key
    gateway.chat(key)
    answer = gateway.chat(key)
    assert answer.status == 503 and 1 <= int(answer.header("retry-after")) <= 20
    assert answer.header("x-moongate-channel") is None  # nobody was asked


def test_who_leaves_before_the_next_attempt_has_left(workshop):
    upstream = workshop.upstream(lambda call: call.send(plain({"error": {}}, "500 Oops")))
    gateway = workshop.gateway([upstream.channel()], start=False)
    script = gateway.script("policies/patient.lua")
    script.write_text('return { name = "patient", recover = function()\n'
                      '  return "retry", 20000\nend }\n')
    gateway.edit("scripts/policies/chain.lua", "  recover = {", '  recover = {\n    { "patient" },')
    gateway.start()
    caller = gateway.caller("1.00")
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions", CHAT, None, caller.key)
        deadline = time.monotonic() + patience(10)
        while not upstream.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(patience(0.2))
    deadline = time.monotonic() + patience(10)  # long before the delay is over
    while gateway.wallet(caller.tenant)["held"] and time.monotonic() < deadline:
        time.sleep(0.05)
    wallet = gateway.wallet(caller.tenant)
    assert (wallet["held"], wallet["balance"]) == (0, 10**9)
    assert len(upstream.requests) == 1
    told = gateway.get("/metrics").body.decode()
    assert re.search(r'^moongate_clients_left_total 1$', told, re.M), re.findall('.*left.*', told)


# --- What is an answer all the same ---


@pytest.mark.parametrize("blanks", [b"\n", b" " * 200, b"\r\n\t" * 100, b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [10, 1_500_000])
def test_blanks_and_a_mark_before_an_answer_are_none_of_it(workshop, blanks, size):
    def slow_thinker(call):
        call.send(plain(blanks + json.dumps(chat_answer("x" * size)).encode()))

    upstream = workshop.upstream(slow_thinker)
    gateway = workshop.gateway([upstream.channel()])
    answer = gateway.chat(gateway.caller().key)
    assert answer.status == 200 and answer.body.startswith(blanks)
    assert len(upstream.requests) == 1


def test_a_trailer_of_an_answer_is_looked_past(workshop):
    def digested(call):
        body = json.dumps(chat_answer()).encode()
        head = stream_head("application/json").replace(b"\r\n\r\n",
                                                       b"\r\nTrailer: Content-Digest\r\n\r\n")
        call.send(head + chunk(body) + b"0\r\nContent-Digest: sha-256=:AA==:\r\n\r\n")

    upstream = workshop.upstream(digested)
    gateway = workshop.gateway([upstream.channel()])
    assert gateway.chat(gateway.caller().key).json()["choices"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("done", [b"data: [DONE] \n\n", b"data:  [DONE]\n\n"])
def test_blanks_around_the_end_leave_it_the_end(workshop, done):
    events = chat_events(done=False) + [done]
    gateway = workshop.gateway([workshop.upstream(
        lambda call: call.send(streamed(b"".join(events)))).channel()])
    answer = gateway.chat(gateway.caller().key, stream=True,
                          stream_options={"include_usage": True})
    told = [one.json() for one in sse.events(answer.body)[:-1]]
    assert [bool(one.get("usage")) for one in told].count(True) == 1
    assert told[-1]["usage"]["cost"] > 0
    assert answer.body.endswith(done)


def test_usage_told_all_along_holds_no_word_back(workshop):
    """The end waits for the charge; what goes on does not wait for what comes next."""
    words = 4

    def talkative(call):
        call.send(stream_head())
        for number in range(words):
            usage = {"prompt_tokens": 3, "completion_tokens": number + 1,
                     "total_tokens": number + 4}
            call.send(chunk(event({"choices": [{"index": 0, "delta": {"content": f"w{number}"}}],
                                   "usage": usage})))
        call.wait_peer_gone(patience(20))

    gateway = workshop.gateway([workshop.upstream(talkative).channel()])
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions", {**CHAT, "stream": True}, None,
                       gateway.caller().key)
        connection.read_until(b"w%d" % (words - 1))


# --- Sound and pictures ---


def test_sound_that_nobody_reports_is_paid_for(workshop):
    def singing(call):
        call.send(stream_head())
        for _ in range(8):
            call.send(chunk(event({"choices": [{"index": 0, "delta": {
                "audio": {"id": "a", "data": "A" * 16_000}}}]})))
        call.wait_peer_gone(patience(20))

    gateway = workshop.gateway([workshop.upstream(singing).channel()])
    caller = gateway.caller("1.00")
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions",
                       {**CHAT, "max_tokens": 2000, "stream": True}, None, caller.key)
        connection.read_exactly(100_000)
        connection.reset()
    deadline = time.monotonic() + patience(10)
    while gateway.wallet(caller.tenant)["held"] and time.monotonic() < deadline:
        time.sleep(0.05)
    paid = 10**9 - gateway.wallet(caller.tenant)["balance"]
    least = 100_000 // 3_200 * nanos("0.0000006")  # tokens of sound, at the price of text
    assert paid >= least, (paid, least)


# --- HTTP/1.0, where only the end of the connection ends an answer ---


def test_a_broken_answer_over_http_1_0_ends_in_a_reset(workshop):
    def breaking(call):
        body = b'{"choices": [{"message": {"content": "' + b"x" * 3_000_000
        call.send(plain(body, headers={"Content-Length": str(len(body) + 5000)}))
        call.half_close()

    gateway = workshop.gateway([workshop.upstream(breaking).channel()])
    asked = raw.request("POST", "/v1/chat/completions", CHAT, None, gateway.caller().key)
    with gateway.connect() as connection:
        connection.send(asked.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1))
        connection.read_to_end(seconds=20)
        assert connection.was_reset


# --- Requests ---


def test_text_in_a_field_may_be_of_any_language(workshop):
    gateway = workshop.gateway([workshop.upstream(obliging).channel()])
    key = gateway.caller().key
    asked = raw.request("POST", "/v1/chat/completions", CHAT,
                        {"X-Title": "TITLE", "x-session-id": "TITLE"}, key)
    with gateway.connect() as connection:
        connection.send(asked.replace(b"TITLE", "Zoë 会话".encode()))
        assert connection.read_answer().status == 200
    with gateway.connect() as connection:
        connection.send(asked.replace(b"TITLE", b"Zo\xeb"))
        assert connection.read_answer().status == 400


def test_a_late_answer_reaches_who_still_uploads(workshop):
    """Who sends slowly reads the refusal at the end, not a reset in the middle."""
    gateway = workshop.gateway([workshop.upstream(obliging).channel()])
    with gateway.connect() as connection:
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                        b"Authorization: Bearer wrong\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 1000000\r\n\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:  # beyond the second that silence gets
            connection.send(b" " * 1000)
            time.sleep(0.1)
        assert connection.read_answer().status == 401


def test_a_repeated_key_is_its_own_while_it_runs(workshop):
    """The first request is refused; its repetition, right behind, keeps its claim to the end."""
    def refusing_first(call):
        call.keep()
        user = call.request.json()["user"]
        if user not in seen:
            seen.add(user)
            call.send(plain({"error": {"message": "no"}}, "400 Bad Request"))
        else:
            time.sleep(0.02)
            call.send(plain(chat_answer()))

    seen = set()
    gateway = workshop.gateway([workshop.upstream(refusing_first).channel()], start=False,
                               workers=2)
    gateway.script("policies/slow_end.lua").write_text(
        'return { name = "slow_end", observe = function()\n'
        '  local x = 0\n  for i = 1, 30000 do x = x + i % 7 end\nend }\n')
    gateway.edit("scripts/policies/chain.lua", "  observe = {", '  observe = {\n    { "slow_end" },')
    gateway.start()
    key = gateway.caller("10.00").key
    for number in range(40):
        mine = {"idempotency-key": f"k{number}"}
        assert gateway.chat(key, user=f"u{number}", headers=mine).status == 400
        assert gateway.chat(key, user=f"u{number}", headers=mine).status == 200
        copy = gateway.chat(key, user=f"u{number}", headers=mine)
        assert (copy.status, copy.header("idempotency-replayed")) == (200, "true"), number
