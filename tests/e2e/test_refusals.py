"""Who is refused, and how: what the answer says, at once on every worker, and nothing of it reaches
an upstream or costs anything."""

import time
from dataclasses import dataclass

import pytest

import crowd
from gateway import nanos
from place import patience
from pricing import Catalogue
from upstream import obliging

CONNECTIONS = 32  # enough that each of the workers has some
MODELS = [{"id": "gpt-4o-mini", "price": {"input": "0.15", "output": "0.6"}},
          {"id": "small", "price": {"input": "0.15", "output": "0.6"}, "context_window": 100},
          {"id": "quick", "price": {"input": "1", "output": "2"},
           "service_modes": {"fast": {"input": "5", "output": "7"}}},
          {"id": "points", "price": {"input": "0.02", "output": "0"}, "mode": "embedding",
           "context_window": 100, "max_output": None}]


@pytest.fixture(scope="module")
def upstreams(module_workshop):
    return [module_workshop.upstream(obliging) for _ in range(2)]


@pytest.fixture(scope="module")
def gateway(module_workshop, upstreams):
    channels = [upstream.channel(id, priority=number)
                for number, (id, upstream) in enumerate(zip(("first", "second"), upstreams), 1)]
    gateway = module_workshop.gateway(channels, start=False, workers=2)
    gateway.set_models(MODELS)
    return gateway.start()


@pytest.fixture
def asked(upstreams):
    """How many requests came through since the test began."""
    before = sum(len(upstream.requests) for upstream in upstreams)
    return lambda: sum(len(upstream.requests) for upstream in upstreams) - before


@pytest.fixture
def lines(gateway):
    made = Lines(gateway)
    yield made
    made.close()


class Lines:
    """Connections to all workers, open all the time."""

    def __init__(self, gateway):
        self.open = [gateway.connect() for _ in range(CONNECTIONS)]

    def ask(self, key, **members):
        for line in self.open:
            line.ask("POST", "/v1/chat/completions", crowd.chat(**members), None, key)
        return [line.read_answer() for line in self.open]

    def codes(self, key):
        """What all of them are told now."""
        return {(answer.status, answer.status != 200 and answer.code) for answer in self.ask(key)}

    def close(self):
        for line in self.open:
            line.close()


SERVED = {(200, False)}
SUSPENDED = {(403, "tenant_suspended")}


# --- What a refusal says ---


def suspended(gateway):
    caller = gateway.caller()
    gateway.cli("tenant", "suspend", caller.tenant)
    return caller.key, caller.tenant


def suspended_above(gateway):
    agent = gateway.tenant("reseller", kind="agent")
    company = gateway.tenant("theirs", parent=agent)
    for tenant in (agent, company):
        gateway.credit(tenant, "1.00")
    gateway.cli("tenant", "suspend", agent)
    return gateway.key(company)["key"], company


def employee_of_a_suspended_company(gateway):
    company = gateway.tenant()
    gateway.credit(company, "1.00")
    person = gateway.tenant("ann", kind="employee", parent=company)
    gateway.cli("tenant", "suspend", company)
    return gateway.key(person)["key"], company


def expired(gateway):
    caller = gateway.caller(expires="2020-01-01T00:00:00Z")
    return caller.key, caller.tenant


def expired_just_now(gateway):
    caller = gateway.caller(expires="0s")
    return caller.key, caller.tenant


def revoked(gateway):
    caller = gateway.caller()
    gateway.cli("key", "revoke", caller.key_id)
    return caller.key, caller.tenant


def expired_and_revoked(gateway):
    caller = gateway.caller(expires="0s")
    gateway.cli("key", "revoke", caller.key_id)
    return caller.key, caller.tenant


def short_agent(gateway):
    """Its company has money; that it has none itself is nothing the company is told."""
    company = gateway.tenant("theirs", parent=gateway.tenant("reseller", kind="agent"))
    gateway.credit(company, "1.00")
    return gateway.key(company)["key"], company


def short_company(gateway):
    agent = gateway.tenant("reseller", kind="agent")
    gateway.credit(agent, "1.00")
    company = gateway.tenant("theirs", parent=agent)
    return gateway.key(company)["key"], company


def anybody(gateway):
    caller = gateway.caller()
    return caller.key, caller.tenant


