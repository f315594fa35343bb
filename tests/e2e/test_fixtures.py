"""What providers really put on the wire, replayed by a raw upstream behind the real server: every
recorded answer of fixtures/ that speaks OpenAI's protocol. Its bytes reach the client untouched but
for the allowed splices, its usage is the provider's own, and its price exact to the nano-dollar."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

import corpus
import sse
import tally
import upstream as wires
from gateway import nanos
from place import ROOT
from pricing import Catalogue, short_text
from relayed import differences

# Every meter has a rate of its own, so that a token counted under another one shows in the price.
PRICE = {"input": "1.1", "output": "2.3", "cached_input": "0.37", "cache_write": "1.7",
         "reasoning": "3.3", "input_audio": "5.9", "output_audio": "7.1", "input_image": "1.3",
         "output_image": "4.1"}

OPERATIONS = {"/chat/completions": "chat", "/completions": "completion",
              "/embeddings": "embedding"}

# A failure after the head, said in an event: the stream must not look complete.
BREAKS = {"groq/errors/mid-stream-tool-use-failed", "other/gpustack/mid-stream-error",
          "openrouter/chat/minimax-reasoning-stream"}


def operation_of(case):
    path = case.get("path", "")
    return next((kind for end, kind in OPERATIONS.items() if path.endswith(end)), None)


def recorded():
    index = json.loads(corpus.path("fixtures", "index.json").read_text())
    cases = [case for case in index["cases"] if operation_of(case)]
    assert len(cases) == 69
    for case in cases:
        case["bytes"] = corpus.path("fixtures", case["response"]).read_bytes()
    return {case["case"]: case for case in cases}


def last_usage(case):
    """The usage the provider says, wherever its vendor puts it; the last one of a stream."""
    found = None
    values = ([e.json() for e in sse.events(case["bytes"]) if e.data.startswith("{")]
              if case["stream"] else [json.loads(case["bytes"])])
    for value in values:
        choices = value.get("choices") or [{}]
        for place in (value.get("usage"), choices[0].get("usage"),
                      (value.get("x_groq") or {}).get("usage")):
            if place:
                found = place
                break
    return found


def meters(usage):
    """Units by meter, from the counts of OpenAI's usage object and its vendors' additions."""
    into, out = usage["prompt_tokens"], usage.get("completion_tokens", 0) or 0
    total = usage.get("total_tokens")
    hidden = max(0, total - into - out) if total and "completion_tokens" in usage else 0
    details_in = usage.get("prompt_tokens_details") or {}
    details_out = usage.get("completion_tokens_details") or {}
    units, left = {}, into
    cached = (details_in.get("cached_tokens") or usage.get("cached_tokens") or
              usage.get("prompt_cache_hit_tokens") or 0)
    for meter, count in [("cached_input", cached),
                         ("cache_write", details_in.get("cache_write_tokens") or 0),
                         ("input_audio", details_in.get("audio_tokens") or 0),
                         ("input_image", details_in.get("image_tokens") or 0)]:
        units[meter] = min(left, count)
        left -= units[meter]
    units["input"], left = left, out + hidden
    for meter, count in [("reasoning", max(details_out.get("reasoning_tokens") or 0, hidden)),
                         ("output_audio", details_out.get("audio_tokens") or 0),
                         ("output_image", details_out.get("image_tokens") or 0)]:
        units[meter] = min(left, count)
        left -= units[meter]
    units["output"] = left
    return {meter: count for meter, count in units.items() if count}


class Stage:
    """One channel and one model per recorded case, each of its own vendor."""

    def __init__(self, workshop):
        self.cases = recorded()
        self.upstream = workshop.upstream(self.answer)
        vendors = {path.stem for path in (ROOT / "scripts/providers").glob("*.lua")}
        channels = [{"id": name.replace("/", "."), "credential": "sk-upstream",
                     "provider": case["provider"] if case["provider"] in vendors
                     else "google" if case["provider"] == "gemini" else "openai_compatible",
                     "base_url": f"http://127.0.0.1:{self.upstream.port}/{name}/v1",
                     "allow_private": True, "models": {name: name}}
                    for name, case in self.cases.items()]
        self.gateway = workshop.gateway(channels, start=False)
        self.gateway.set_models([
            {"id": name, "price": PRICE, "context_window": 10_000_000, "max_output": 1_000_000,
             "mode": "embedding" if operation_of(case) == "embedding" else "chat"}
            for name, case in self.cases.items()])
        self.gateway.start()
        self.prices = Catalogue(self.gateway.folder / "data")
        self.caller = self.gateway.caller("100000.00")
        self.piece = None  # of the chunks a stream is sent in

    def answer(self, call):
        name, operation = call.request.target[1:].split("/v1/")
        case = self.cases[name]
        assert OPERATIONS["/" + operation] == operation_of(case), call.request.target
        call.keep()
        if case["stream"] and case["status"] == 200:
            call.send(wires.streamed(case["bytes"], self.piece))
        else:
            call.send(wires.plain(case["bytes"], f"{case['status']} Whatever"))

    def ask(self, name, wants_usage=False):
        case = self.cases[name]
        usage = last_usage(case) if case["status"] == 200 else None
        text = "word " * ((usage or {}).get("prompt_tokens", 0) + 100)
        operation = operation_of(case)
        body = {"chat": {"messages": [{"role": "user", "content": text}]},
                "completion": {"prompt": text}, "embedding": {"input": text}}[operation]
        body["model"] = name
        if case["stream"]:
            body["stream"] = True
        if wants_usage:
            body["stream_options"] = {"include_usage": True}
        path = next(end for end, kind in OPERATIONS.items() if kind == operation)
        return self.gateway.ask("POST", "/v1" + path, body, self.caller.key)

    def ask_all(self, names, wants_usage=False):
        with ThreadPoolExecutor(4) as pool:
            answers = dict(zip(names, pool.map(lambda n: self.ask(n, wants_usage), names)))
            stories = dict(zip(names, pool.map(
                lambda n: self.gateway.explain(answers[n].request_id), names)))
        return answers, stories

    def names(self, stream, status=200):
        return [name for name, case in self.cases.items()
                if case["stream"] == stream and (case["status"] == 200) == (status == 200)]


@pytest.fixture(scope="module")
def stage(module_workshop):
    return Stage(module_workshop)


def price_problem(stage, name, decision):
    """Usage and cost as the record has them, against the provider's figures and our own sum."""
    usage = last_usage(stage.cases[name])
    cost = nanos(decision["cost"])
    if usage is None:
        if decision["usage_source"] != "counted":
            return f"no usage was sent, but {decision['usage_source']}"
    elif decision["usage_source"] != "reported" or decision["usage"] != meters(usage):
        return f"{decision['usage_source']} {decision['usage']}, not {meters(usage)}"
    exact = stage.prices.cost(name, **decision["usage"])
    if cost != exact or cost <= 0:
        return f"charged {cost}, not {exact}"
    if cost > nanos(decision["held"]):
        return "charged more than was held"
    return None


