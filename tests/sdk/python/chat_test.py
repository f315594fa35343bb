"""Plain chat: what is said, what it costs, what the head tells."""

from decimal import Decimal

from conftest import ASK, MODEL, balance, moongate, settlement, wait_until

INPUT_PRICE = Decimal("0.15") / 1_000_000
CACHED_PRICE = Decimal("0.075") / 1_000_000
OUTPUT_PRICE = Decimal("0.6") / 1_000_000


def test_an_answer_has_all_its_parts(client):
    answer = client.chat.completions.create(model=MODEL, messages=ASK)
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == MODEL
    choice = answer.choices[0]
    assert choice.message.role == "assistant"
    assert len(choice.message.content) > 20
    assert choice.finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert min(usage.prompt_tokens, usage.completion_tokens) > 0


def test_the_head_tells_id_cost_channel_and_generation(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-moongate-channel"] == "steady"
    assert raw.headers["x-moongate-generation"] == "1"
    assert raw.headers["content-type"] == "application/json"
    assert Decimal(raw.headers["x-moongate-cost"]) > 0
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    assert raw.retries_taken == 0


def test_the_cost_is_the_price_of_the_usage(client):
    before = balance()
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASK)
    usage = raw.parse().usage
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    cost = (
        (usage.prompt_tokens - cached) * INPUT_PRICE
        + cached * CACHED_PRICE
        + usage.completion_tokens * OUTPUT_PRICE
    )
    told = Decimal(raw.headers["x-moongate-cost"])
    # Each line is rounded up to the nano-dollar.
    assert cost <= told < cost + Decimal("0.000000003")
    assert before - balance() == told
    assert Decimal(settlement(raw.headers["x-request-id"])["charge"]) == told


def test_several_choices_are_all_paid(client):
    one = client.chat.completions.create(model=MODEL, messages=ASK)
    three = client.chat.completions.create(model=MODEL, messages=ASK, n=3)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens > one.usage.completion_tokens


def test_a_limit_ends_the_answer(client):
    for name in ("max_tokens", "max_completion_tokens"):
        answer = client.chat.completions.create(model=MODEL, messages=ASK, **{name: 5})
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 5


def test_roles_and_other_scripts_go_through(client):
    messages = [
        {"role": "developer", "content": "Answer briefly."},
        {"role": "user", "content": "潮汐是怎么形成的？"},
        {"role": "assistant", "content": "月亮 \U0001f315 拉动海水。"},
        {"role": "user", "content": [{"type": "text", "text": "再说详细一点\u2028\"\\"}]},
    ]
    answer = client.chat.completions.create(model=MODEL, messages=messages, temperature=0.2, seed=7)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.choices[0].message.content)


def test_reasoning_tokens_are_told_and_paid(client):
    raw = client.chat.completions.with_raw_response.create(
        model="o3-mini", messages=ASK, reasoning_effort="high"
    )
    usage = raw.parse().usage
    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens
    cost = usage.prompt_tokens * Decimal("1.1") + usage.completion_tokens * Decimal("4.4")
    told = Decimal(raw.headers["x-moongate-cost"])
    assert abs(told - cost / 1_000_000) < Decimal("0.000000004")


def test_members_nobody_knows_go_through_untouched(client, lab):
    answer = client.chat.completions.create(
        model=MODEL, messages=ASK, extra_body={"not_yet_known": {"a": [1, None, 2.5e300]}}
    )
    assert answer.choices[0].message.content


def test_a_long_conversation(client):
    long = [{"role": "user", "content": "All work and no play. " * 10_000}]
    answer = client.chat.completions.create(model=MODEL, messages=long)
    assert answer.usage.prompt_tokens > 40_000


def test_another_channel_answers_when_the_first_is_gone(client):
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK)
    assert raw.headers["x-moongate-channel"] == "steady"
    # Decision records are written a little later than answers.
    story = {}
    wait_until(lambda: "decision" in story or story.update(moongate("explain", raw.request_id)))
    attempts = story["decision"]["attempts"]
    assert attempts[0]["channel"] == "absent"
    assert attempts[0]["failure"] == "connect"
    assert attempts[-1]["channel"] == "steady"
