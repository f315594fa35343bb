"""The story of a request, to people and as JSON: what was considered, chosen and rejected, what was
tried and why it went on, who refused, and what it cost down to postings that sum to zero."""

import json
import re
import time
from collections import Counter

import pytest

from gateway import nanos
from place import patience
from pricing import Catalogue
from upstream import chat_events, chunk, failing, obliging, plain, stream_head

CREDIT = 10 * 10**9
LEFT_OUT = "left out by policy"


@pytest.fixture(scope="module")
def gateway(module_workshop):
    """Channels a, b and c, in this order; a fails where a test says so."""
    def first(call):
        failing(call) if call.request.json().get("user") == "fail" else obliging(call)

    upstreams = [module_workshop.upstream(answer) for answer in (first, obliging, obliging)]
    channels = [upstream.channel(name, priority=number, weight=10 * number)
                for number, (name, upstream) in enumerate(zip("abc", upstreams), 1)]
    gateway = module_workshop.gateway(channels, start=False)
    gateway.without_breaker()
    gateway.edit("scripts/policies/chain.lua", "groups = {}", "groups = { vip = 900000 }")
    return gateway.start()


@pytest.fixture(scope="module")
def caller(gateway):
    return gateway.caller("100.00")


def wish(**constraints):
    return {"x-moongate-constraints": json.dumps(constraints)}


def verdicts(story):
    return [(c["channel"], c["verdict"]) for c in story["decision"]["candidates"]]


def tried(story):
    return [(a["channel"], a["status"], a.get("failure"), a.get("then"))
            for a in story["decision"]["attempts"]]


def kinds(story):
    return [entry["kind"] for entry in story["journal"]]


def told(gateway, answer):
    """The story for people, its runs of spaces made one."""
    gateway.explain(answer.request_id)  # waits for the record
    done = gateway.run("explain", answer.request_id)
    assert done.returncode == 0 and not done.stderr, done
    return re.sub(r" +", " ", done.stdout)


# --- Considered ---


@pytest.mark.parametrize("constraints, kept", [
    ({"only": ["b"]}, "b"), ({"ignore": ["a", "c"]}, "b"), ({"only": ["c", "b"]}, "bc"),
    ({"order": ["c"]}, "cab"), ({}, "abc")])
def test_what_the_client_ruled_out(gateway, caller, constraints, kept):
    """Those that stay come first, as they would be asked; the others are named behind them."""
    answer = gateway.chat(caller.key, headers=wish(**constraints))
    assert answer.header("x-moongate-channel") == kept[0]
    story, out = gateway.explain(answer.request_id), [c for c in "abc" if c not in kept]
    assert verdicts(story) == [(c, "kept") for c in kept] + [(c, LEFT_OUT) for c in out]
    decision = story["decision"]
    assert (decision["channel"], decision["status"], decision["outcome"]) == (
        kept[0], 200, "completed")
    assert tried(story) == [(kept[0], 200, None, None)]
    assert {c["channel"]: (c["priority"], c["weight"]) for c in decision["candidates"]} == {
        "a": (1, 10), "b": (2, 20), "c": (3, 30)}
    text = told(gateway, answer)
    for channel in "abc":
        verdict = "kept" if channel in kept else LEFT_OUT
        assert re.search(rf"^ {channel} gpt-4o-mini priority \d at most 0\.\d+ {verdict}$", text,
                         re.MULTILINE), text
    assert text.count("answered") == 1


def test_nothing_is_left_to_ask(gateway, caller):
    answer = gateway.chat(caller.key, headers=wish(only=["nobody"]))
    assert (answer.status, answer.code) == (503, "no_channel_available")
    story = gateway.explain(answer.request_id)
    assert verdicts(story) == [(c, LEFT_OUT) for c in "abc"]
    assert story["journal"] == [] and tried(story) == []
    assert story["decision"]["code"] == "no_channel_available"


def test_a_routing_policy_of_ones_own(workshop):
    upstream = workshop.upstream()
    gateway = workshop.gateway([upstream.channel(name) for name in "abc"], start=False)
    gateway.script("policies/routing.lua").write_text("""
        return { name = "routing", route = function(_, _, candidates)
          candidates[3].upstream_model = "its-own-name"
          return { candidates[3], candidates[1] }
        end }""")
    gateway.start()
    answer = gateway.chat(gateway.caller().key)
    story = gateway.explain(answer.request_id)
    assert verdicts(story) == [("c", "kept"), ("a", "kept"), ("b", LEFT_OUT)]
    names = [c["upstream_model"] for c in story["decision"]["candidates"]]
    assert names == ["its-own-name", "gpt-4o-mini", "gpt-4o-mini"]
    assert story["decision"]["upstream_model"] == "its-own-name"
    assert upstream.requests[0].json()["model"] == "its-own-name"
    assert "b gpt-4o-mini priority 1 at most" in told(gateway, answer)


