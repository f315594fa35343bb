"""Streamed answers: order, usage, cost, and what happens when one side goes away."""

import time

import openai
import pytest
from conftest import ASK, MODEL, held, note_cost, read_to_end, settlement, text_of, wait_until

USAGE = {"include_usage": True}


def test_a_stream_says_what_a_plain_answer_says(client, told):
    plain = client.chat.completions.create(model=MODEL, messages=ASK)
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options=USAGE
    )
    chunks = read_to_end(stream, told)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert text_of(chunks) == plain.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.prompt_tokens == plain.usage.prompt_tokens
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens
    assert told.cost(stream.response.headers["x-request-id"]) == told.cost(plain._request_id)


def test_usage_comes_only_where_it_was_asked_for(client):
    stream = client.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    chunks = list(stream)
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_cost_is_what_was_settled(client, told):
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, stream=True, stream_options=USAGE, n=2
    )
    chunks = read_to_end(stream, told)
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
    request = stream.response.headers["x-request-id"]
    assert settlement(request)["charge"] == f"{told.cost(request):.9f}"
    assert settlement(request)["source"] == "reported"


def test_chunks_arrive_when_they_are_sent(client, told):
    stream = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        stream=True,
        stream_options=USAGE,
        metadata={"x-lab-interval-ms": "25", "x-lab-tokens": "20"},
    )
    began, chunks, times = time.monotonic(), [], []
    for chunk in stream:
        chunks.append(chunk)
        times.append(time.monotonic() - began)
    note_cost(stream.response.headers["x-request-id"], chunks, told)
    assert times[1] < times[-1] / 3
    assert times[-1] > 0.4


def test_the_stream_helper_gathers_the_answer(client, told):
    with client.chat.completions.stream(
        model=MODEL, messages=ASK, stream_options=USAGE
    ) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()
        request = stream._response.headers["x-request-id"]
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert len(answer.choices[0].message.content) > 20
    told.note(request, answer.usage.cost)


def test_a_provider_that_says_no_usage_is_counted(client, told):
    stream = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        stream=True,
        stream_options=USAGE,
        metadata={"x-lab-fault": "missing-usage"},
    )
    chunks = read_to_end(stream, told)
    assert chunks[-1].usage.completion_tokens > 0
    assert settlement(stream.response.headers["x-request-id"])["source"] == "counted"


def test_odd_framing_reads_like_any_other(client, told):
    # Not odd-sse: this SDK takes a comment after an event with an id for an event without data.
    for fault in ("fragments", "no-done", "running-usage", "double-usage"):
        stream = client.chat.completions.create(
            model=MODEL,
            messages=ASK,
            stream=True,
            metadata={"x-lab-fault": fault, "x-lab-fault-at": "50"},
        )
        assert len(text_of(list(stream))) > 20, fault


def test_a_client_that_leaves_pays_for_what_it_got(client, lab):
    left = lab.counts()["clients_left"]
    stream = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        stream=True,
        stream_options=USAGE,
        metadata={"x-lab-interval-ms": "20", "x-lab-tokens": "500"},
    )
    for _ in range(8):
        next(stream)
    assert held() > 0
    stream.close()
    wait_until(lambda: held() == 0)
    end = settlement(stream.response.headers["x-request-id"])
    assert end["outcome"] == "client_left"
    assert end["source"] == "counted"
    output = next(line["units"] for line in end["lines"] if line["meter"] == "output")
    assert 4 <= output <= 60
    wait_until(lambda: lab.counts()["clients_left"] == left + 1)


def test_an_answer_that_breaks_off_is_an_error(client):
    for fault in ("reset-in-body", "half-close", "cut-before-done"):
        stream = client.chat.completions.create(
            model=MODEL,
            messages=ASK,
            stream=True,
            metadata={"x-lab-fault": fault, "x-lab-fault-at": "6", "x-lab-tokens": "40"},
        )
        if fault == "cut-before-done":
            # Everything but [DONE] came; the SDK minds no missing end, and neither choice is wrong.
            assert len(text_of(list(stream))) > 20
            continue
        with pytest.raises(openai.APIError) as error:
            list(stream)
        assert error.value.code == "upstream_error", fault
    wait_until(lambda: held() == 0)


def test_completions_stream_too(client, told):
    stream = client.completions.create(
        model=MODEL, prompt="Once upon a time", stream=True, stream_options=USAGE, max_tokens=12
    )
    chunks = read_to_end(stream, told)
    assert len("".join(chunk.choices[0].text for chunk in chunks if chunk.choices)) > 10
    assert chunks[-1].usage.completion_tokens == 12
