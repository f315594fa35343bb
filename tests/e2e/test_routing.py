"""Each thing that may decide between channels decides alone, seen from the outside; and what
happens when the chosen one fails."""

import json
import threading
import time
from collections import Counter

import pytest

import crowd
from place import patience
from size import sized
from upstream import (LAST_CHUNK, chat_answer, chat_events, chunk, event, failing, obliging,
                      plain, stream_head)

SHIPPED = '{ "routing" },'


def routed(workshop, upstreams, conf="", **each):
    """A gateway with channels a, b, ... whose routing policy has this conf. `each` gives settings
    by channel: region={"a": "us"}."""
    channels = []
    for name, upstream in zip("abc", upstreams):
        settings = {key: values[name] for key, values in each.items() if name in values}
        channels.append(upstream.channel(name, **settings))
    gateway = workshop.gateway(channels, start=False, workers=2)
    if conf:
        setting = f'{{ "routing", conf = {{ {conf} }} }},'
        gateway.edit("scripts/policies/chain.lua", SHIPPED, setting)
    return gateway.start()


def two(workshop):
    return workshop.upstream(obliging), workshop.upstream(obliging)


def channels_of(gateway, key, count=24, **request):
    """Which channel answered each of so many requests."""
    return Counter(gateway.chat(key, **request).header("x-moongate-channel")
                   for _ in range(count))


def test_priority(workshop):
    upstreams = two(workshop)
    for priorities, chosen in [({"a": 1, "b": 2}, "a"), ({"a": 2, "b": 1}, "b")]:
        gateway = routed(workshop, upstreams, priority=priorities)
        assert channels_of(gateway, gateway.caller().key) == {chosen: 24}
        gateway.stop()
    assert [len(upstream.requests) for upstream in upstreams] == [24, 24]


def test_10_000_weighted_picks_are_within_2_percent(workshop):
    labs = [workshop.lab(), workshop.lab(), workshop.lab()]
    weights = {"a": 50, "b": 30, "c": 20}
    gateway = routed(workshop, labs, weight=weights)
    caller = gateway.caller("100.00")
    picks = sized(10_000, 2_000, 2_000)
    done = gateway.run("load", "--url", gateway.base_url, "--key", caller.key, "--requests", picks,
                       "--concurrency", 16, "--streams", 0, "--prompt-tokens", 5, "--max-tokens", 2,
                       "--json", seconds=120)
    assert done.returncode == 0, done.stderr
    for name, lab in zip("abc", labs):
        got = lab.counts()["paths"]["/v1/chat/completions"] / picks
        off = abs(got - weights[name] / 100)
        # Of fewer picks more may stray: four standard deviations.
        assert off < (0.02 if picks == 10_000 else 0.045), (name, got)


def test_equal_shares_where_weights_are_off(workshop):
    gateway = routed(workshop, two(workshop), "weights = false", weight={"a": 1, "b": 1000})
    got = channels_of(gateway, gateway.caller().key, 60)
    assert got["a"] > 10


def test_health(workshop):
    """A channel whose breaker is open is asked last, or, told so, as if it were well."""
    ill = workshop.upstream(lambda call: call.send(plain(b"{}", "500 Oops")))
    for conf, asked_first in [("", "b"), ('health = "ignore"', "a")]:
        gateway = routed(workshop, [ill, workshop.upstream(obliging)], conf,
                         priority={"a": 1, "b": 2})
        key = gateway.caller().key
        for _ in range(5):  # each a failure of a, and an answer of b
            assert gateway.chat(key, stream=True).header("x-moongate-channel") == "b"
        answer = gateway.chat(key, stream=True)
        attempts = gateway.explain(answer.request_id)["decision"]["attempts"]
        assert attempts[0]["channel"] == asked_first
        assert attempts[-1]["channel"] == "b"
    alone = routed(workshop, [ill], 'health = "out"')
    key = alone.caller().key
    statuses = [alone.chat(key, stream=True).status for _ in range(7)]
    assert statuses == [502] * 5 + [503] * 2


