"""What every test of this lane has at hand: clients of the real SDK, the wallet, the provider's
counts, and the list of costs that clients were told.
"""

import json
import os
import subprocess
import time
import urllib.request
from decimal import Decimal

import openai
import pytest

MODEL = "gpt-4o-mini"
ASK = [{"role": "user", "content": "How do tides come about?"}]


def setting(name: str) -> str:
    return os.environ["MOONGATE_SDK_" + name]


def moongate(*arguments: str):
    command = [setting("BINARY"), "--config", setting("CONFIG"), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def held() -> Decimal:
    return Decimal(moongate("wallet", "show", "--tenant", setting("TENANT"))["held"])


def balance() -> Decimal:
    return Decimal(moongate("wallet", "show", "--tenant", setting("TENANT"))["balance"])


def wait_until(condition, timeout_s: float = 10):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


# How a request ended by the books: the entries of `explain` that post or release its hold.
def settlement(request_id: str) -> dict:
    stories = []

    def is_settled():
        # The wallet shows what the book knows, the journal what it has written.
        stories.append(moongate("explain", request_id))
        return len(stories[-1]["journal"]) > 1

    wait_until(is_settled)
    return stories[-1]["journal"][-1]


class Told:
    """The costs that callers were told, by request id. The runner compares them with the ledger."""

    def __init__(self):
        self.costs = {}

    # Of a response whose head has just arrived.
    def note_head(self, response):
        if response.request.method == "POST" and response.status_code == 200:
            self.note(response.headers["x-request-id"], response.headers.get("x-moongate-cost"))

    # None: the caller wasn't told, or not yet.
    def note(self, request_id: str, cost):
        text = None if cost is None else f"{Decimal(str(cost)):.9f}"
        assert self.costs.get(request_id) in (None, text), f"{request_id} was told two costs"
        self.costs[request_id] = text

    def cost(self, request_id: str) -> Decimal:
        return Decimal(self.costs[request_id])

    def write(self):
        with open(setting("TOLD"), "a") as file:
            for request, cost in self.costs.items():
                file.write(json.dumps({"request": request, "cost": cost}) + "\n")


@pytest.fixture(scope="session")
def told():
    told = Told()
    yield told
    told.write()


class Attempts(list):
    """The (status, time) of each answer that a client got, those that its SDK retried included."""

    def note(self, response):
        self.append((response.status_code, time.monotonic()))

    def statuses(self):
        return [status for status, _ in self]


# Makes clients; `client.attempts` counts what they were answered on the wire.
@pytest.fixture
def connect(told):
    made = []

    def make(key: str = "KEY", **options) -> openai.OpenAI:
        attempts = Attempts()
        hooks = {"response": [told.note_head, attempts.note]}
        client = openai.OpenAI(
            base_url=setting("URL"),
            api_key=key if key.startswith("mg-") else setting(key),
            http_client=openai.DefaultHttpxClient(event_hooks=hooks),
            **{"max_retries": 0, "timeout": 20, **options},
        )
        client.attempts = attempts
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(connect):
    return connect()


@pytest.fixture
def connect_async(told):
    def make(**options) -> openai.AsyncOpenAI:
        attempts = Attempts()

        async def note(response):
            told.note_head(response)
            attempts.note(response)

        client = openai.AsyncOpenAI(
            base_url=setting("URL"),
            api_key=setting("KEY"),
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [note]}),
            **{"max_retries": 0, "timeout": 20, **options},
        )
        client.attempts = attempts
        return client

    return make


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Lab:
    """What the provider behind the gateway was asked."""

    def counts(self) -> dict:
        with urllib.request.urlopen(setting("LAB") + "/lab/counts", timeout=5) as answer:
            return json.load(answer)

    def requests(self) -> int:
        return self.counts()["requests"]


@pytest.fixture
def lab():
    return Lab()


# Reads a stream whose usage was asked for to its end, and notes the cost that its last chunk tells.
def read_to_end(stream, told: Told) -> list:
    chunks = list(stream)
    note_cost(stream.response.headers["x-request-id"], chunks, told)
    return chunks


def note_cost(request_id: str, chunks: list, told: Told):
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []
    told.note(request_id, chunks[-1].usage.cost)


def text_of(chunks: list) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