def test_recorded_plain_answers(stage):
    names = stage.names(stream=False)
    answers, stories = stage.ask_all(names)
    wrong = []
    for name in names:
        answer, decision = answers[name], stories[name]["decision"]
        usage = last_usage(stage.cases[name])
        tally.count("fixtures, plain", "reported" if usage else "counted")
        problem = None
        if answer.status != 200 or answer.body != stage.cases[name]["bytes"]:
            problem = f"{answer.status} {answer.body[:200]}"
        elif answer.header("x-moongate-cost") != short_text(nanos(decision["cost"])):
            problem = f"says {answer.header('x-moongate-cost')}, not {decision['cost']}"
        problem = problem or price_problem(stage, name, decision)
        if problem:
            wrong.append(f"{name}: {problem}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("piece", [None, 61], ids=["whole", "in-pieces"])
@pytest.mark.parametrize("wants_usage", [True, False], ids=["usage", "no-usage"])
def test_recorded_streams(stage, piece, wants_usage):
    stage.piece = piece
    names = stage.names(stream=True)
    balance = stage.gateway.balance(stage.caller.tenant)
    answers, stories = stage.ask_all(names, wants_usage)
    wrong, charged = [], 0
    for name in names:
        answer, decision = answers[name], stories[name]["decision"]
        charged += nanos(decision["cost"])
        tally.count("fixtures, streamed", "breaks" if name in BREAKS else
                    "reported" if last_usage(stage.cases[name]) else "counted")
        if name in BREAKS:
            if answer.status == 200 and answer.is_complete:
                wrong.append(f"{name}: looks complete")
            continue
        if answer.status != 200 or not answer.is_complete:
            wrong.append(f"{name}: {answer.status} {answer.body[-300:]}")
            continue
        problem = price_problem(stage, name, decision)
        problems, _ = differences(stage.cases[name]["bytes"], answer.body, wants_usage,
                                  short_text(nanos(decision["cost"])))
        wrong += [f"{name}: {one}" for one in [problem, *problems] if one]
    assert not wrong, "\n".join(wrong)
    wallet = stage.gateway.wait_unheld(stage.caller.tenant)
    assert balance - wallet["balance"] == charged


def test_recorded_errors(stage):
    """A client's own fault passes through with its text; ours and the provider's do not."""
    balance = stage.gateway.balance(stage.caller.tenant)
    names = stage.names(stream=False, status=400)
    answers, _ = stage.ask_all(names)
    for name in names:
        case, answer = stage.cases[name], answers[name]
        tally.count("fixtures, errors", f"{case['status']} -> {answer.status}")
        if case["status"] == 400:
            assert (answer.status, answer.body) == (400, case["bytes"]), name
            continue
        # 401 to 403 are our affair, 404 is known to no channel, 429 says when to come back.
        wanted = {401: (502, "upstream_error"), 402: (502, "upstream_error"),
                  404: (404, "model_not_found"), 429: (429, "rate_limit_exceeded")}
        insufficient = name == "openai/errors/chat-429-insufficient-quota"
        expected = (502, "upstream_error") if insufficient else wanted[case["status"]]
        assert (answer.status, answer.code) == expected, (name, answer.body)
        assert case["bytes"][:40] not in answer.body
    assert stage.gateway.wait_unheld(stage.caller.tenant)["balance"] == balance
