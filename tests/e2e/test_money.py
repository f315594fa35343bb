"""Money under pressure: no wallet and no limit is ever overdrawn, and every charge is exact."""

import random
import threading

import pytest

import control
import crowd
from gateway import nanos
from place import patience
from pricing import Catalogue
from size import sized
from upstream import chat_answer, chat_events, event, plain, streamed


def usage_json(prompt, completion, cached=0, reasoning=0):
    return {"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning}}


def text_of(amount):
    return f"{amount // 10**9}.{amount % 10**9:09d}"


# --- 500 at once on what can pay for 10 ---


class Gate:
    """An upstream that answers nobody until it is opened."""

    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, call):
        call.keep()
        self.opened.wait(patience(60))
        call.send(plain(chat_answer()))


class Sampler:
    """Reads a wallet again and again while something happens to it."""

    def __init__(self, gateway, tenant):
        self.gateway, self.tenant = gateway, tenant
        self.least, self.samples = None, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            wallet = control.ask(self.gateway, "wallet.show", tenant=self.tenant)
            lowest = min(nanos(wallet["balance"]), nanos(wallet["available"]))
            self.least = lowest if self.least is None else min(self.least, lowest)
            self.samples += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def held_for(gateway, body):
    """What one such request holds, by its record."""
    rich = gateway.caller("100.00", name="rich")
    answer = gateway.ask("POST", "/v1/chat/completions", body, rich.key, seconds=60)
    assert answer.status == 200, answer
    return nanos(gateway.explain(answer.request_id)["decision"]["held"])


def by_status(answers):
    assert not [a for a in answers if isinstance(a, Exception)], answers
    counts = {}
    for answer in answers:
        counts.setdefault(answer.status, []).append(answer)
    return counts


def with_wallet(gateway, ten):
    return gateway.caller(text_of(ten), name="ten"), 402, "insufficient_quota"


def with_daily_limit(gateway, ten):
    return gateway.caller("100.00", daily_limit=text_of(ten)), 429, "budget_exceeded"


@pytest.mark.parametrize("limited_by", [with_wallet, with_daily_limit])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_can_pay_for_10_admits_10_of_500_in_parallel(workshop, limited_by, workers):
    """The ten that got through are answered when all others were refused, so that they hold all of
    it until then. An eleventh would be waited for in vain."""
    gate = Gate()
    upstream = workshop.upstream(gate)
    gateway = workshop.gateway([upstream.channel()], workers=workers)
    body = crowd.chat(max_tokens=50)
    gate.opened.set()
    ten = 10 * held_for(gateway, body)
    gate.opened.clear()
    before = len(upstream.requests)
    caller, status, code = limited_by(gateway, ten)
    credit = gateway.balance(caller.tenant)
    crowd_size = sized(500, 150)
    cost = Catalogue(gateway.folder / "data").cost("gpt-4o-mini", input=3, output=2)

    judged = []

    def open_when_all_are_judged(answer):
        judged.append(answer)
        if len(judged) == crowd_size - 10:
            gate.opened.set()

    with Sampler(gateway, caller.tenant) as sampler:
        answers = crowd.all_at_once(gateway.address, [body] * crowd_size, caller.key,
                                    on_answer=open_when_all_are_judged)
    got = by_status(answers)
    assert {s: len(a) for s, a in got.items()} == {200: 10, status: crowd_size - 10}
    assert {answer.code for answer in got[status]} == {code}
    assert {answer.header("x-should-retry") for answer in got[status]} == {"false"}
    assert len(upstream.requests) - before == 10
    assert sampler.least >= 0 and sampler.samples > 1
    assert gateway.wallet(caller.tenant) == {"balance": credit - 10 * cost, "held": 0,
                                             "available": credit - 10 * cost}
    assert gateway.verify()["open_holds"] == 0