@dataclass
class Row:
    who: object
    status: int
    code: str
    type: str
    message: str = ""
    param: str = None
    path: str = "/v1/chat/completions"
    body: object = None
    is_known: bool = True  # so there is a record of it

    def __str__(self):
        return f"{self.who.__name__}-{self.code}-{self.path.rpartition('/')[2]}-{self.param}"


BAD, DENIED, UNKNOWN = "invalid_request_error", "permission_error", "authentication_error"
LONG = "word " * 1000
POINTS = "/v1/embeddings"
ROWS = [
    Row(suspended, 403, "tenant_suspended", DENIED, is_known=False),
    Row(suspended_above, 403, "tenant_suspended", DENIED, is_known=False),
    Row(employee_of_a_suspended_company, 403, "tenant_suspended", DENIED, is_known=False),
    Row(expired, 403, "key_expired", DENIED, is_known=False),
    Row(expired_just_now, 403, "key_expired", DENIED, is_known=False),
    Row(revoked, 401, "invalid_api_key", UNKNOWN, is_known=False),
    Row(expired_and_revoked, 401, "invalid_api_key", UNKNOWN, is_known=False),
    Row(short_agent, 503, "no_channel_available", "api_error",
        "the service is not available at the moment"),
    Row(short_company, 402, "insufficient_quota", "insufficient_quota",
        "the balance does not cover"),
    Row(anybody, 400, "context_length_exceeded", BAD, "context window 100", "messages",
        body=crowd.chat(LONG, "small")),
    Row(anybody, 400, "context_length_exceeded", BAD, "context window 100", "prompt",
        "/v1/completions", {"model": "small", "prompt": LONG}),
    Row(anybody, 400, "context_length_exceeded", BAD, "context window 100", "input", POINTS,
        {"model": "points", "input": LONG}),
    Row(anybody, 400, "unsupported_parameter", BAD, "priority has no price", "service_tier",
        body=crowd.chat(service_tier="priority")),
    Row(anybody, 400, "unsupported_parameter", BAD, "fast has no price", "service_tier",
        "/v1/completions", {"model": "small", "prompt": "a", "service_tier": "fast"}),
    Row(anybody, 400, "unsupported_parameter", BAD, "not streamed", "stream", POINTS,
        {"model": "points", "input": "a", "stream": True})]
ROWS += [Row(anybody, 400, "unsupported_parameter", BAD, "is not supported", member,
             body=crowd.chat(**{member: "http://elsewhere.example"}))
         for member in ("api_base", "base_url", "api_key", "api_version", "extra_headers",
                        "extra_body")]
CASES = [(row, streamed) for row in ROWS for streamed in (False, True)
         if not (streamed and row.path == POINTS)]


@pytest.mark.parametrize("row, streamed", CASES, ids=[
    f"{row}-{'streamed' if streamed else 'plain'}" for row, streamed in CASES])
def test_each_refusal_says_what_it_is_and_costs_nothing(gateway, asked, row, streamed):
    key, payer = row.who(gateway)
    before = gateway.wallet(payer)
    body = dict(row.body or crowd.chat())
    if streamed:
        body["stream"] = True
    answer = gateway.ask("POST", row.path, body, key)
    assert (answer.status, answer.code) == (row.status, row.code)
    assert answer.header("content-type") == "application/json" and answer.is_complete
    assert answer.request_id.startswith("req_")
    assert answer.header("x-should-retry") == (
        "false" if row.status in (402, 403) else None)
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == (row.type, row.param)
    assert row.message in error["message"]
    assert asked() == 0
    assert gateway.wallet(payer) == before and before["held"] == 0
    if row.is_known:
        decision = gateway.explain(answer.request_id)["decision"]
        assert (decision["status"], decision["code"]) == (row.status, row.code)


@pytest.mark.parametrize("who", [suspended, expired, revoked])
def test_who_may_not_ask_may_not_look_either(gateway, who):
    key, _ = who(gateway)
    for target in ("/v1/models", "/v1/models/gpt-4o-mini"):
        answer = gateway.get(target, key)
        assert (answer.status, answer.code) == {
            suspended: (403, "tenant_suspended"), expired: (403, "key_expired"),
            revoked: (401, "invalid_api_key")}[who]


