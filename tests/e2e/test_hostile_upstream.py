"""What the gateway makes of broken and hostile upstreams: every answer of
hostile/upstream/responses and every stream of hostile/upstream/sse, from a raw socket behind the
real server.

Each case has a channel and a model of its own, so that the breaker of one never shields another."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import corpus
import tally
import upstream as wires
from gateway import nanos
from pricing import short_text
from relayed import differences

PRICE = {"input": "1", "output": "2"}
IN_NANOS, OUT_NANOS = 1000, 2000


class Stage:
    """A gateway before one upstream that answers by case and by manner."""

    def __init__(self, workshop, cases):
        self.upstream = workshop.upstream(self.answer)
        self.cases = cases
        channels = [{**self.upstream.channel(name, {name: True}),
                     "base_url": f"http://127.0.0.1:{self.upstream.port}/{name}/v1"}
                    for name in cases]
        self.gateway = workshop.gateway(channels, start=False, log={"level": "debug"})
        self.gateway.set_models([{"id": name, "price": PRICE} for name in cases])
        self.gateway.without_breaker()
        self.gateway.start()
        self.caller = self.gateway.caller("1000.00")
        self.manners = {}

    def answer(self, call):
        manner = call.request.json().get("user", "")
        self.manners[manner](call, self.cases[call.request.target.split("/")[1]])

    def ask(self, name, manner, **members):
        return self.gateway.chat(self.caller.key, model=name, user=manner, seconds=20, **members)

    def asked(self, name):
        return [r for r in self.upstream.requests if r.target.split("/")[1] == name]

    def ask_all(self, manner, **members):
        with ThreadPoolExecutor(8) as pool:
            return dict(zip(self.cases, pool.map(
                lambda name: self.ask(name, manner, **members), self.cases)))

    def explain_all(self, answers):
        with ThreadPoolExecutor(4) as pool:
            return dict(zip(answers, pool.map(
                lambda answer: self.gateway.explain(answer.request_id), answers.values())))


# --- Whole answers ---


@pytest.fixture(scope="module")
def responses(module_workshop):
    rows = corpus.table("hostile", "upstream", "responses.tsv")
    folder = corpus.path("hostile", "upstream", "responses")
    assert len(rows) == 33
    stage = Stage(module_workshop, {r["id"]: (folder / f"{r['id']}.raw").read_bytes()
                                    for r in rows})
    stage.rows = {row["id"]: row["expected"] for row in rows}
    stage.manners["close"] = lambda call, payload: call.send(payload)
    stage.manners["bytewise"] = lambda call, payload: call.send(payload[:400], split=1) and \
        call.send(payload[400:], split=16384)
    return stage


OK_ROWS = {"ok", "set-cookie", "hop-by-hop", "103", "two-responses", "http10"}
OK_BODY = (b'{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":'
           b'"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,'
           b'"completion_tokens":1,"total_tokens":4}}')
ALLOWED_HEADERS = {"date", "connection", "content-length", "content-type", "x-request-id",
                   "x-moongate-generation", "x-moongate-channel", "x-moongate-cost",
                   "retry-after", "x-should-retry", "transfer-encoding", "cache-control"}


def response_problem(name, expected, answer):
    names = {key.lower() for key, _ in answer.headers}
    if names - ALLOWED_HEADERS:
        return f"headers {names - ALLOWED_HEADERS}"
    if not answer.is_complete or b"sk-upstre" in answer.body:
        return "cut, or the upstream's key is shown"
    if name in OK_ROWS:
        return None if (answer.status, answer.body) == (200, OK_BODY) else "not the first answer"
    if name == "100-storm":
        return None if answer.status in (200, 502) else "neither bounded nor ok"
    if name == "429":
        good = answer.status == 429 and answer.header("retry-after") == "0"
        return None if good and answer.code == "rate_limit_exceeded" else "not a 429, clamped"
    good = answer.status in (502, 503) and answer.json()["error"]["type"] == "api_error"
    return None if good else f"not a bad gateway ({expected})"


@pytest.mark.parametrize("manner", ["close", "bytewise"])
def test_hostile_answers_to_plain_requests(responses, manner):
    stage = responses
    balance = stage.gateway.balance(stage.caller.tenant)
    answers = stage.ask_all(manner)
    wrong, charged = [], 0
    for name, answer in answers.items():
        problem = response_problem(name, stage.rows[name], answer)
        tally.count(f"upstream/responses, plain, {manner}", f"{answer.status}")
        if problem:
            wrong.append(f"{name} ({stage.rows[name]}): {problem}: {answer}")
        charged += 3 * IN_NANOS + OUT_NANOS if answer.status == 200 else 0
    assert not wrong, "\n".join(wrong)
    wallet = stage.gateway.wait_unheld(stage.caller.tenant)
    assert balance - wallet["balance"] == charged
    for name, story in stage.explain_all(answers).items():
        kinds = [entry["kind"] for entry in story["journal"]]
        assert kinds == ["hold", "post" if answers[name].status == 200 else "void"], (name, kinds)
        assert "sk-upstre" not in str(story), name
    assert all(request.method == "POST" for request in stage.upstream.requests)
    assert "sk-upstre" not in stage.gateway.program.stderr()


def test_hostile_answers_to_streamed_requests(responses):
    """None of them is a stream: refused before a byte, nothing charged."""
    stage = responses
    balance = stage.gateway.balance(stage.caller.tenant)
    for name, answer in stage.ask_all("close", stream=True).items():
        tally.count("upstream/responses, streamed", f"{answer.status}")
        assert answer.status in ((429, 502, 503) if name == "429" else (502, 503)), (name, answer)
        assert b"sk-upstre" not in answer.body
    assert stage.gateway.wait_unheld(stage.caller.tenant)["balance"] == balance


@pytest.mark.parametrize("name, reused", [
    ("ok", True), ("set-cookie", True), ("hop-by-hop", True), ("two-responses", False),
    ("http10", False), ("204-body", False)])
def test_a_connection_is_used_again_only_after_a_clean_answer(responses, name, reused):
    """The upstream leaves the connection open; what it sent too much must never be the answer to
    somebody else's request."""
    stage, used = responses, []

    def stay_open(call, payload):
        used.append(call.socket.getpeername()[1])
        call.keep()
        call.send(payload)
        if name == "http10":  # has no other end; a second request could still come before it
            call.half_close()

    stage.manners["stay"] = stay_open
    for _ in range(3):
        answer = stage.ask(name, "stay")
        assert response_problem(name, stage.rows[name], answer) is None, answer
    assert len(used) == (3 if answer.status == 200 else 6)  # a failure is tried once more
    assert len(set(used)) == (1 if reused else len(used))


