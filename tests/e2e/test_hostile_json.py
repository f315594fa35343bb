"""Every hostile body of hostile/json, asked of the real server. What is refused reaches no upstream
and costs nothing; what is let through reaches it byte for byte."""

import json
import time

import pytest

import corpus
import tally
import wire
from place import SLOWNESS, patience

LINEAR_S = 1.0  # for the largest of them, 200 KB


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    gateway = module_workshop.gateway([upstream.channel()], start=False)
    gateway.set_models([
        {"id": "m", "price": {"input": "1", "output": "2"}},
        {"id": "e", "price": {"input": "1"}, "mode": "embedding", "max_output": None}])
    return gateway.start()


@pytest.fixture(scope="module")
def caller(gateway):
    return gateway.caller("100.00")


class Asker:
    """Sends bodies one after the other and says what became of each."""

    def __init__(self, gateway, upstream, caller):
        self.gateway, self.upstream, self.caller = gateway, upstream, caller
        self.balance = gateway.balance(caller.tenant)

    def ask(self, body, endpoint="/v1/chat/completions"):
        """'refused' or 'accepted'; anything else fails."""
        before, started = len(self.upstream.requests), time.monotonic()
        answer = self.gateway.ask("POST", endpoint, body, self.caller.key)
        assert time.monotonic() - started < patience(LINEAR_S), f"slow: {body[:80]!r}"
        reached = self.upstream.requests[before:]
        if answer.status == 200:
            assert [request.body for request in reached] == [body], body[:200]
            return "accepted", answer
        assert 400 <= answer.status < 500 and answer.is_complete, (body[:200], answer)
        assert not reached, body[:200]
        return "refused", answer

    def check_money(self, charges):
        wallet = self.gateway.wait_unheld(self.caller.tenant)
        assert self.balance - wallet["balance"] == charges


@pytest.fixture
def asker(gateway, upstream, caller):
    return Asker(gateway, upstream, caller)


CHAT_NANOS = 3 * 1000 + 2 * 2000
EMBEDDING_NANOS = 4 * 1000


def test_hostile_chat_and_embedding_bodies(asker):
    rows = corpus.table("hostile", "json", "llm.tsv")
    folder = corpus.path("hostile", "json", "llm")
    assert len(rows) == 68
    allowed = {"R": {"refused"}, "A": {"accepted"}, "E": {"refused", "accepted"}}
    wrong, charges = [], 0
    for row in rows:
        body = (folder / f"{row['id']}.body").read_bytes()
        outcome, answer = asker.ask(body, row["endpoint"])
        tally.count("json/llm", f"{row['class']} {outcome}")
        if outcome == "accepted":
            charges += EMBEDDING_NANOS if "embed" in row["endpoint"] else CHAT_NANOS
        if outcome not in allowed[row["class"]]:
            wrong.append(f"{row['id']} ({row['class']}, {row['why']}): {outcome} "
                         f"{answer.body[:200]}")
    assert not wrong, "\n".join(wrong)
    asker.check_money(charges)


def test_a_count_that_is_let_through_is_the_one_that_is_held(asker):
    """16.0 may be 16 or an error, never 1; the hold must cover what the upstream will read."""
    folder = corpus.path("hostile", "json", "llm")
    for name, output_tokens in [("max_tokens-float-int", 16), ("max_tokens-exp", 1000)]:
        outcome, answer = asker.ask((folder / f"{name}.body").read_bytes())
        if outcome == "accepted":
            story = asker.gateway.explain(answer.request_id)
            assert story["decision"]["output_tokens_bound"] >= output_tokens, name
    body = (folder / "n-two.body").read_bytes()
    outcome, answer = asker.ask(body)
    one = body.replace(b'"n":2', b'"n":1')
    assert one != body
    _, single = asker.ask(one)
    bounds = [asker.gateway.explain(a.request_id)["decision"]["output_tokens_bound"]
              for a in (answer, single)]
    assert bounds[0] == 2 * bounds[1]


def test_dimensions_of_embeddings_at_their_edges(asker):
    """limits::embedding_dimensions_max, and what is no count at all."""
    for dimensions, outcome in [(1, "accepted"), (65536, "accepted"), (65537, "refused"),
                                (0, "refused"), (1.5, "refused"), ("8", "refused")]:
        body = json.dumps({"model": "e", "input": "x", "dimensions": dimensions}).encode()
        assert asker.ask(body, "/v1/embeddings")[0] == outcome, dimensions


def wrapped(document):
    """The document in a place where anything may stand."""
    return (b'{"model":"m","messages":[{"role":"user","content":"hi"}],"metadata":' + document +
            b"}")


def test_the_json_test_suite(asker):
    """As a member's value: y_ must pass unchanged, n_ must be refused, i_ either. As the whole
    body none is a request: refused, whatever it is."""
    folder = corpus.path("hostile", "json", "JSONTestSuite")
    files = sorted(folder.glob("*.json"))
    assert len(files) >= 310
    wrong, charges = [], 0
    for path in files:
        kind, document = path.name[:2], path.read_bytes()
        outcome, answer = asker.ask(wrapped(document))
        charges += CHAT_NANOS if outcome == "accepted" else 0
        tally.count("json/JSONTestSuite", f"{kind} {outcome}")
        if outcome != {"y_": "accepted", "n_": "refused"}.get(kind, outcome):
            wrong.append(f"{path.name}: {outcome} {answer.body[:200]}")
        outcome, answer = asker.ask(document)
        if outcome != "refused" or kind == "n_" and answer.code != "invalid_json":
            wrong.append(f"{path.name} as the body: {outcome} {answer.body[:200]}")
    assert not wrong, "\n".join(wrong)
    asker.check_money(charges)


def test_documents_that_parsers_disagree_on(asker):
    """Refused, or handed on exactly as they are."""
    charges = 0
    files = sorted(corpus.path("hostile", "json", "JSONTestSuite-transform").glob("*.json"))
    assert len(files) == 22
    for path in files:
        outcome, _ = asker.ask(wrapped(path.read_bytes()))
        charges += CHAT_NANOS if outcome == "accepted" else 0
        tally.count("json/JSONTestSuite-transform", outcome)
    asker.check_money(charges)


def test_naughty_strings_pass_unchanged(asker):


    path = corpus.path("hostile", "strings", "blns", "blns.json")
    strings, charges = json.loads(path.read_text(encoding="utf-8")), 0
    for text in strings:
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]},
                          ensure_ascii=False).encode("utf-8", "surrogatepass")
        outcome, answer = asker.ask(body)
        assert outcome == "accepted", (text, answer.body)
        charges += CHAT_NANOS
        tally.count("strings/blns", outcome)
    asker.check_money(charges)


def test_large_bodies_leave_no_memory_behind(gateway, caller):
    folder = corpus.path("hostile", "json", "llm")
    bombs = [(folder / f"{name}.body").read_bytes() for name in ("depth-100k", "keys-50k",
                                                                   "same-key-5k", "model-long")]
    for body in bombs:
        gateway.ask("POST", "/v1/chat/completions", body, caller.key)
    before = wire.memory_bytes(gateway.pid)
    for _ in range(25):
        for body in bombs:
            gateway.ask("POST", "/v1/chat/completions", body, caller.key)
    after = wire.wait_memory_below(gateway.pid, before + 8 * 2**20)
    if SLOWNESS < 2:  # sanitizers keep freed memory
        assert after <= before + 8 * 2**20, (before, after)
