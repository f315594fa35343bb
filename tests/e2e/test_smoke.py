"""One walk through everything that works from the outside, against the real binary."""

import time

import pytest

import sse
from place import patience
from pricing import Catalogue


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    return module_workshop.gateway([upstream.channel()])


def test_plain_chat_is_answered_and_charged_exactly(gateway, upstream, prices, caller):
    answer = gateway.chat(caller.key)
    assert answer.status == 200 and answer.is_complete
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    cost = prices.cost("gpt-4o-mini", input=3, output=2)
    assert cost == 1650  # 3 x 150 + 2 x 600 nano-dollars
    assert answer.header("x-moongate-cost") == "0.00000165"
    assert answer.header("x-moongate-channel") == "up"
    assert answer.header("x-moongate-generation") == "1"
    assert gateway.wallet(caller.tenant) == {"balance": 10 * 10**9 - cost, "held": 0,
                                             "available": 10 * 10**9 - cost}
    received = upstream.requests[-1]
    assert received.header("authorization") == "Bearer sk-upstream-secret"
    assert caller.key.encode() not in received.head + received.body


def test_a_stream_ends_with_usage_and_cost(gateway, upstream, prices, caller):
    answer = gateway.chat(caller.key, stream=True, stream_options={"include_usage": True})
    assert answer.status == 200 and answer.is_complete
    assert answer.header("content-type") == "text/event-stream"
    events = answer.events()
    assert sse.text(events) == "Hello"
    assert events[-1].is_done
    cost = prices.cost("gpt-4o-mini", input=3, output=2)
    assert '"cost":0.00000165' in events[-2].data
    assert events[-2].json()["usage"]["completion_tokens"] == 2
    assert gateway.balance(caller.tenant) == 10 * 10**9 - cost


def test_a_stream_without_the_wish_shows_no_usage(gateway, upstream, prices, caller):
    answer = gateway.chat(caller.key, stream=True)
    events = answer.events()
    assert sse.text(events) == "Hello" and events[-1].is_done
    assert not any("usage" in event.json() for event in events if not event.is_done)
    assert upstream.requests[-1].json()["stream_options"] == {"include_usage": True}
    cost = prices.cost("gpt-4o-mini", input=3, output=2)
    assert gateway.balance(caller.tenant) == 10 * 10**9 - cost


def test_completions(gateway, prices, caller):
    answer = gateway.ask("POST", "/v1/completions", key=caller.key,
                         body={"model": "gpt-4o-mini", "prompt": "Hello", "max_tokens": 5})
    assert answer.status == 200
    assert answer.json()["choices"][0]["text"] == " there"
    assert gateway.balance(caller.tenant) == (
        10 * 10**9 - prices.cost("gpt-4o-mini", input=3, output=2))


def test_embeddings(gateway, prices, caller):
    answer = gateway.ask("POST", "/v1/embeddings", key=caller.key,
                         body={"model": "text-embedding-3-small", "input": ["a", "b"]})
    assert answer.status == 200
    assert [item["index"] for item in answer.json()["data"]] == [0, 1]
    assert gateway.balance(caller.tenant) == (
        10 * 10**9 - prices.cost("text-embedding-3-small", input=4))


def test_models(gateway, caller):
    listed = gateway.get("/v1/models", caller.key).json()
    names = [model["id"] for model in listed["data"]]
    assert listed["object"] == "list" and "gpt-4o-mini" in names
    assert gateway.get("/v1/models/gpt-4o-mini", caller.key).json()["id"] == "gpt-4o-mini"
    unknown = gateway.get("/v1/models/nothing", caller.key)
    assert (unknown.status, unknown.code) == (404, "model_not_found")
    assert gateway.get("/v1/models").status == 401


def test_health_and_metrics(gateway, caller):
    assert gateway.get("/health/live").json() == {"status": "ok"}
    ready = gateway.get("/health/ready")
    assert ready.status == 200
    assert ready.json() == {"status": "ready", "generation": 1, "store": "ok", "policies": "ok"}
    gateway.chat(caller.key)
    metrics = gateway.get("/metrics").body.decode()
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if line[:1] not in ("#", ""))
    answered = {name: int(value) for name, value in values.items()
                if name.startswith("moongate_requests_total") and 'operation="chat"' in name}
    assert sum(answered.values()) >= 1, metrics