def test_latency(workshop):
    def slow(call):
        time.sleep(patience(0.1))
        obliging(call)

    for conf in ('prefer = "latency"', ""):
        gateway = routed(workshop, [workshop.upstream(slow), workshop.upstream(obliging)], conf)
        key = gateway.caller().key
        channels_of(gateway, key, 8)  # until both are known
        got = channels_of(gateway, key)
        assert (got["a"] == 0) == bool(conf), (conf, got)


def test_price(workshop):
    """The cheaper purchase, at the same price for the customer."""
    upstreams = two(workshop)
    for cheap in "ab":
        dear = "b" if cheap == "a" else "a"
        cost = {cheap: {"multiplier_ppm": 900_000}, dear: {"multiplier_ppm": 910_000}}
        gateway = routed(workshop, upstreams, 'prefer = "price"', cost=cost)
        assert channels_of(gateway, gateway.caller().key) == {cheap: 24}
        gateway.stop()


def test_region(workshop):
    upstreams = two(workshop)
    for region, chosen in [("us", "a"), ("eu", "b")]:
        gateway = routed(workshop, upstreams, f'region = "{region}"', region={"a": "us", "b": "eu"})
        assert channels_of(gateway, gateway.caller().key) == {chosen: 24}
        gateway.stop()


def test_affinity(workshop):
    """A session stays with its channel, on every worker; and sessions spread over the channels."""
    upstreams = two(workshop)
    gateway = routed(workshop, upstreams)
    key = gateway.caller().key
    homes = Counter()
    for session in range(16):
        got = channels_of(gateway, key, 12, headers={"x-session-id": f"talk {session}"})
        assert len(got) == 1, got
        homes.update(got.keys())
    assert min(homes["a"], homes["b"]) >= 2, homes
    assert len(channels_of(gateway, key, 40)) == 2  # without a session it is chance
    gateway.stop()
    gateway = routed(workshop, upstreams, "affinity = false")
    same = channels_of(gateway, gateway.caller().key, 40, headers={"x-session-id": "talk"})
    assert len(same) == 2, same


def test_what_the_client_asks_for(workshop):
    gateway = routed(workshop, two(workshop), priority={"a": 1, "b": 2})
    key = gateway.caller().key
    for constraints, chosen in [({}, "a"), ({"only": ["b"]}, "b"), ({"ignore": ["a"]}, "b"),
                                ({"order": ["b", "a"]}, "b")]:
        headers = {"x-moongate-constraints": json.dumps(constraints)}
        assert channels_of(gateway, key, 6, headers=headers) == {chosen: 6}, constraints


# --- When the chosen one fails ---


def story(gateway, answer):
    decision = gateway.explain(answer.request_id)["decision"]
    return [(a["channel"], a.get("failure"), a.get("then")) for a in decision["attempts"]], decision


def test_a_plain_request_is_retried_once_and_then_moves_on(workshop):
    first, second = workshop.upstream(failing), workshop.upstream(obliging)
    gateway = routed(workshop, [first, second], priority={"a": 1, "b": 2})
    answer = gateway.chat(gateway.caller().key)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    assert (len(first.requests), len(second.requests)) == (2, 1)
    attempts, decision = story(gateway, answer)
    assert attempts == [("a", "server_error", "retry"), ("a", "server_error", "next"),
                        ("b", None, None)]
    assert "retried" in decision["tags"]


def test_a_retry_that_succeeds_stays(workshop):
    def once(call):
        failing(call) if call.number == 0 else obliging(call)

    first, second = workshop.upstream(once), workshop.upstream(obliging)
    gateway = routed(workshop, [first, second], priority={"a": 1, "b": 2})
    answer = gateway.chat(gateway.caller().key)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "a")
    assert (len(first.requests), len(second.requests)) == (2, 0)


