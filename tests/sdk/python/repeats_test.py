"""Many at once, and the same thing twice."""

import asyncio
import uuid
from decimal import Decimal

import openai
import pytest
from conftest import ASK, MODEL, balance, held, note_cost, text_of, wait_until

PARALLEL = 50


def under(key: str) -> dict:
    return {"extra_headers": {"Idempotency-Key": key}}


@pytest.mark.anyio
async def test_fifty_requests_at_once(connect_async, told):
    async with connect_async() as client:

        async def plain(i: int) -> str:
            messages = [{"role": "user", "content": f"What is {i} plus {i}?"}]
            answer = await client.chat.completions.create(model=MODEL, messages=messages)
            return answer._request_id

        async def streamed(i: int) -> str:
            stream = await client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": f"What is {i} times {i}?"}],
                stream=True,
                stream_options={"include_usage": True},
                metadata={"x-lab-interval-ms": "2"},
            )
            chunks = [chunk async for chunk in stream]
            assert len(text_of(chunks)) > 20
            request = stream.response.headers["x-request-id"]
            note_cost(request, chunks, told)
            return request

        before = balance()
        kinds = [plain, streamed]
        requests = await asyncio.gather(*(kinds[i % 2](i) for i in range(PARALLEL)))
    assert len(set(requests)) == PARALLEL
    assert before - balance() == sum(told.cost(request) for request in requests)


@pytest.mark.anyio
async def test_cancelled_streams_settle(connect_async):
    async with connect_async() as client:

        async def read():
            stream = await client.chat.completions.create(
                model=MODEL,
                messages=ASK,
                stream=True,
                metadata={"x-lab-interval-ms": "20", "x-lab-tokens": "400"},
            )
            async for _ in stream:
                pass

        tasks = [asyncio.create_task(read()) for _ in range(10)]
        await asyncio.sleep(0.4)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    wait_until(lambda: held() == 0)


def test_the_same_key_is_charged_once(client, lab):
    key = str(uuid.uuid4())
    asked, before = lab.requests(), balance()
    create = client.chat.completions.with_raw_response.create
    first = create(model=MODEL, messages=ASK, **under(key))
    again = create(model=MODEL, messages=ASK, **under(key))
    assert again.headers["x-request-id"] == first.headers["x-request-id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.text == first.text
    assert again.parse().choices[0].message.content == first.parse().choices[0].message.content
    assert lab.requests() == asked + 1
    assert before - balance() == Decimal(first.headers["x-moongate-cost"])


def test_another_request_under_the_same_key_is_a_conflict(connect):
    client = connect(max_retries=2)
    key = str(uuid.uuid4())
    client.chat.completions.create(model=MODEL, messages=ASK, **under(key))
    with pytest.raises(openai.ConflictError) as error:
        client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=7, **under(key))
    assert error.value.code == "idempotency_mismatch"
    assert client.attempts.statuses() == [200, 409]


def test_a_stream_is_not_repeated_under_the_same_key(connect):
    client = connect(max_retries=2)
    key = str(uuid.uuid4())
    ask = {"model": MODEL, "messages": ASK, "stream": True, **under(key)}
    assert len(text_of(list(client.chat.completions.create(**ask)))) > 20
    before = balance()
    with pytest.raises(openai.ConflictError) as error:
        client.chat.completions.create(**ask)
    assert error.value.code == "idempotency_replayed"
    assert "req_" in error.value.message
    assert client.attempts.statuses() == [200, 409]
    assert balance() == before


@pytest.mark.anyio
async def test_two_at_once_under_the_same_key(connect_async, lab):
    asked = lab.requests()
    async with connect_async(max_retries=5) as client:
        key = str(uuid.uuid4())

        def ask():
            return client.chat.completions.create(
                model=MODEL, messages=ASK, metadata={"x-lab-delay-ms": "400"}, **under(key)
            )

        ends = await asyncio.gather(ask(), ask(), return_exceptions=True)
        statuses = client.attempts.statuses()
    # One was told to come again, did so by itself, and got the other's answer.
    assert 409 in statuses and statuses.count(200) == 2
    assert ends[0].id == ends[1].id
    assert lab.requests() == asked + 1


def test_what_came_to_nothing_may_be_asked_again_under_its_key(connect):
    key = str(uuid.uuid4())
    ask = {"model": MODEL, "messages": ASK, "metadata": {"x-lab-delay-ms": "600"}, **under(key)}
    before = balance()
    with pytest.raises(openai.APITimeoutError):
        connect(timeout=0.2).chat.completions.create(**ask)
    wait_until(lambda: held() == 0)
    assert balance() == before
    answer = connect().chat.completions.with_raw_response.create(**ask)
    assert "idempotency-replayed" not in answer.headers
    assert before - balance() == Decimal(answer.headers["x-moongate-cost"])