def test_a_wallet_spent_to_the_last_hold_admits_10_of_500_in_parallel(workshop):
    """Here each answer uses all that was held for it, so that no answer makes room for another."""
    lab = workshop.lab()
    gateway = workshop.gateway([lab.channel()], workers=2)
    most = 50
    asked = crowd.chat(max_tokens=most, metadata={})
    rich = gateway.caller("100.00", name="rich")
    asked["metadata"]["x-lab-usage"] = '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
    first = gateway.ask("POST", "/v1/chat/completions", asked, rich.key)
    bound = gateway.explain(first.request_id)["decision"]["input_tokens_bound"]
    asked["metadata"]["x-lab-usage"] = (
        f'{{"prompt_tokens":{bound},"completion_tokens":{most},"total_tokens":{bound + most}}}')
    second = gateway.ask("POST", "/v1/chat/completions", asked, rich.key)
    cost = Catalogue(gateway.folder / "data").cost("gpt-4o-mini", input=bound, output=most)
    assert nanos(second.header("x-moongate-cost")) == cost
    held = nanos(gateway.explain(second.request_id)["decision"]["held"])
    assert cost <= held <= cost + 10  # each of ten meters may round up by one
    caller = gateway.caller(text_of(10 * held), name="ten")
    lab.reset_counts()
    crowd_size = sized(500, 150)
    with Sampler(gateway, caller.tenant) as sampler:
        answers = crowd.all_at_once(gateway.address, [asked] * crowd_size, caller.key)
    got = by_status(answers)
    assert {s: len(a) for s, a in got.items()} == {200: 10, 402: crowd_size - 10}
    assert lab.counts()["paths"] == {"/v1/chat/completions": 10}
    assert sampler.least >= 0
    wallet = gateway.wallet(caller.tenant)
    assert wallet["held"] == 0 and wallet["balance"] == 10 * (held - cost)
    gateway.verify()


# --- Exact charges ---


class Teller:
    """An upstream that reports the usage it is told to."""

    def __init__(self):
        self.usage = {}

    def __call__(self, call):
        call.keep()
        asked = call.request.json()
        if asked.get("stream"):
            events = chat_events(usage=False, done=False)
            usage = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                     "model": asked["model"], "choices": [], "usage": self.usage}
            call.send(streamed(b"".join(events) + event(usage) + b"data: [DONE]\n\n"))
        else:
            call.send(plain(chat_answer(usage=self.usage)))


def random_split(draw, most_in, most_out):
    prompt, completion = draw.randint(1, most_in), draw.randint(1, most_out)
    cached = draw.choice([0, draw.randint(0, prompt), prompt])
    reasoning = draw.choice([0, draw.randint(0, completion), completion])
    return prompt, completion, cached, reasoning


def priced(prices, model, prompt, completion, cached, reasoning, multipliers=()):
    return prices.cost(model, multipliers, input=prompt - cached, cached_input=cached,
                       output=completion - reasoning, reasoning=reasoning)


def test_every_chat_model_is_charged_to_the_nano_dollar(workshop):
    """All priced chat models of the shipped catalogue, plain and streamed, with usage that the
    upstream makes up: some of the input cached, some of the output reasoning."""
    teller = Teller()
    gateway = workshop.gateway([workshop.upstream(teller).channel()])
    prices = Catalogue(gateway.folder / "data")
    caller = gateway.caller("1000000.00")
    draw = random.Random(20)
    spent, tried, long_inputs = 0, 0, 0
    listed = {m["id"] for m in gateway.get("/v1/models", caller.key).json()["data"]}
    models = [name for name, entry in prices.models.items()
              if entry["mode"] == "chat" and name in listed]
    assert len(models) > 150
    for model in models[:: sized(1, 7)]:
        entry = prices.models[model]
        steps = [tier["above_input_tokens"] for tier in entry.get("tiers", [])]
        # What a provider may report is bounded by what was sent.
        asked_for = [("Hello" * 20, random_split(draw, 60, 40))]
        if steps and min(steps) <= 200_000:
            split = random_split(draw, 1000, 40)
            asked_for.append(("Hello there, " * (min(steps) // 2), (min(steps) + split[0],
                                                                    *split[1:])))
            long_inputs += 1
        for text, split in asked_for:
            teller.usage = usage_json(*split)
            cost = priced(prices, model, *split)
            asked = crowd.chat(text, model, max_tokens=64)
            answer = gateway.ask("POST", "/v1/chat/completions", asked, caller.key)
            assert answer.status == 200, (model, answer)
            assert nanos(answer.header("x-moongate-cost")) == cost, (model, split)
            asked.update(stream=True, stream_options={"include_usage": True})
            events = gateway.ask("POST", "/v1/chat/completions", asked, caller.key).events()
            told = events[-2].data.partition('"cost":')[2].partition("}")[0].partition(",")[0]
            assert nanos(told) == cost, (model, split, events[-2].data)
            spent += 2 * cost
            tried += 1
    assert gateway.balance(caller.tenant) == 1_000_000 * 10**9 - spent
    assert tried > 20 and long_inputs > 0


