"""What a relay keeps back until the answer is paid for, where its end does not come as it should:
what was said and is charged for goes out, and nobody else hears of it."""

import json
import threading
import time

import pytest

from gateway import nanos
from place import patience
from upstream import LAST_CHUNK, chat_answer, chunk, event, plain, stream_head

MODEL = "gpt-4o-mini"
WORD = "word "
DONE = chunk(b"data: [DONE]\n\n")
BROKE = chunk(event({"error": {"message": "overloaded", "type": "server_error"}})) + LAST_CHUNK
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}


def said(words, total, reason=None):
    """An event with text and what was used so far, as some vendors write all of them."""
    return chunk(event({
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "delta": {"content": WORD * words}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 8, "completion_tokens": total, "total_tokens": 8 + total}}))


def draining(workshop, answer, cost_max="1.00"):
    """A gateway whose policy reads on for clients that left."""
    gateway = workshop.gateway([workshop.upstream(answer).channel()], start=False)
    (gateway.folder / "scripts/policies/drain.lua").write_text(
        "return { disconnect = function() return { drain_cost_max = '%s' } end }" % cost_max)
    gateway.edit("scripts/policies/chain.lua", "  observe = {",
                 '  disconnect = { { "drain" } },\n  observe = {')
    return gateway.start()


class Gone:
    """An upstream that waits with the rest of its answer until the client has left."""

    def __init__(self, first, rest):
        self.first, self.rest = first, rest
        self.asked, self.left = threading.Event(), threading.Event()

    def __call__(self, call):
        call.send(self.first)
        self.asked.set()
        self.left.wait(20)
        time.sleep(0.3)  # the gateway sees it first
        for piece in self.rest:
            call.send(piece)
            time.sleep(0.1)

    def leave(self, gateway, key, body, headers=None):
        with gateway.connect() as client:
            client.ask("POST", "/v1/chat/completions", body, headers, key)
            assert self.asked.wait(20)
            time.sleep(0.2)
        self.left.set()


def usages_in(body):
    """Events that tell usage and nothing else."""
    return body.count(b'"choices": []') + body.count(b'"choices":[]')


def say_three(call):
    call.send(stream_head())
    for i in range(3):
        call.send(said(100, 100 * (i + 1)))
        time.sleep(0.1)


def words_in(answer):
    return answer.body.decode().count(WORD)


def test_a_stream_that_breaks_says_what_it_is_charged_for(workshop):
    def by_reset(call):
        say_three(call)
        call.reset()

    def by_error(call):
        say_three(call)
        call.send(BROKE)

    upstream = workshop.upstream(by_reset)
    gateway = workshop.gateway([upstream.channel()])
    for answer in (by_reset, by_error):
        upstream.answer = answer
        caller = gateway.caller("10.00")
        got = gateway.chat(caller.key, stream=True)
        assert words_in(got) == 300 and b'"error"' in got.body and b"[DONE]" not in got.body
        decision = gateway.explain(got.request_id)["decision"]
        assert (decision["outcome"], decision["usage"]["output"]) == ("broken", 300)


def test_a_stream_that_is_cut_says_what_it_is_charged_for(workshop):
    def endless(call):
        call.send(stream_head())
        for i in range(40):
            call.send(said(400, 400 * (i + 1)))
            time.sleep(0.02)
        call.send(DONE + LAST_CHUNK)

    gateway = workshop.gateway([workshop.upstream(endless).channel()])
    caller = gateway.caller("0.001")
    got = gateway.chat(caller.key, stream=True, max_tokens=100)
    decision = gateway.explain(got.request_id)["decision"]
    assert decision["outcome"] == "cut"
    assert words_in(got) == decision["usage"]["output"] > 0
    assert b'"finish_reason":"length"' in got.body and got.body.endswith(b"data: [DONE]\n\n")