@pytest.mark.parametrize("credit, options, status, code", [
    (None, {}, 402, "insufficient_quota"), ("0.000000001", {}, 402, "insufficient_quota"),
    ("10.00", {"daily_limit": "0.000000001"}, 429, "budget_exceeded")])
def test_what_cannot_be_paid(gateway, credit, options, status, code):
    """No channel was asked, and no posting made; the price that was too high is there."""
    poor = gateway.caller(credit, **options)
    answer = gateway.chat(poor.key)
    assert (answer.status, answer.code) == (status, code)
    story = gateway.explain(answer.request_id)
    assert verdicts(story) == [(c, "unaffordable") for c in "abc"]
    assert all(nanos(c["ceiling"]) > 1 for c in story["decision"]["candidates"])
    assert (tried(story), story["journal"]) == ([], [])
    decision = story["decision"]
    assert (decision["status"], decision["code"], decision["outcome"]) == (status, code, "refused")
    assert nanos(decision["held"]) == nanos(decision["cost"]) == 0
    text = told(gateway, answer)
    assert text.count("unaffordable") == 3 and f"status {status} refused {code}: " in text


def test_what_was_ruled_out_is_not_called_unaffordable(gateway):
    answer = gateway.chat(gateway.caller(None).key, headers=wish(only=["b"]))
    assert answer.status == 402
    assert verdicts(gateway.explain(answer.request_id)) == [
        ("b", "unaffordable"), ("a", LEFT_OUT), ("c", LEFT_OUT)]


# --- Tried ---


def test_a_failed_attempt_and_what_came_of_it(gateway, caller):
    answer = gateway.chat(caller.key, user="fail")
    assert answer.header("x-moongate-channel") == "b"
    story = gateway.explain(answer.request_id)
    assert tried(story) == [("a", 500, "server_error", "retry"), ("a", 500, "server_error", "next"),
                            ("b", 200, None, None)]
    first, second, third = story["decision"]["attempts"]
    assert first["what"] == second["what"] == "the upstream answered 500: oops"
    assert second["started_ms"] >= first["started_ms"] + first["took_ms"] + 190  # the delay
    assert third["started_ms"] >= second["started_ms"] + second["took_ms"]
    assert story["decision"]["channel"] == "b" and "retried" in story["decision"]["tags"]
    assert kinds(story) == ["hold", "post"]
    text = told(gateway, answer)
    for then in ("retry", "next"):
        assert f"server_error: the upstream answered 500: oops, then {then}\n" in text
    assert re.search(r"^ b after \d+ ms took \d+ ms answered$", text, re.MULTILINE)


def test_nothing_more_may_be_tried(gateway, caller):
    answer = gateway.chat(caller.key, user="fail", headers=wish(only=["a"]))
    assert answer.status == 502
    story = gateway.explain(answer.request_id)
    assert tried(story) == [("a", 500, "server_error", "retry"), ("a", 500, "server_error", "stop")]
    assert kinds(story) == ["hold", "void"]
    assert story["journal"][1]["reason"] == "upstream_failed"
    assert (story["decision"]["outcome"], story["decision"]["code"]) == (
        "refused", "upstream_error")
    assert ", then stop\n" in told(gateway, answer)


def test_what_was_ruled_out_is_no_next_one(workshop):
    """With nowhere else to go, a short "not now" is waited for and asked again."""
    def busy_once(call):
        call.keep()
        obliging(call) if call.number else call.send(
            plain(b"{}", "429 Too Many Requests", {"Retry-After": "1"}))

    gateway = workshop.gateway([workshop.upstream(busy_once).channel("a"),
                                workshop.upstream(obliging).channel("b")])
    answer = gateway.chat(gateway.caller().key, headers=wish(only=["a"]), seconds=20)
    story = gateway.explain(answer.request_id)
    assert verdicts(story) == [("a", "kept"), ("b", LEFT_OUT)]
    assert tried(story) == [("a", 429, "rate_limited", "retry"), ("a", 200, None, None)]
    assert answer.status == 200


def test_the_clients_own_fault(workshop):
    """What the provider answered is no success."""
    fault = plain({"error": {"message": "no such thing"}}, "400 Bad Request")
    gateway = workshop.gateway([workshop.upstream(fault).channel()])
    answer = gateway.chat(gateway.caller().key)
    assert answer.status == 400
    story = gateway.explain(answer.request_id)
    assert story["decision"]["outcome"] == "refused by the upstream"
    assert (kinds(story), story["journal"][1]["reason"]) == (["hold", "void"], "refused")
    [attempt] = story["decision"]["attempts"]
    assert (attempt["channel"], attempt["status"]) == ("up", 400)
    assert not re.search(r"ms answered$", told(gateway, answer), re.MULTILINE)