def test_a_request_is_refused_from_twice_the_context_window_on(gateway, asked):
    """Estimates are estimates: what may still fit is let through."""
    caller = gateway.caller()

    def ask(words):
        return gateway.chat(caller.key, "word " * words, "small", max_tokens=1)

    fits, too_long = 1, 1000
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if ask(middle).status == 200:
            fits = middle
        else:
            too_long = middle
    assert ask(fits).status == 200
    answer = ask(too_long)
    assert (answer.status, answer.code) == (400, "context_length_exceeded")
    said = answer.json()["error"]["message"].partition("about ")[2].split()[0]
    assert 200 < int(said) <= 205
    assert asked() > 0


@pytest.mark.parametrize("tier, rates", [("priority", (5, 7)), ("fast", (5, 7)), ("auto", (1, 2)),
                                         ("default", (1, 2)), (None, (1, 2))])
def test_a_tier_that_has_a_price_is_served_at_it(gateway, asked, tier, rates):
    caller = gateway.caller("1.00")
    answer = gateway.chat(caller.key, model="quick", service_tier=tier)
    assert answer.status == 200 and asked() == 1
    cost = 1000 * (3 * rates[0] + 2 * rates[1])
    assert nanos(answer.header("x-moongate-cost")) == cost
    assert gateway.balance(caller.tenant) == 10**9 - cost


# --- When a refusal begins and ends ---


def test_a_suspension_holds_on_every_worker_once_the_command_returned(gateway, lines, asked):
    caller = gateway.caller("100.00")
    for _ in range(3):
        assert lines.codes(caller.key) == SERVED
        before = asked()
        gateway.cli("tenant", "suspend", caller.tenant)
        assert lines.codes(caller.key) == SUSPENDED
        assert asked() == before
        gateway.cli("tenant", "resume", caller.tenant)
    assert lines.codes(caller.key) == SERVED


def test_a_suspension_above_ends_when_the_one_above_is_resumed(gateway, lines):
    agent = gateway.tenant("reseller", kind="agent")
    company = gateway.tenant("theirs", parent=agent)
    other = gateway.caller("100.00")
    for tenant in (agent, company):
        gateway.credit(tenant, "100.00")
    key = gateway.key(company)["key"]
    assert lines.codes(key) == SERVED
    for tenant in (agent, company):
        gateway.cli("tenant", "suspend", tenant)
    assert lines.codes(key) == SUSPENDED and lines.codes(other.key) == SERVED
    gateway.cli("tenant", "resume", agent)
    assert lines.codes(key) == SUSPENDED
    gateway.cli("tenant", "resume", company)
    assert lines.codes(key) == SERVED


def test_a_suspension_outlives_the_process(workshop):
    gateway = workshop.gateway([workshop.upstream().channel()], workers=2)
    caller = gateway.caller()
    gateway.cli("tenant", "suspend", caller.tenant)
    gateway.restart()
    assert gateway.chat(caller.key).code == "tenant_suspended"
    gateway.cli("tenant", "resume", caller.tenant)
    gateway.restart()
    assert gateway.chat(caller.key).status == 200


def test_a_revoked_key_is_refused_on_every_worker_once_the_command_returned(gateway, lines, asked):
    caller = gateway.caller("100.00")
    assert lines.codes(caller.key) == SERVED
    other = gateway.key(caller.tenant)["key"]
    before = asked()
    gateway.cli("key", "revoke", caller.key_id)
    assert lines.codes(caller.key) == {(401, "invalid_api_key")}
    assert asked() == before
    assert lines.codes(other) == SERVED


def test_a_key_ends_when_its_time_is_over(gateway, lines):
    lasts_s = int(patience(3))
    caller = gateway.caller("100.00", expires=f"{lasts_s}s")
    until = time.monotonic() + lasts_s
    assert lines.codes(caller.key) == SERVED and time.monotonic() < until - 0.5
    deadline = until + patience(1)
    while lines.codes(caller.key) != {(403, "key_expired")}:
        assert time.monotonic() < deadline
    assert time.monotonic() > until - 0.5


# --- Channels ---