def test_a_cut_before_the_first_byte_is_an_answer(workshop):
    """All that was said was kept back when the hold could not grow."""
    def at_once(call):
        call.send(stream_head() + said(1000, 1000))
        time.sleep(0.5)
        call.send(said(0, 1000, "length") + DONE + LAST_CHUNK)

    gateway = workshop.gateway([workshop.upstream(at_once).channel()])
    rich = gateway.caller("10.00")
    held = gateway.explain(gateway.chat(rich.key, stream=True, max_tokens=1000).request_id)
    needed = held["decision"]["held"]
    caller = gateway.caller(needed)  # not a nano-dollar to extend it by
    got = gateway.chat(caller.key, stream=True, max_tokens=1000)
    assert got.status == 200 and words_in(got) == 1000 and got.body.endswith(b"data: [DONE]\n\n")
    assert gateway.explain(got.request_id)["decision"]["outcome"] == "cut"
    charged = nanos(needed) - gateway.wait_unheld(caller.tenant)["balance"]
    assert charged == nanos(gateway.explain(got.request_id)["decision"]["cost"]) > 0


@pytest.mark.parametrize("rest", [[said(5, 5), BROKE], [BROKE], [said(5, 5), said(5, 10)],
                                  [said(5, 5, "stop"), DONE + LAST_CHUNK]],
                         ids=["text, error", "error", "text, cut off", "text, end"])
def test_a_client_that_left_before_the_first_byte_harms_nobody(workshop, rest):
    upstream = Gone(stream_head(), rest)
    gateway = draining(workshop, upstream)
    caller = gateway.caller("10.00")
    upstream.leave(gateway, caller.key, {**BODY, "stream": True})
    gateway.wait_unheld(caller.tenant)
    assert gateway.is_running()
    assert gateway.get("/v1/models", caller.key).status == 200


def test_a_long_answer_nobody_took_is_not_replayed_in_part(workshop):
    whole = plain(chat_answer(WORD * 400_000))
    head = whole.index(b"\r\n\r\n") + 1000
    upstream = Gone(whole[:head], [whole[head:]])
    gateway = draining(workshop, upstream)
    caller = gateway.caller("10.00")
    once = {"Idempotency-Key": "order-1"}
    upstream.leave(gateway, caller.key, BODY, once)
    assert gateway.wait_unheld(caller.tenant)["balance"] < nanos("10.00")
    deadline = time.monotonic() + patience(10)
    while True:  # the charge is seen in the wallet a moment before it is durable
        again = gateway.ask("POST", "/v1/chat/completions", BODY, caller.key, once)
        if again.code != "idempotency_in_flight" or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert (again.status, again.code) == (409, "idempotency_replayed")


@pytest.mark.parametrize("usage, output, source", [
    ({"prompt_tokens": 8, "completion_tokens": 500, "total_tokens": 508}, 500, "reported"),
    ({"prompt_tokens": 8, "total_tokens": 508}, 500, "reported"),
    ({"prompt_tokens": 8, "completion_tokens": None, "total_tokens": 508}, 500, "reported"),
    ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None, "counted"),
])
def test_half_a_report_makes_no_output_free(workshop, usage, output, source):
    answer = {**chat_answer(WORD * 500), "usage": usage}
    gateway = workshop.gateway([workshop.upstream(lambda call: call.send(plain(answer))).channel()])
    caller = gateway.caller("10.00")
    decision = gateway.explain(gateway.chat(caller.key).request_id)["decision"]
    assert decision["usage_source"] == source
    counted = decision["usage"]["output"]
    assert counted == output if output else 400 < counted < 700


@pytest.mark.parametrize("prompt, n", [("lorem ipsum dolor sit amet " * 200, 1),
                                       (["lorem ipsum " * 200, "dolor sit amet " * 200], 2),
                                       ("lorem ipsum dolor sit amet " * 10_000, 1)],
                         ids=["one", "several", "long"])