TIERED = {"id": "steps", "context_window": 1_000_000,
          "price": {"input": "0.123457", "output": "1.000001", "cached_input": "0.017",
                    "reasoning": "3.3"},
          "tiers": [{"above_input_tokens": 100, "input": "7.7", "output": "11.000013",
                     "cached_input": "0.5"},
                    {"above_input_tokens": 1000, "input": "70", "output": "110.5"}]}


def test_long_context_steps_at_their_very_edges(workshop):
    """A step holds for the whole request, from one token above it on; a meter it does not name
    costs what its parent costs there."""
    teller = Teller()
    gateway = workshop.gateway([workshop.upstream(teller).channel()], start=False)
    gateway.set_models([TIERED])
    gateway.start()
    caller = gateway.caller("100.00")
    asked = crowd.chat("word " * 2000, "steps", max_tokens=500)
    table = [  # prompt, completion, cached, reasoning, by hand in pico-dollars per token
        (100, 7, 0, 0, [(100, 123_457), (7, 1_000_001)]),
        (101, 7, 0, 0, [(101, 7_700_000), (7, 11_000_013)]),
        (101, 9, 100, 4, [(1, 7_700_000), (100, 500_000), (5, 11_000_013), (4, 11_000_013)]),
        (1000, 1, 999, 0, [(1, 7_700_000), (999, 500_000), (1, 11_000_013)]),
        (1001, 1, 999, 1, [(2, 70_000_000), (999, 70_000_000), (1, 110_500_000)]),
        (100, 9, 33, 4, [(67, 123_457), (33, 17_000), (5, 1_000_001), (4, 3_300_000)]),
    ]
    left = 100 * 10**9
    for prompt, completion, cached, reasoning, lines in table:
        teller.usage = usage_json(prompt, completion, cached, reasoning)
        cost = sum(-(-units * pico // 1000) for units, pico in lines)
        answer = gateway.ask("POST", "/v1/chat/completions", asked, caller.key)
        assert answer.status == 200, answer
        assert nanos(answer.header("x-moongate-cost")) == cost, (prompt, completion, cached)
        left -= cost
        assert gateway.balance(caller.tenant) == left


def test_multipliers_of_group_and_tenant_are_applied_once_and_rounded_once(workshop):
    teller = Teller()
    gateway = workshop.gateway([workshop.upstream(teller).channel()])
    prices = Catalogue(gateway.folder / "data")
    usual = gateway.tenant("usual")
    dear = gateway.tenant("dear")
    gateway.edit("scripts/policies/chain.lua", "groups = {}, tenants = {}",
                 f'groups = {{ vip = 912347 }}, tenants = {{ ["{dear}"] = 1170001 }}')
    gateway.cli("reload")
    draw = random.Random(7)
    for tenant, group, multipliers in [(usual, None, ()), (usual, "vip", (912347,)),
                                       (usual, "other", ()), (dear, None, (1170001,)),
                                       (dear, "vip", (912347, 1170001))]:
        gateway.credit(tenant, "1.00")
        key = gateway.key(tenant, **({"group": group} if group else {}))["key"]
        before = gateway.balance(tenant)
        spent = 0
        for _ in range(sized(20, 5)):
            split = random_split(draw, 15, 40)
            teller.usage = usage_json(*split)
            cost = priced(prices, "gpt-4o-mini", *split, multipliers=multipliers)
            answer = gateway.chat(key, text="Hello there, how are you?", max_tokens=64)
            assert nanos(answer.header("x-moongate-cost")) == cost, (group, split)
            spent += cost
        assert gateway.balance(tenant) == before - spent
        story = gateway.explain(answer.request_id)
        post = [e for e in story["journal"] if e["kind"] == "post"][0]
        assert all(tuple(line.get("multipliers_ppm", ())) == multipliers
                   for line in post["lines"])
