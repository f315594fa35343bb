"""Errors as the SDK shows them, and which of them it repeats."""

import time

import openai
import pytest
from conftest import ASK, MODEL, balance, held, wait_until


def ask(client, **options):
    return client.chat.completions.create(**{"model": MODEL, "messages": ASK, **options})


def test_a_wrong_key(connect):
    client = connect("mg-" + "0" * 43, max_retries=2)
    with pytest.raises(openai.AuthenticationError) as error:
        ask(client)
    assert error.value.status_code == 401
    assert error.value.code == "invalid_api_key"
    assert error.value.type == "authentication_error"
    assert error.value.request_id.startswith("req_")
    assert client.attempts.statuses() == [401]


def test_an_unknown_model(connect):
    client = connect(max_retries=2)
    with pytest.raises(openai.NotFoundError) as error:
        ask(client, model="no-such-model")
    assert (error.value.code, error.value.param) == ("model_not_found", "model")
    assert client.attempts.statuses() == [404]


def test_an_empty_wallet_is_told_once(connect, lab):
    asked = lab.requests()
    for streamed in (False, True):
        client = connect("KEY_EMPTY", max_retries=3)
        with pytest.raises(openai.APIStatusError) as error:
            ask(client, stream=streamed)
        assert error.value.status_code == 402
        assert error.value.code == "insufficient_quota"
        assert error.value.response.headers["x-should-retry"] == "false"
        assert client.attempts.statuses() == [402]
    assert lab.requests() == asked


def test_a_rate_limit_tells_when_to_come_back(connect, lab):
    client = connect("KEY_SLOW")
    ask(client)
    asked = lab.requests()
    with pytest.raises(openai.RateLimitError) as error:
        ask(client)
    assert error.value.code == "rate_limit_exceeded"
    headers = error.value.response.headers
    assert 50 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert lab.requests() == asked


def test_the_sdk_waits_as_long_as_a_rate_limit_says(connect):
    client = connect("KEY_BRISK")
    with pytest.raises(openai.RateLimitError) as error:
        for _ in range(100):
            ask(client, max_tokens=1)
    assert error.value.response.headers["retry-after"] == "1"
    patient = connect("KEY_BRISK", max_retries=2)
    # A token may have come back meanwhile: until one of these is refused, too.
    while 429 not in patient.attempts.statuses():
        ask(patient, max_tokens=1)
    assert patient.attempts.statuses()[-2:] == [429, 200]
    (_, refused), (_, served) = patient.attempts[-2:]
    assert served - refused >= 0.95


def test_a_limit_of_the_provider_is_passed_on(connect, lab):
    client = connect(max_retries=1)
    asked = lab.requests()
    with pytest.raises(openai.RateLimitError) as error:
        ask(
            client,
            model="gpt-4.1-mini",
            metadata={"x-lab-status": "429", "x-lab-retry-after": "3"},
        )
    assert int(error.value.response.headers["retry-after"]) >= 1
    (first, at_first), (second, at_second) = client.attempts
    assert (first, second) == (429, 429)
    assert at_second - at_first >= 2.95
    assert lab.requests() == asked + 2


def test_a_failing_provider_is_asked_again(connect, lab):
    client = connect(max_retries=1)
    asked = lab.requests()
    with pytest.raises(openai.InternalServerError) as error:
        ask(client, model="gpt-4.1", metadata={"x-lab-status": "500"})
    assert error.value.status_code == 502
    assert error.value.code == "upstream_error"
    assert client.attempts.statuses() == [502, 502]
    # The gateway retries a plain request once by itself.
    assert lab.requests() == asked + 4


def test_a_refusal_of_the_provider_keeps_its_words(connect, lab):
    client = connect(max_retries=2)
    asked = lab.requests()
    with pytest.raises(openai.UnprocessableEntityError) as error:
        ask(client, metadata={"x-lab-status": "422"})
    assert "could not be served" in error.value.message
    assert client.attempts.statuses() == [422]
    assert lab.requests() == asked + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": "Hello"},
        {"messages": []},
        {"max_tokens": -1},
        {"max_tokens": "many"},
        {"n": 0},
        {"stream": "yes"},
        {"stream_options": 7, "stream": True},
    ],
    ids=str,
)
def test_a_wrong_request_is_a_bad_request(connect, wrong):
    client = connect(max_retries=2)
    before = balance()
    with pytest.raises(openai.BadRequestError) as error:
        ask(client, **wrong)
    assert error.value.type == "invalid_request_error"
    assert error.value.message
    assert client.attempts.statuses() == [400]
    assert balance() == before


def test_a_missing_model_is_a_bad_request(connect):
    client = connect(max_retries=2)
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", body={"messages": ASK}, cast_to=object)
    assert client.attempts.statuses() == [400]


def test_what_is_not_there_is_not_found(connect):
    client = connect(max_retries=2)
    with pytest.raises(openai.NotFoundError) as error:
        client.post("/no/such/thing", body={}, cast_to=object)
    assert error.value.code == "not_found"


def test_a_client_that_cannot_wait_pays_nothing(connect):
    client = connect(timeout=0.25)
    before = balance()
    with pytest.raises(openai.APITimeoutError):
        ask(client, metadata={"x-lab-delay-ms": "5000"})
    wait_until(lambda: held() == 0)
    assert balance() == before


def test_a_timeout_between_chunks_settles_what_came(connect):
    client = connect(timeout=0.3)
    before = balance()
    stream = ask(
        client,
        stream=True,
        metadata={"x-lab-fault": "stall", "x-lab-fault-at": "6"},
    )
    with pytest.raises(openai.APITimeoutError):
        list(stream)
    stream.close()
    wait_until(lambda: held() == 0)
    assert balance() < before


def test_a_slow_provider_is_a_gateway_timeout(connect):
    client = connect()
    before = balance()
    began = time.monotonic()
    with pytest.raises(openai.InternalServerError) as error:
        ask(client, model="gpt-4.1-nano", stream=True, metadata={"x-lab-delay-ms": "5000"})
    assert error.value.status_code == 504
    assert error.value.code == "upstream_timeout"
    assert 0.35 < time.monotonic() - began < 3
    assert balance() == before
