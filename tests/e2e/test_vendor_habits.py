"""What vendors do that their documentation does not say: the client sees none of it, and what it is
charged is exact all the same."""

import json

import pytest

import sse
from gateway import nanos
from upstream import chat_answer, error, event, obliging, plain, streamed

MODEL, POINTS = "gpt-4o-mini", "text-embedding-3-small"
CREDIT = 10 * 10**9


def usage_of(prompt, completion, **members):
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion, **members}


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    return module_workshop.gateway([upstream.channel()], workers=2)


@pytest.fixture
def sends(upstream):
    """Sets what the upstream answers, until the test ends."""
    def answer(data, keeps=True):
        def script(call):
            if keeps:
                call.keep()
            call.send(data)

        upstream.answer = script

    yield answer
    upstream.answer = obliging


def spent(gateway, caller):
    return CREDIT - gateway.wait_unheld(caller.tenant)["balance"]


def charged_for(story):
    return story["decision"]["usage_source"], story["decision"]["usage"]


def chunk_of(choices, **members):
    return event({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000,
                  "model": MODEL, "choices": choices, **members})


def delta(content, reason=None):
    return [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]


# --- Long answers that tell their usage first ---


LOGPROBS = [{"token": " word", "logprob": -0.25, "bytes": [32, 119, 111, 114, 100],
             "top_logprobs": [{"token": f" {i}", "logprob": -0.5 * i, "bytes": [32, 48 + i]}
                              for i in range(20)]}] * 1500


def long_answer(usage):
    """1.7 MB, nearly all of it what a client wants to know of 1,500 tokens."""
    choice = {"index": 0, "logprobs": {"content": LOGPROBS}, "finish_reason": "length",
              "message": {"role": "assistant", "content": " word" * 1500}}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": MODEL,
            **usage, "choices": [choice]}
    text = json.dumps(body).encode()
    assert len(text) > 1_500_000
    return text


def test_a_long_answer_that_tells_its_usage_first_is_charged_by_it(
        gateway, prices, caller, sends):
    body = long_answer({"usage": usage_of(9, 1500)})
    sends(plain(body))
    answer = gateway.chat(caller.key, max_tokens=1500, logprobs=True, top_logprobs=20)
    assert (answer.status, answer.body, answer.is_complete) == (200, body, True)
    assert charged_for(gateway.explain(answer.request_id)) == ("reported", {"input": 9, "output": 1500})
    assert spent(gateway, caller) == prices.cost(MODEL, input=9, output=1500)


def test_a_long_answer_without_usage_costs_no_more_than_was_allowed(
        gateway, prices, caller, sends):
    body = long_answer({})
    sends(plain(body))
    answer = gateway.chat(caller.key, max_tokens=1500, logprobs=True, top_logprobs=20)
    assert (answer.status, answer.body) == (200, body)
    source, usage = charged_for(gateway.explain(answer.request_id))
    assert source == "counted" and 1500 <= usage["output"] <= 1500 + 64
    assert spent(gateway, caller) == prices.cost(MODEL, **usage)


def test_long_embeddings_that_tell_their_usage_first(gateway, prices, caller, sends):
    data = [{"object": "embedding", "index": i, "embedding": [0.015625, -0.03125] * 768}
            for i in range(100)]
    body = json.dumps({"object": "list", "model": POINTS,
                       "usage": {"prompt_tokens": 123, "total_tokens": 123}, "data": data}).encode()
    sends(plain(body))
    answer = gateway.ask("POST", "/v1/embeddings", {"model": POINTS, "input": ["Hello"] * 100},
                         caller.key)
    assert (answer.status, answer.body, len(body) > 1_500_000) == (200, body, True)
    assert charged_for(gateway.explain(answer.request_id)) == ("reported", {"input": 123})
    assert spent(gateway, caller) == prices.cost(POINTS, input=123)


# --- What nobody needs to change ---


def test_a_plain_answer_without_a_cost_is_passed_on_as_it_is(gateway, caller, sends):
    body = json.dumps(chat_answer("What does it cost?"), indent=3).encode() + b"\n "
    sends(plain(body))
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.body) == (200, body)


# --- Models whose ids are no plain words ---


ODD = ["meta-llama/Llama-3-8B", "a:b", "weird name", "plain"]
PRICE = {"input": "0.15", "output": "0.6"}
PATHS = {"meta-llama/Llama-3-8B": ODD[0], "meta-llama%2FLlama-3-8B": ODD[0],
         "meta-llama%2fLlama-3-8B": ODD[0], "a:b": ODD[1], "a%3Ab": ODD[1], "%61%3a%62": ODD[1],
         "weird%20name": ODD[2], "a%3Ac": None, "meta-llama": None, "meta-llama%2F": None,
         "weird%2520name": None, "weird+name": None, "plain%2F": None}