def test_fallback_goes_on_in_order_and_ends_with_the_last(workshop):
    upstreams = [workshop.upstream(failing) for _ in range(3)]
    gateway = routed(workshop, upstreams, priority={"a": 1, "b": 2, "c": 3})
    caller = gateway.caller()
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.code) == (502, "upstream_error")
    assert [len(upstream.requests) for upstream in upstreams] == [2, 1, 1]
    assert gateway.wallet(caller.tenant)["available"] == 10 * 10**9


def head_then_silence(call):
    call.send(stream_head() + chunk(b": keep-alive\n\n"))
    call.reset()


def head_then_end(call):
    call.send(stream_head() + chunk(b": keep-alive\n\n") + LAST_CHUNK)


def an_error_first(call):
    call.send(stream_head() + chunk(event({"error": {"message": "overloaded"}})) + LAST_CHUNK)


@pytest.mark.parametrize("fault", [failing, head_then_silence, head_then_end, an_error_first,
                                   lambda call: call.reset()])
def test_a_stream_moves_on_before_its_first_byte(workshop, fault):
    first, second = workshop.upstream(fault), workshop.upstream(obliging)
    gateway = routed(workshop, [first, second], priority={"a": 1, "b": 2})
    caller = gateway.caller()
    answer = gateway.chat(caller.key, stream=True)
    assert (answer.status, answer.header("x-moongate-channel")) == (200, "b")
    assert answer.is_complete and answer.events()[-1].is_done
    assert (len(first.requests), len(second.requests)) == (1, 1)
    assert gateway.wait_unheld(caller.tenant)["balance"] == 10 * 10**9 - 1650


@pytest.mark.parametrize("ending", ["reset", "closed", "error event"])
def test_after_its_first_byte_a_stream_ends_in_an_error_event(workshop, ending):
    """Never tried again, never taken for complete, and paid for what went out."""
    said = chat_events(("Two", " things", " fill"))[:4]
    gate = threading.Event()

    def broken(call):
        call.send(stream_head() + b"".join(chunk(one) for one in said))
        gate.wait(patience(10))
        if ending == "reset":
            call.reset()
        elif ending == "error event":
            call.send(chunk(event({"error": {"message": "overloaded"}})) + LAST_CHUNK)

    second = workshop.upstream(obliging)
    gateway = routed(workshop, [workshop.upstream(broken), second], priority={"a": 1, "b": 2})
    caller = gateway.caller()
    with gateway.connect() as connection:
        connection.ask("POST", "/v1/chat/completions", crowd.chat(stream=True), key=caller.key)
        head = connection.read_head()
        gate.set()
        answer = connection.read_body(head)
    events = answer.events()
    assert not answer.is_complete
    assert b"".join(one.raw for one in events[:-1]) == b"".join(said)
    assert events[-1].json()["error"]["type"] == "api_error"
    assert len(second.requests) == 0
    wallet = gateway.wait_unheld(caller.tenant)
    decision = gateway.explain(answer.request_id)["decision"]
    assert (decision["outcome"], decision["usage_source"]) == ("broken", "counted")
    assert 0 < 10 * 10**9 - wallet["balance"] < 10_000


def test_a_channel_that_is_full_is_passed_over(workshop):
    gate = threading.Event()

    def held(call):
        gate.wait(patience(20))
        call.send(plain(chat_answer()))

    full, second = workshop.upstream(held), workshop.upstream(obliging)
    gateway = routed(workshop, [full, second], priority={"a": 1, "b": 2},
                     concurrency_max={"a": 2})
    key = gateway.caller().key
    waiting = [gateway.connect() for _ in range(2)]
    for connection in waiting:
        connection.ask("POST", "/v1/chat/completions", crowd.chat(), key=key)
    deadline = time.monotonic() + patience(5)
    while len(full.requests) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert channels_of(gateway, key, 5) == {"b": 5}
    gate.set()
    assert [connection.read_answer().status for connection in waiting] == [200, 200]
    assert gateway.chat(key).header("x-moongate-channel") == "a"