def test_a_client_that_left_before_an_answer(workshop):
    """Nothing was answered, and the story does not say that it was."""
    upstream = workshop.upstream(lambda call: call.wait_peer_gone(20))
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller()
    with gateway.connect() as connection:
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
        connection.ask("POST", "/v1/chat/completions", body, key=caller.key)
        deadline = time.monotonic() + patience(5)
        while not upstream.requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    gateway.wait_unheld(caller.tenant)
    record = only_record(gateway)
    story = gateway.explain(record["id"])
    assert (record["status"], record["outcome"]) == (499, "client_left")
    assert (kinds(story), story["journal"][1]["reason"]) == (["hold", "void"], "client_left")
    assert [(a["channel"], a["status"]) for a in record["attempts"]] == [("up", 0)]


def only_record(gateway, seconds=5):
    """The one decision record of a gateway, once it is written."""
    deadline = time.monotonic() + patience(seconds)
    while True:
        lines = [line for path in (gateway.state / "records").rglob("*") if path.is_file()
                 for line in path.read_text().splitlines()]
        if lines:
            [line] = lines
            return json.loads(line)
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_answer_that_broke_off(workshop):
    """Its attempt says why, with no word of a next one."""
    events = chat_events(("Two", " things"))[:3]

    def broken(call):
        for one in (stream_head(), *map(chunk, events)):
            call.send(one)
            time.sleep(patience(0.05))
        call.reset()

    gateway = workshop.gateway([workshop.upstream(broken).channel()])
    answer = gateway.chat(gateway.caller().key, stream=True)
    story = gateway.explain(answer.request_id)
    assert story["decision"]["outcome"] == "broken"
    [attempt] = story["decision"]["attempts"]
    assert attempt["failure"] in ("reset", "garbage") and attempt["what"]
    assert "then" not in attempt or attempt["then"] == ""
    assert kinds(story) == ["hold", "post"] and story["journal"][1]["source"] == "counted"
    assert ", then" not in told(gateway, answer)


OPEN = [("", "kept", [("b", 200, None, None)]),
        ('health = "ignore"', "kept", [("a", 0, "busy", "next"), ("b", 200, None, None)]),
        ('health = "out"', LEFT_OUT, [("b", 200, None, None)])]


@pytest.mark.parametrize("conf, verdict, attempts", OPEN, ids=["last", "ignore", "out"])
def test_a_channel_whose_breaker_is_open(workshop, conf, verdict, attempts):
    upstreams = [workshop.upstream(failing), workshop.upstream(obliging)]
    gateway = workshop.gateway([upstream.channel(name, priority=number) for number, (name, upstream)
                                in enumerate(zip("ab", upstreams), 1)], start=False)
    gateway.edit("scripts/policies/chain.lua", '{ "routing" },',
                 f'{{ "routing", conf = {{ {conf} }} }},')
    key = gateway.start().caller().key
    for _ in range(5):
        gateway.chat(key, stream=True)
    answer = gateway.chat(key, stream=True)
    story = gateway.explain(answer.request_id)
    assert dict(verdicts(story)) == {"a": verdict, "b": "kept"}
    assert tried(story) == attempts
    text = told(gateway, answer)
    said = "busy: the channel is resting or full, then next"
    assert (said in text) == (len(attempts) == 2)


def test_the_only_channels_breaker_is_open(workshop):
    gateway = workshop.gateway([workshop.upstream(failing).channel()])
    key = gateway.caller().key
    answers = [gateway.chat(key, stream=True) for _ in range(6)]
    assert [answer.code for answer in answers] == ["upstream_error"] * 5 + ["no_channel_available"]
    story = gateway.explain(answers[5].request_id)
    assert tried(story) == [("up", 0, "busy", "stop")]
    assert kinds(story) == ["hold", "void"]


# --- Refused by a policy ---


def test_a_refusal_names_its_module(gateway):
    caller = gateway.caller(models="gpt-4o")
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.code) == (403, "model_not_allowed")
    story = gateway.explain(answer.request_id)
    decision = story["decision"]
    assert (decision["module"], decision["code"], decision["status"]) == (
        "model_scope", "model_not_allowed", 403)
    assert decision["message"] == answer.json()["error"]["message"]
    assert (decision["candidates"], decision["attempts"], story["journal"]) == ([], [], [])
    text = told(gateway, answer)
    assert re.search(r"status 403 refused model_not_allowed: .* \(policy model_scope\)", text)