def test_a_model_is_found_however_its_id_is_escaped(workshop):
    gateway = workshop.gateway([workshop.upstream().channel()], start=False)
    gateway.set_models([{"id": id, "price": PRICE} for id in ODD])
    key = gateway.start().caller().key
    for path, id in PATHS.items():
        answer = gateway.get(f"/v1/models/{path}", key)
        if id:
            assert (answer.status, answer.json()["id"]) == (200, id), path
        else:
            assert (answer.status, answer.code) == (404, "model_not_found"), path


# --- Refusals and rests ---


@pytest.mark.parametrize("message", [
    "Invalid schema for function 'login': property 'api_key' is missing a type",
    "Additional properties are not allowed ('api_key' was unexpected)"])
def test_a_400_that_only_names_an_api_key_is_the_clients_own(workshop, message):
    body = json.dumps(error(message, param="tools", code=None)).encode()
    upstream = workshop.upstream(plain(body, "400 Bad Request"))
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    for number in range(1, 8):  # two more than open the breaker
        answer = gateway.chat(caller.key, stream=number > 5)
        assert (answer.status, answer.body) == (400, body)
        assert len(upstream.requests) == number
    assert b'moongate_channel_breaker{channel="up"} 0\n' in gateway.get("/metrics").body
    upstream.answer = obliging
    assert gateway.chat(caller.key).status == 200


@pytest.mark.parametrize("status", ["401 Unauthorized", "400 Bad Request"])
def test_what_is_wrong_with_our_key_is_not_the_clients_to_read(workshop, status):
    secret = "sk-upstream-secret"
    said = error(f"Incorrect API key provided: {secret}. You can find yours at example.com",
                 code="invalid_api_key")
    upstream = workshop.upstream(plain(said, status))
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    for streamed in (False, True):
        answer = gateway.chat(caller.key, stream=streamed)
        assert (answer.status, answer.code) == (502, "upstream_error")
        assert secret not in str(answer) and "API key" not in str(answer)
        story = json.dumps(gateway.explain(answer.request_id))
        assert secret not in story and "denied" in story
    assert secret not in gateway.program.stderr()
    assert gateway.wallet(caller.tenant)["available"] == CREDIT


BUSY = plain(error("slow down"), "429 Too Many Requests", {"Retry-After": "3"})
FAULT = plain(error("oops"), "500 Internal Server Error")


@pytest.mark.parametrize("answer, status, count, most_s", [(BUSY, 429, 1, 3), (FAULT, 502, 5, 30)],
                         ids=["rate limited", "breaker open"])
def test_while_the_only_channel_rests_clients_are_told_for_how_long(
        workshop, answer, status, count, most_s):
    upstream = workshop.upstream(answer)
    gateway = workshop.gateway([upstream.channel()])
    key = gateway.caller().key
    failed = [gateway.chat(key, stream=status == 502) for _ in range(count)]
    assert {one.status for one in failed} == {status}
    assert failed[0].header("retry-after") == ("3" if status == 429 else None)
    for streamed in (False, True):
        told = gateway.chat(key, stream=streamed)
        assert (told.status, told.code) == (503, "no_channel_available")
        assert 1 <= int(told.header("retry-after")) <= most_s
    assert len(upstream.requests) == count


# --- A vendor that refuses stream_options ---


@pytest.fixture(scope="module")
def strict(module_workshop):
    """A gateway to Mistral, as scripts/providers/mistral.lua has it; its upstream."""
    upstream = module_workshop.upstream()
    gateway = module_workshop.gateway([upstream.channel(provider="mistral")], start=False)
    gateway.set_models([{"id": "mistral-tiny", "provider": "mistral", "price": PRICE}])
    return gateway.start(), upstream


REST = {"model": "mistral-tiny", "stream": True, "user": "stream_options",
        "messages": [{"role": "user", "content": "\"stream_options\": {}, }"}],
        "metadata": {"stream_options": {"include_usage": False}}}
GIVEN = {"asked": {"include_usage": True}, "more": {"include_usage": True, "other": {"a": [1, {}]}},
         "not asked": {"include_usage": False}, "empty": {}, "null": None}