# --- Streams ---


@pytest.fixture(scope="module")
def streams(module_workshop):
    rows = corpus.table("hostile", "upstream", "sse.tsv")
    folder = corpus.path("hostile", "upstream", "sse")
    assert len(rows) == 33
    stage = Stage(module_workshop, {r["id"]: (folder / f"{r['id']}.sse").read_bytes()
                                    for r in rows})
    stage.rows = {row["id"]: row for row in rows}

    def bytewise(call, body):
        step = 1 if len(body) < 2000 else 173
        chunks = b"".join(wires.chunk(body[i : i + step]) for i in range(0, len(body), step))
        call.send(wires.stream_head())
        call.send(chunks + wires.LAST_CHUNK, split=7 if len(body) < 2000 else 4096)

    def until_close(call, body):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body)

    stage.manners["whole"] = lambda call, body: call.send(wires.streamed(body))
    stage.manners["bytewise"] = bytewise
    stage.manners["until-close"] = until_close
    return stage


# What each ends like: complete by default; voided: 502, nothing charged; broken: cut off behind
# what was relayed, which is charged.
VOIDED = {"empty", "html", "endless-line"}
BROKEN = {"cut-mid-event", "error-event"}
# Anthropic's protocol on an OpenAI channel: no choices, no end. Not taken for complete.
FOREIGN = {"anthropic"}


def said(answer):
    """What the choices of a stream say, '|' between them."""
    texts = {}
    for event in answer.events():
        if event.is_done or not event.data.startswith("{") or event.data.startswith("{not"):
            continue
        try:
            value = event.json()
        except ValueError:
            continue
        for choice in value.get("choices") or []:
            content = (choice.get("delta") or {}).get("content")
            if content:
                texts[choice.get("index", 0)] = texts.get(choice.get("index", 0), "") + content
    return "|".join(text for _, text in sorted(texts.items()))


def stated_text(text):
    return {"(150000 a)": "a" * 150000, "a\\u0000b": "a\0b",
            "(literal)": None}.get(text, text)