def test_a_channel_gets_nothing_from_the_moment_it_is_disabled(gateway, lines, upstreams):
    caller = gateway.caller("100.00")

    def came():
        """How many requests of all lines each upstream gets now."""
        before = [len(upstream.requests) for upstream in upstreams]
        assert lines.codes(caller.key) == SERVED
        return [len(upstream.requests) - n for upstream, n in zip(upstreams, before)]

    for _ in range(3):
        assert came() == [CONNECTIONS, 0]
        gateway.cli("channel", "disable", "first")
        assert came() == [0, CONNECTIONS]
        gateway.cli("channel", "enable", "first")
    assert came() == [CONNECTIONS, 0]


def test_with_every_channel_disabled_the_service_is_not_there_for_now(gateway, lines, asked):
    """docs/operators.md, error codes: no_channel_available."""
    caller = gateway.caller("100.00")
    for channel in ("first", "second"):
        gateway.cli("channel", "disable", channel)
    try:
        told = lines.codes(caller.key)
        assert asked() == 0
    finally:
        for channel in ("first", "second"):
            gateway.cli("channel", "enable", channel)
    assert lines.codes(caller.key) == SERVED
    assert told == {(503, "no_channel_available")}


# --- Agents ---


def family(gateway, companies=1, agent_has="10.00", each_has="10.00"):
    agent = gateway.tenant("reseller", kind="agent")
    gateway.credit(agent, agent_has)
    out = []
    for number in range(companies):
        company = gateway.tenant(f"customer {number}", parent=agent)
        gateway.credit(company, each_has)
        out.append((company, gateway.key(company)["key"]))
    return agent, out


def whole(balance):
    return {"balance": balance, "held": 0, "available": balance}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_an_agents_company_costs_both_the_same_to_the_nano_dollar(gateway, streamed):
    agent, [(company, key)] = family(gateway, agent_has="5.00", each_has="7.00")
    cost = Catalogue(gateway.folder / "data").cost("gpt-4o-mini", input=3, output=2)
    for number in range(1, 4):
        answer = gateway.chat(key, stream=streamed)
        assert answer.status == 200 and answer.is_complete
        assert gateway.wait_unheld(company) == whole(7 * 10**9 - number * cost)
        assert gateway.wait_unheld(agent) == whole(5 * 10**9 - number * cost)
    if not streamed:
        assert nanos(answer.header("x-moongate-cost")) == cost


def test_an_agent_pays_for_the_last_request_it_can_hold_and_not_one_more(gateway, asked):
    rich = gateway.caller("100.00")
    held = nanos(gateway.explain(gateway.chat(rich.key).request_id)["decision"]["held"])
    agent, [(company, key)] = family(gateway, agent_has=text_of(held - 1))
    before = asked()
    answer = gateway.chat(key)
    assert (answer.status, answer.code) == (503, "no_channel_available")
    assert answer.json()["error"]["message"] == "the service is not available at the moment"
    assert asked() == before
    assert gateway.wallet(company) == whole(10 * 10**9)
    assert gateway.wallet(agent) == whole(held - 1)
    gateway.credit(agent, "0.000000001")
    assert gateway.chat(key).status == 200
    assert asked() == before + 1
    assert gateway.chat(key).code == "no_channel_available"


def text_of(amount):
    return f"{amount // 10**9}.{amount % 10**9:09d}"


def test_many_companies_of_an_agent_never_spend_more_than_it_has(gateway, asked):
    rich = gateway.caller("100.00")
    held = nanos(gateway.explain(gateway.chat(rich.key).request_id)["decision"]["held"])
    cost = Catalogue(gateway.folder / "data").cost("gpt-4o-mini", input=3, output=2)
    agent_has = held + 40 * cost  # 41 can be paid, one after the other
    agent, companies = family(gateway, 3, text_of(agent_has))
    before = asked()
    served = dict.fromkeys((company for company, _ in companies), 0)
    for _ in range(4):
        for company, key in companies:
            answers = crowd.all_at_once(gateway.address, [crowd.chat()] * 10, key)
            codes = [answer.status != 200 and answer.code for answer in answers]
            assert set(codes) <= {False, "no_channel_available"}
            served[company] += codes.count(False)
    for company, key in companies:
        while gateway.chat(key).status == 200:
            served[company] += 1
    assert sum(served.values()) == 41 == asked() - before
    assert gateway.wallet(agent) == whole(agent_has - 41 * cost)
    for company, count in served.items():
        assert gateway.wallet(company) == whole(10 * 10**9 - count * cost)