@pytest.mark.parametrize("separators", [(", ", ": "), (",", ":")], ids=["usual", "dense"])
@pytest.mark.parametrize("at", [0, 2, len(REST)], ids=["first", "middle", "last"])
@pytest.mark.parametrize("given", GIVEN)
def test_stream_options_are_left_out_and_the_rest_is_as_it_was(strict, given, at, separators):
    gateway, upstream = strict
    members = list(REST.items())
    members.insert(at, ("stream_options", GIVEN[given]))
    body = json.dumps(dict(members), separators=separators).encode()
    answer = gateway.ask("POST", "/v1/chat/completions", body, gateway.caller().key)
    assert answer.status == 200 and answer.events()[-1].is_done
    assert upstream.requests[-1].body == json.dumps(REST, separators=separators).encode()


@pytest.mark.parametrize("told", ["finish chunk", "own chunk", "nowhere"])
def test_who_asked_for_usage_gets_it_all_the_same(strict, told):
    gateway, upstream = strict
    finish = {"usage": usage_of(3, 2)} if told == "finish chunk" else {}
    events = [chunk_of(delta("Hel")), chunk_of(delta("lo")), chunk_of(delta("", "stop"), **finish)]
    if told == "own chunk":
        events.append(chunk_of([], usage=usage_of(3, 2)))
    upstream.answer = streamed(b"".join(events) + b"data: [DONE]\n\n")
    caller = gateway.caller("10.00")
    answer = gateway.chat(caller.key, model="mistral-tiny", stream=True,
                          stream_options={"include_usage": True})
    upstream.answer = obliging
    assert sse.text(answer.events()) == "Hello" and answer.events()[-1].is_done
    usage = json.loads(answer.events()[-2].data, parse_float=str)["usage"]
    assert nanos(usage["cost"]) == spent(gateway, caller) > 0
    assert usage["completion_tokens"] == 2


# --- Numbers and errors, written in other ways ---


@pytest.mark.parametrize("form", [False, True], ids=["plain", "streamed"])
def test_usage_in_floats_is_believed(gateway, prices, caller, sends, form):
    usage = usage_of(9.0, 5.0, prompt_tokens_details={"cached_tokens": 4.0})
    chunks = [chunk_of(delta("Hello", "stop")), chunk_of([], usage=usage), b"data: [DONE]\n\n"]
    sends(streamed(b"".join(chunks)) if form else plain(chat_answer(usage=usage)))
    answer = gateway.chat(caller.key, stream=form)
    assert charged_for(gateway.explain(answer.request_id)) == (
        "reported", {"input": 5, "cached_input": 4, "output": 5})
    assert spent(gateway, caller) == prices.cost(MODEL, input=5, cached_input=4, output=5)


@pytest.mark.parametrize("nothing", ["", {}, None, False], ids=repr)
def test_an_error_that_says_nothing_is_none(gateway, prices, caller, sends, nothing):
    cost = prices.cost(MODEL, input=3, output=2)
    sends(plain(chat_answer(error=nothing)))
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.json()["error"]) == (200, nothing)
    sends(streamed(b"".join([chunk_of(delta("Hel"), error=nothing),
                             chunk_of(delta("lo", "stop"), error=nothing),
                             chunk_of([], usage=usage_of(3, 2), error=nothing)])))
    answer = gateway.chat(caller.key, stream=True)
    assert sse.text(answer.events()) == "Hello"
    assert spent(gateway, caller) == 2 * cost


@pytest.mark.parametrize("form", [False, True], ids=["plain", "streamed"])
def test_a_text_cut_within_a_pair_is_passed_on_and_charged(gateway, prices, caller, sends, form):
    halves = [chunk_of(delta("Well \ud83d")), chunk_of(delta("\ude00", "stop")),
              chunk_of([], usage=usage_of(9, 5)), b"data: [DONE]\n\n"]
    body = json.dumps(chat_answer("Well \ud83d", prompt=9, completion=5)).encode()
    assert b"\\ud83d" in body and b"\\ude00" in halves[1]
    sends(streamed(b"".join(halves)) if form else plain(body))
    answer = gateway.chat(caller.key, stream=form)
    assert (answer.status, answer.is_complete) == (200, True)
    if form:
        assert sse.text(answer.events()) == "Well \ud83d\ude00"
    else:
        assert answer.body == body
    assert charged_for(gateway.explain(answer.request_id)) == ("reported", {"input": 9, "output": 5})
    assert spent(gateway, caller) == prices.cost(MODEL, input=9, output=5)


def test_half_a_pair_in_a_stream_without_usage_is_counted(gateway, caller, sends):
    sends(streamed(b"".join([chunk_of(delta("one two three four \ud83d")),
                             chunk_of(delta("\ude00", "stop")), b"data: [DONE]\n\n"])))
    answer = gateway.chat(caller.key, stream=True)
    assert answer.is_complete
    source, usage = charged_for(gateway.explain(answer.request_id))
    assert source == "counted" and 5 <= usage["output"] <= 10