def stream_problem(name, row, answer, story, sent, wants_usage):
    decision = story["decision"]
    cost = nanos(decision["cost"])
    void = story["journal"][-1]["kind"] == "void" and cost == 0
    if name in VOIDED:
        return None if answer.status == 502 and void else "not voided with 502"
    if name in BROKEN | FOREIGN and answer.status == 502 and void:
        return None  # it came in one piece: nothing had been relayed when it broke
    if answer.status != 200:
        return f"status {answer.status}"
    if name in BROKEN | FOREIGN:
        errors = [e for e in answer.events() if e.data.startswith('{"error"')]
        if answer.is_complete or not errors:
            return "looks complete"
        if name in BROKEN and (said(answer) != "Hel" or not 0 < cost <= nanos(decision["held"])):
            return f"said {said(answer)!r}, cost {cost}"
        return None
    if not answer.is_complete:
        return "cut"
    if stated_text(row["text"]) not in (None, said(answer)):
        return f"said {said(answer)[:100]!r}"
    problems, _ = differences(sent, answer.body, wants_usage, short_text(cost))
    if problems:
        return "; ".join(problems)
    if row["usage_in/out"] == "3/2":
        good = decision["usage_source"] == "reported" and cost == 3 * IN_NANOS + 2 * OUT_NANOS
        if "flagged" in row["ending_and_settlement"] and not decision.get("damaged_events"):
            return "not flagged"
        return None if good else f"charged {decision['usage']} {decision['cost']}"
    if decision["usage_source"] != "counted" or not 0 <= cost <= nanos(decision["held"]):
        return f"not counted: {decision['usage']} {decision['usage_source']} {cost}"
    if "flagged" in row["ending_and_settlement"] and not decision.get("usage_implausible"):
        return "not flagged"
    return None


@pytest.mark.parametrize("manner", ["whole", "bytewise", "until-close"])
@pytest.mark.parametrize("wants_usage", [True, False], ids=["usage", "no-usage"])
def test_hostile_streams(streams, manner, wants_usage):
    stage = streams
    balance = stage.gateway.balance(stage.caller.tenant)
    wish = {"stream_options": {"include_usage": True}} if wants_usage else {}
    answers = stage.ask_all(manner, stream=True, **wish)
    stories = stage.explain_all(answers)
    wrong, charged = [], 0
    for name, answer in answers.items():
        problem = stream_problem(name, stage.rows[name], answer, stories[name],
                                 stage.cases[name], wants_usage)
        kind = "voided" if name in VOIDED else "broken" if name in BROKEN | FOREIGN else "complete"
        tally.count("upstream/sse", "wrong" if problem else kind)
        if problem:
            wrong.append(f"{name} ({stage.rows[name]['ending_and_settlement']}): {problem}")
        charged += nanos(stories[name]["decision"]["cost"])
    assert not wrong, "\n".join(wrong)
    assert balance - stage.gateway.wait_unheld(stage.caller.tenant)["balance"] == charged


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_stream_that_breaks_after_its_first_event(streams, name):
    """What was relayed is paid for; the client is told, and cannot take it for the whole."""
    def paused(call, body):
        first, _, rest = body.partition(b"\n\n")
        call.send(wires.stream_head() + wires.chunk(first + b"\n\n"))
        time.sleep(0.1)
        call.send(wires.chunk(rest) + wires.LAST_CHUNK)

    streams.manners["paused"] = paused
    answer = streams.ask(name, "paused", stream=True)
    assert answer.status == 200 and not answer.is_complete and said(answer) == "Hel"
    events = answer.events()
    assert events[-1].json()["error"]["code"] == "upstream_error"
    assert not any(event.is_done for event in events)
    story = streams.gateway.explain(answer.request_id)
    assert story["journal"][-1]["kind"] == "post"
    assert 0 < nanos(story["decision"]["cost"]) <= nanos(story["decision"]["held"])
    assert story["decision"]["usage_source"] == "counted"


def test_a_foreign_name_for_the_model_does_not_change_its_price(streams):
    answer = streams.ask("wrong-model", "whole", stream=True)
    decision = streams.gateway.explain(answer.request_id)["decision"]
    assert decision["model"] == "wrong-model"  # the case's own: what was asked for
    assert nanos(decision["cost"]) == 3 * IN_NANOS + 2 * OUT_NANOS