def test_errors_have_openai_shape(gateway, caller):
    for answer, status, code in [
            (gateway.chat("mg-unknown"), 401, "invalid_api_key"),
            (gateway.chat(caller.key, model="no-such-model"), 404, "model_not_found"),
            (gateway.chat(caller.key, max_tokens=0), 400, "invalid_value"),
            (gateway.get("/nowhere"), 404, "not_found"),
            (gateway.ask("DELETE", "/v1/chat/completions"), 405, "method_not_allowed")]:
        assert (answer.status, answer.code) == (status, code), answer
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.request_id.startswith("req_")


def test_an_empty_wallet_pays_nothing(gateway, upstream):
    poor = gateway.caller(credit=None)
    before = len(upstream.requests)
    answer = gateway.chat(poor.key)
    assert (answer.status, answer.code) == (402, "insufficient_quota")
    assert answer.header("x-should-retry") == "false"
    assert len(upstream.requests) == before


def test_explain_tells_the_story(gateway, prices, caller):
    answer = gateway.chat(caller.key)
    story = gateway.explain(answer.request_id)
    decision = story["decision"]
    assert decision["tenant"] == caller.tenant and decision["key"] == caller.key_id
    assert decision["usage"] == {"input": 3, "output": 2}
    assert decision["usage_source"] == "reported"
    assert [attempt["channel"] for attempt in decision["attempts"]] == ["up"]
    post = [entry for entry in story["journal"] if entry["kind"] == "post"][0]
    assert [(line["meter"], line["units"]) for line in post["lines"]] == [("input", 3),
                                                                        ("output", 2)]
    assert post["charge"] == "0.000001650" and post["postings"]


def test_usage_counts_it(gateway, caller):
    gateway.chat(caller.key)
    gateway.chat(caller.key)
    rows = {row["name"]: row for row in gateway.cli("usage", "--by", "tenant")["rows"]}
    assert rows[caller.tenant]["requests"] == 2
    assert rows[caller.tenant]["units"] == {"input": 6, "output": 4}
    assert rows[caller.tenant]["charge"] == "0.000003300"


def test_a_revoked_key_is_refused_by_the_next_request(gateway, caller):
    assert gateway.chat(caller.key).status == 200
    gateway.cli("key", "revoke", caller.key_id)
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.code) == (401, "invalid_api_key")


def test_an_edited_policy_changes_the_next_request(workshop):
    first, second = workshop.upstream(), workshop.upstream()
    gateway = workshop.gateway([first.channel("first", priority=1),
                                second.channel("second", priority=2)])
    key = gateway.caller().key
    assert gateway.chat(key).header("x-moongate-channel") == "first"
    gateway.script("policies/routing.lua").write_text("""
        return {
          name = "routing",
          route = function(_, _, candidates)
            local order = {}
            for i = #candidates, 1, -1 do
              order[#order + 1] = candidates[i]
            end
            return order
          end,
        }
    """)
    deadline = time.monotonic() + patience(2)
    while gateway.get("/health/ready").json()["generation"] == 1:
        assert time.monotonic() < deadline, gateway.program.stderr()
        time.sleep(0.02)
    answer = gateway.chat(key)
    assert answer.header("x-moongate-channel") == "second"
    assert answer.header("x-moongate-generation") == "2"
    assert (len(first.requests), len(second.requests)) == (1, 1)


def test_the_built_in_provider_behind_the_gateway(workshop):
    lab = workshop.lab()
    gateway = workshop.gateway([lab.channel()])
    caller = gateway.caller()
    said = gateway.chat(caller.key, text="Say something").json()
    usage = said["usage"]
    streamed = gateway.chat(caller.key, text="Say something", stream=True,
                            stream_options={"include_usage": True})
    assert sse.text(streamed.events()) == said["choices"][0]["message"]["content"]
    cost = Catalogue(gateway.folder / "data").cost(
        "gpt-4o-mini", input=usage["prompt_tokens"], output=usage["completion_tokens"])
    assert gateway.balance(caller.tenant) == 10 * 10**9 - 2 * cost
    spoilt = gateway.chat(caller.key, metadata={"x-lab-fault": "close-before-head"})
    assert (spoilt.status, spoilt.code) == (502, "upstream_error")
    assert gateway.wait_unheld(caller.tenant)["balance"] == 10 * 10**9 - 2 * cost
    assert lab.counts()
