"""Every way in which the built-in provider can misbehave, behind the gateway, plain and streamed:
no client takes half an answer for a whole one, and what is paid follows from what was relayed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import sse
import tally
from gateway import nanos
from pricing import Catalogue
from raw import Ended

# What comes of a plain request. Those in no set are answered as if nothing had been.
PLAIN = {
    502: {"reset-before-head", "close-before-head", "reset-in-head", "close-in-head", "garbage",
          "conflicting-length", "html", "gzip", "empty-body", "wrong-length", "excess-length",
          "reset-in-body", "half-close", "malformed-sse", "bad-utf8", "error-event"},
    504: {"stall-before-head", "stall"},
}
# Relayed as far as it came, and then broken off.
PLAIN_BROKEN = {"endless", "endless-line"}

# And of a streamed one.
STREAM = {502: {"reset-before-head", "close-before-head", "reset-in-head", "close-in-head",
                "garbage", "conflicting-length", "html", "gzip", "empty-body"},
          504: {"stall-before-head"}}
STREAM_BROKEN = {"reset-in-body", "half-close", "stall", "error-event", "endless-line"}
# Goes on until the hold is used up, and then ends as an answer does that reached its limit; or
# until the time for a request is over.
STREAM_ENDLESS = {"endless"}
# The provider's usage is not to be had: our own count.
COUNTED = {"missing-usage"}


def faults(gateway):
    """As `moongate lab --help` lists them."""
    lines = gateway.run("lab", "--help", config=False).stdout.split("Faults, and")[1].splitlines()
    names = [line.split()[0] for line in lines[1:] if line.startswith("  ") and line[2] != " "]
    assert len(names) == 30 and "double-usage" in names, names
    return names


@pytest.fixture(scope="module")
def gateway(module_workshop):
    lab = module_workshop.lab()
    gateway = module_workshop.gateway(
        [lab.channel(timeouts={"connect_ms": 1000, "first_byte_ms": 700, "idle_ms": 700,
                               "total_ms": 1500})], start=False)
    gateway.without_breaker()
    return gateway.start()


@pytest.fixture(scope="module")
def caller(gateway):
    return gateway.caller("100.00")


def ask(gateway, caller, fault, **members):
    metadata = {"x-lab-interval-ms": "2"}
    if fault:
        metadata["x-lab-fault"] = fault
    if fault == "fragments":
        metadata["x-lab-fault-at"] = "61"
    return gateway.chat(caller.key, text="Tell me of the moon", max_tokens=40, seconds=20,
                        metadata=metadata, **members)


def ask_all(gateway, caller, names, **members):
    with ThreadPoolExecutor(12) as pool:
        answers = dict(zip(names, pool.map(lambda n: ask(gateway, caller, n, **members), names)))
    stories = {name: gateway.explain(answer.request_id) for name, answer in answers.items()}
    return answers, stories


def kinds(story):
    return [entry["kind"] for entry in story["journal"] if entry["kind"] not in ("mark", "extend")]


def held(story):
    """What was held in the end, extensions included."""
    return sum(nanos(share["amount"]) for entry in story["journal"]
               if entry["kind"] in ("hold", "extend") for share in entry["holds"])


def check_books(gateway, caller, balance, stories):
    charged = sum(nanos(story["decision"]["cost"]) for story in stories.values())
    assert balance - gateway.wait_unheld(caller.tenant)["balance"] == charged
    prices = Catalogue(gateway.folder / "data")
    for name, story in stories.items():
        decision = story["decision"]
        cost = nanos(decision["cost"])
        assert kinds(story) in (["hold", "post"], ["hold", "void"]), (name, story["journal"])
        assert 0 <= cost <= held(story), name
        if kinds(story)[-1] == "post":
            assert cost == prices.cost(decision["model"], **decision["usage"]) > 0, name
        else:
            assert cost == 0, name


def test_plain_requests(gateway, caller):
    whole = ask(gateway, caller, None).json()
    assert whole["choices"][0]["message"]["content"]
    balance = gateway.balance(caller.tenant)
    names = faults(gateway)
    answers, stories = ask_all(gateway, caller, names)
    wrong = []
    for name, answer in answers.items():
        wanted = next((status for status, group in PLAIN.items() if name in group), 200)
        if name in PLAIN_BROKEN:
            good = answer.status == 200 and not answer.is_complete
        elif wanted == 200:
            good = answer.status == 200 and answer.is_complete
            good = good and answer.json()["choices"] == whole["choices"]
            source = "counted" if name in COUNTED else "reported"
            good = good and stories[name]["decision"]["usage_source"] == source
        else:
            good = answer.status == wanted and kinds(stories[name])[-1] == "void"
        tally.count("lab faults, plain", "broken off" if name in PLAIN_BROKEN else str(wanted))
        if not good:
            wrong.append(f"{name}: {answer.status} {answer.is_complete} {answer.body[:150]!r} "
                         f"{kinds(stories[name])} {stories[name]['decision']['outcome']}")
    assert not wrong, "\n".join(wrong)
    check_books(gateway, caller, balance, stories)


def test_streamed_requests(gateway, caller):
    wish = {"stream": True, "stream_options": {"include_usage": True}}
    whole = sse.text(ask(gateway, caller, None, **wish).events())
    assert len(whole) > 20
    balance = gateway.balance(caller.tenant)
    names = faults(gateway)
    answers, stories = ask_all(gateway, caller, names, **wish)
    wrong = []
    for name, answer in answers.items():
        problem = stream_problem(name, answer, stories[name], whole)
        tally.count("lab faults, streamed",
                    "broken off" if name in STREAM_BROKEN else "complete"
                    if answer.status == 200 else str(answer.status))
        if problem:
            wrong.append(f"{name}: {problem}: {answer.status} {answer.is_complete} "
                         f"{answer.body[-200:]!r} {kinds(stories[name])}")
    assert not wrong, "\n".join(wrong)
    check_books(gateway, caller, balance, stories)


def stream_problem(name, answer, story, whole):
    wanted = next((status for status, group in STREAM.items() if name in group), 200)
    if name in STREAM_BROKEN and answer.status == 502 and kinds(story)[-1] == "void":
        return None  # all came at once: nothing had been relayed when it broke
    if answer.status != wanted:
        return f"not {wanted}"
    if wanted != 200:
        return None if kinds(story)[-1] == "void" else "not voided"
    events = answer.events()
    if name in STREAM_BROKEN:
        told = any(event.data.startswith('{"error"') for event in events)
        done = any(event.is_done for event in events)
        return None if told and not done and not answer.is_complete else "looks complete"
    if not answer.is_complete:
        return "cut" if name not in STREAM_ENDLESS else None
    if name in ("malformed-sse", "bad-utf8"):
        return None  # one event is broken, and went through as it was
    if name not in STREAM_ENDLESS and sse.text(events) != whole:
        return f"said {sse.text(events)!r}"
    source = "counted" if name in COUNTED | STREAM_ENDLESS else "reported"
    if story["decision"]["usage_source"] != source:
        return f"usage {story['decision']['usage_source']}"
    costs = [event.json()["usage"]["cost"] for event in events
             if event.has_data and not event.is_done and
             "cost" in (event.json().get("usage") or {})]
    return None if len(costs) == 1 else f"{len(costs)} costs"


def test_a_fault_now_and_then_is_retried_out_of_sight(gateway, caller):
    """Half of the requests are struck before their head; with one more try, most get through."""
    spoilt = {"x-lab-fault": "reset-before-head", "x-lab-fault-rate": "0.5"}
    answers = [gateway.chat(caller.key, text=f"Number {i}", metadata=spoilt) for i in range(20)]
    assert {answer.status for answer in answers} <= {200, 502}
    assert sum(answer.status == 200 for answer in answers) >= 10
    assert gateway.wait_unheld(caller.tenant)["held"] == 0


def test_a_client_never_sees_an_answer_cut_in_silence(gateway, caller):
    """Byte by byte along a stream: wherever the provider's connection is reset, the end is told."""
    for at in range(0, 9):
        with gateway.connect() as connection:
            connection.ask("POST", "/v1/chat/completions", key=caller.key, body={
                "model": "gpt-4o-mini", "stream": True, "max_tokens": 40,
                "messages": [{"role": "user", "content": "Tell me of the moon"}],
                "metadata": {"x-lab-fault": "reset-in-body", "x-lab-fault-at": str(at),
                             "x-lab-interval-ms": "5"}})
            answer = connection.read_head()
            if answer.status != 200:
                assert answer.status == 502 and at <= 1, (at, answer)
                continue
            events = []
            with pytest.raises(Ended):
                for event in connection.stream():
                    events.append(event)
            assert events[-1].json()["error"]["code"] == "upstream_error", at
            assert not any(event.is_done for event in events), at
    assert gateway.wait_unheld(caller.tenant)["held"] == 0