def test_an_echo_is_no_output(workshop, prompt, n):
    """Where the provider reports nothing, and while its report has not come."""
    prompts = [prompt] if isinstance(prompt, str) else prompt
    choices = [{"index": i, "text": prompts[i // n] + " yes", "finish_reason": "stop"}
               for i in range(len(prompts) * n)]
    asked = {"model": MODEL, "prompt": prompt, "n": n, "echo": True, "max_tokens": 4}

    def at_once(call):
        call.send(plain({"id": "x", "object": "text_completion", "choices": choices}))

    def in_pieces(call):
        call.send(stream_head())
        for choice in choices:
            for at in range(0, len(choice["text"]), 500):
                part = {**choice, "text": choice["text"][at:at + 500], "finish_reason": None}
                call.send(chunk(event({"id": "x", "choices": [part]})))
        for choice in choices:
            call.send(chunk(event({"id": "x", "choices": [{**choice, "text": ""}]})))
        call.send(DONE + LAST_CHUNK)

    upstream = workshop.upstream(at_once)
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    for answer, stream in ((at_once, False), (in_pieces, True)):
        upstream.answer = answer
        got = gateway.ask("POST", "/v1/completions", {**asked, "stream": stream}, caller.key)
        assert got.status == 200 and b"yes" in got.body
        decision = gateway.explain(got.request_id)["decision"]
        assert (decision["usage_source"], decision["outcome"]) == ("counted", "completed")
        assert 1 <= decision["usage"]["output"] <= 4 * len(choices) + 8, decision["usage"]
    # And with hardly more money than that costs, nothing is cut.
    poor = gateway.caller(decision["held"])
    got = gateway.ask("POST", "/v1/completions", {**asked, "stream": True}, poor.key)
    assert gateway.explain(got.request_id)["decision"]["outcome"] == "completed"


def test_who_is_not_echoed_pays_for_what_was_written(workshop):
    """Not every provider heeds the wish."""
    answer = {"id": "x", "object": "text_completion",
              "choices": [{"index": 0, "text": WORD * 300, "finish_reason": "stop"}]}
    gateway = workshop.gateway([workshop.upstream(lambda call: call.send(plain(answer))).channel()])
    caller = gateway.caller("10.00")
    asked = {"model": MODEL, "prompt": WORD * 50 + "and more " * 500, "echo": True,
             "max_tokens": 1000}
    got = gateway.ask("POST", "/v1/completions", asked, caller.key)
    assert 200 < gateway.explain(got.request_id)["decision"]["usage"]["output"] < 400


def test_a_cut_stream_tells_its_usage_once(workshop):
    def almost_over(call):
        call.send(stream_head() + said(1000, 1000, "length") + chunk(event(
            {"id": "c", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 1000,
                                                 "total_tokens": 1008}})))
        time.sleep(0.5)
        call.send(DONE + LAST_CHUNK)

    upstream = workshop.upstream(almost_over)
    gateway = workshop.gateway([upstream.channel()])
    wish = {"stream": True, "max_tokens": 1000, "stream_options": {"include_usage": True}}
    rich = gateway.caller("10.00")
    needed = gateway.explain(gateway.chat(rich.key, **wish).request_id)["decision"]["held"]
    got = gateway.chat(gateway.caller(needed).key, **wish)
    # It had said that it was through: nothing was left to cut.
    assert gateway.explain(got.request_id)["decision"]["outcome"] == "completed"
    assert usages_in(got.body) == 1 and b'"length"' in got.body

    def goes_on(call):
        for i in range(40):
            call.send(stream_head() if i == 0 else b"")
            call.send(said(0, 400 * i) + said(400, 400 * (i + 1)))
            call.send(chunk(event({"id": "c", "choices": [], "usage": {
                "prompt_tokens": 8, "completion_tokens": 400 * (i + 1), "total_tokens": 8}})))
            time.sleep(0.02)

    upstream.answer = goes_on
    got = gateway.chat(gateway.caller("0.001").key, **wish)
    assert gateway.explain(got.request_id)["decision"]["outcome"] == "cut"
    assert usages_in(got.body[got.body.rindex(b"word "):]) == 1


def test_a_stream_that_came_at_once_begins_like_any_other(workshop):
    at_once = stream_head() + said(5, 5, "stop") + DONE + LAST_CHUNK
    gateway = workshop.gateway([workshop.upstream(lambda call: call.send(at_once)).channel()])
    got = gateway.chat(gateway.caller("10.00").key, stream=True)
    assert words_in(got) == 5 and got.header("cache-control") == "no-cache"
    assert "moongate_first_byte_seconds_count 1" in gateway.get("/metrics").body.decode()


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_with_a_hole_has_no_good_end(workshop, stream):
    """A client that closed its sending side may still read."""
    whole = plain(chat_answer(WORD * 400_000))
    head = whole.index(b"\r\n\r\n") + 1000
    upstream = Gone(*((stream_head() + said(5, 5), [said(5, 10), said(5, 15, "stop"), DONE,
                                                    LAST_CHUNK]) if stream else
                      (whole[:head], [whole[head:]])))
    gateway = draining(workshop, upstream)
    caller = gateway.caller("10.00")
    with gateway.connect() as client:
        client.ask("POST", "/v1/chat/completions", {**BODY, "stream": stream}, key=caller.key)
        assert upstream.asked.wait(20)
        time.sleep(0.2)
        client.half_close()
        upstream.left.set()
        got = client.read_to_end()
    assert b"[DONE]" not in got and not got.endswith(b"0\r\n\r\n")
    assert not got.startswith(b"HTTP/1.1 200") or stream
    gateway.wait_unheld(caller.tenant)


@pytest.mark.parametrize("gives_up", [False, True])
def test_slow_readers_rest_no_channel(workshop, gives_up):
    """The time their answers take is theirs, whether it is our patience that ends or their
    upstream's."""
    def much(call):
        call.send(stream_head())
        text = chunk(event({"choices": [{"index": 0, "delta": {"content": "x" * 4000}}]}))
        call.socket.settimeout(2 if gives_up else None)
        for _ in range(3000):
            if not call.send(text):
                call.reset()
                return

    upstream = workshop.upstream(much)
    timeouts = {"total_ms": 60_000 if gives_up else 3000}
    gateway = workshop.gateway([upstream.channel(timeouts=timeouts)])
    caller = gateway.caller("1000.00")
    slow = [gateway.connect(receive_buffer=4096, timeout=30) for _ in range(6)]
    for client in slow:
        client.ask("POST", "/v1/chat/completions", {**BODY, "stream": True, "max_tokens": 16000},
                   key=caller.key)
    ids = [client.read_head().request_id for client in slow]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for client in slow:
            try:
                client.fill(time.monotonic() + 0.05)
            except TimeoutError:
                pass
        time.sleep(0.1)
    for client in slow:
        client.close()
    gateway.wait_unheld(caller.tenant)
    assert [gateway.explain(i)["decision"]["outcome"] for i in ids] == ["client_left"] * 6
    upstream.answer = lambda call: call.send(plain(chat_answer("there")))
    assert gateway.chat(caller.key).status == 200


def test_the_header_names_the_channel_that_was_asked(workshop):
    upstream = workshop.upstream(lambda call: call.send(plain({"error": "no"}, "500 No")))
    gateway = workshop.gateway([upstream.channel(id=f"c{i}", priority=i + 1) for i in range(7)])
    answer = gateway.chat(gateway.caller("10.00").key)
    tried = gateway.explain(answer.request_id)["decision"]["attempts"]
    assert answer.status == 502
    assert answer.header("x-moongate-channel") == tried[-1]["channel"]


def test_a_kept_connection_that_dies_late_is_an_attempt(workshop):
    asked = []

    def late(call):
        asked.append(call)
        if len(asked) == 2:
            time.sleep(1.5)  # it ends when this returns
            return
        call.keep()
        call.send(plain(chat_answer("there")))

    gateway = workshop.gateway([workshop.upstream(late).channel()])
    caller = gateway.caller("10.00")
    assert gateway.chat(caller.key).status == 200
    answer = gateway.chat(caller.key)
    attempts = gateway.explain(answer.request_id)["decision"]["attempts"]
    assert len(asked) - 1 == len(attempts) == 2, json.dumps(attempts)


def test_every_first_byte_is_in_the_histogram(workshop):
    gateway = workshop.gateway([workshop.upstream().channel()])
    caller = gateway.caller("10.00")
    for i in range(20):
        assert gateway.chat(caller.key, stream=i % 2 == 1).status == 200
    page = gateway.get("/metrics").body.decode()
    assert "moongate_first_byte_seconds_count 20" in page