def test_a_refusal_that_no_policy_made_names_none(gateway, caller):
    answer = gateway.chat(caller.key, model="no-such-model")
    assert "module" not in gateway.explain(answer.request_id)["decision"]
    assert "(policy" not in told(gateway, answer)


def test_whom_no_key_is_known_of_there_is_no_story(gateway):
    answer = gateway.chat("mg-unknown")
    assert answer.status == 401
    assert answer.request_id in gateway.refused("explain", answer.request_id)


# --- Money ---


def per_account(postings):
    sums = Counter()
    for leg in postings:
        sums[leg["debit"]] -= nanos(leg["amount"])
        sums[leg["credit"]] += nanos(leg["amount"])
    return {account: amount for account, amount in sums.items() if amount}


def test_price_lines_and_postings(gateway):
    """Each line is its units times its rate, rounded up once; the lines are the charge; and every
    account's share of it is in the postings, which sum to zero."""
    caller = gateway.caller(group="vip")
    answer = gateway.chat(caller.key)
    story = gateway.explain(answer.request_id)
    hold, post = story["journal"]
    cost = Catalogue(gateway.folder / "data").cost("gpt-4o-mini", (900_000,), input=3, output=2)
    assert [(x["meter"], x["units"], x["rate_per_million"], x["multipliers_ppm"])
            for x in post["lines"]] == [("input", 3, "0.15", [900_000]),
                                        ("output", 2, "0.6", [900_000])]
    assert sum(nanos(line["charge"]) for line in post["lines"]) == cost == 1485
    assert nanos(post["charge"]) == nanos(post["paid"]) == nanos(story["decision"]["cost"]) == cost
    assert nanos(answer.header("x-moongate-cost")) == cost
    wallet = f"wallet {caller.tenant}"
    assert [share["account"] for share in hold["holds"]] == [wallet]
    assert nanos(hold["holds"][0]["amount"]) == nanos(story["decision"]["held"]) >= cost
    sums = per_account(post["postings"])
    assert sum(sums.values()) == 0
    assert sums[wallet] == -cost == gateway.balance(caller.tenant) - CREDIT
    assert sums["sales"] == cost
    assert sums["payable openai_compatible"] == -sums["cost"] == nanos(post["cost"]) == 1650
    assert (hold["seq"], post["seq"]) == (story["decision"]["hold_seq"],
                                          story["decision"]["settlement_seq"])
    text = told(gateway, answer)
    assert "input 3 x 0.15/M x 900000 ppm = 0.000000405\n" in text
    assert "output 2 x 0.6/M x 900000 ppm = 0.000001080\n" in text
    assert f"{wallet} -> sales 0.000001485\n" in text


def test_what_a_reseller_pays_is_told_apart(gateway):
    agent = gateway.tenant("reseller", kind="agent")
    gateway.credit(agent, "10.00")
    under = gateway.tenant("theirs", parent=agent)
    gateway.credit(under, "5.00")
    before = gateway.balance(agent), gateway.balance(under)
    answer = gateway.chat(gateway.key(under)["key"])
    assert answer.status == 200
    hold, post = gateway.explain(answer.request_id)["journal"]
    assert {share["account"] for share in hold["holds"]} == {f"wallet {under}", f"wallet {agent}"}
    retail = [line for line in post["lines"] if not line.get("wholesale")]
    wholesale = [line for line in post["lines"] if line.get("wholesale")]
    assert [line["meter"] for line in retail] == ["input", "output"]
    assert [line["meter"] for line in wholesale] == ["input", "output"]
    sums = per_account(post["postings"])
    assert sum(sums.values()) == 0
    after = gateway.balance(agent), gateway.balance(under)
    assert sums[f"wallet {under}"] == after[1] - before[1] == -1650
    assert sums.get(f"wallet {agent}", 0) == after[0] - before[0]


def test_no_terminal_obeys_a_client_or_a_provider(workshop):
    """Neither the name of a model nor an error forges a line of the story, or drives the terminal."""
    forged = "\x1b]0;pwned\x07\x1b[2J\r\nstatus 200  completed\x7f\x9b2J"

    def failing(call):
        call.keep()
        call.send(plain({"error": {"message": forged}}, "500 Oops"))

    gateway = workshop.gateway([workshop.upstream(failing).channel()])
    caller = gateway.caller()
    for model in (forged, "gpt-4o-mini"):
        request_id = gateway.chat(caller.key, model=model).request_id
        gateway.explain(request_id)  # waits for the record
        told = gateway.run("explain", request_id).stdout
        assert "\\u001b" in told and "\\u009b2J" in told, told
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", told), told
        assert not any(line.startswith("status 200") for line in told.split("\n")), told
