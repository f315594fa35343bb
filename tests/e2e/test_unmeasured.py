"""Input that has no place of its own is measured, held for and charged as its provider reports it;
what is written in another way is served, and what others would read in another way is not."""

import base64
import json

import pytest

import crowd
from gateway import nanos
from upstream import chat_answer, plain

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MODEL = "gpt-4o-mini"
WORDS = "lantern river marble window orchard copper willow thunder harbor velvet".split()
LONG = " ".join(WORDS[(i * i + i // 7) % len(WORDS)] for i in range(6000))
TRUE_TOKENS = 8000  # what the provider counts for it


class Teller:
    """An upstream that reports the usage it is told to."""

    def __init__(self):
        self.prompt, self.completion = 3, 2

    def __call__(self, call):
        call.keep()
        usage = {"prompt_tokens": self.prompt, "completion_tokens": self.completion,
                 "total_tokens": self.prompt + self.completion}
        answer = chat_answer(usage=usage)
        if call.request.target.endswith(COMPLETIONS.removeprefix("/v1")):
            answer["choices"][0]["text"] = answer["choices"][0]["message"]["content"]
        call.send(plain(answer))


@pytest.fixture(scope="module")
def teller():
    return Teller()


@pytest.fixture(scope="module")
def upstream(module_workshop, teller):
    return module_workshop.upstream(teller)


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    return module_workshop.gateway([upstream.channel()], workers=2)


@pytest.fixture
def tells(teller):
    """Sets what the upstream reports, until the test ends."""
    def report(prompt, completion=2):
        teller.prompt, teller.completion = prompt, completion

    yield report
    report(3)


# --- Where a text may stand ---


def message(**members):
    return json.dumps({"model": MODEL, "max_tokens": 16, "messages": [
        {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Yes?", **members}]})


def part(**members):
    return json.dumps({"model": MODEL, "max_tokens": 16, "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, members]}]})


def top(**members):
    return json.dumps(crowd.chat(max_tokens=16, **members))


def completion(**members):
    return json.dumps({"prompt": "Hello", "model": MODEL, "max_tokens": 16, **members})


def call(**members):
    return message(tool_calls=[{"id": "call_1", "type": "function", **members}])


PLACES = {
    "documents": top(documents=[{"title": "Notes", "text": LONG}]),
    "documents as texts": top(documents=[LONG]),
    "chat_template_kwargs": top(chat_template_kwargs={"context": {"notes": LONG}}),
    "schema of a json_object": top(response_format={
        "type": "json_object", "schema": {"type": "object", "description": LONG}}),
    "suffix": completion(suffix=LONG),
    "messages of a completion": completion(messages=[{"role": "user", "content": LONG}]),
    "prompt of a chat": top(prompt=LONG),
    "input of a chat": top(input=[LONG]),
    "tools as a text": top(tools=LONG),
    "response_format as a text": top(response_format=LONG),
    "audio of a message as a text": message(audio=LONG),
    "reasoning of a message": message(reasoning=LONG),
    "thinking of a message": message(thinking=LONG),
    "input of a custom call": call(custom={"name": "look", "input": LONG}),
    "thinking part": part(type="thinking", thinking=LONG),
    "thinking part of texts": part(type="thinking", thinking=[{"type": "text", "text": LONG}]),
    "document_url part": part(type="document_url", document_url=LONG),
    "plain strings as content": json.dumps({"model": MODEL, "max_tokens": 16, "messages": [
        {"role": "user", "content": ["Hello", LONG]}]}),
}


def ask(gateway, key, body):
    path = COMPLETIONS if body.startswith('{"prompt"') else CHAT
    return gateway.ask("POST", path, body.encode(), key)


def reported(gateway, answer):
    """The decision of a request that was charged as its provider reported."""
    story = gateway.explain(answer.request_id)
    decision = story["decision"]
    assert (decision["usage_source"], "usage_implausible" in decision) == ("reported", False)
    assert [entry["source"] for entry in story["journal"] if entry["kind"] == "post"] == [
        "reported"]
    assert "shortfall" not in decision
    return decision


@pytest.mark.parametrize("place", PLACES)
def test_a_long_text_is_charged_for_wherever_it_stands(gateway, upstream, prices, tells, place):
    caller = gateway.caller("10.00")
    tells(TRUE_TOKENS)
    answer = ask(gateway, caller.key, PLACES[place])
    assert answer.status == 200, answer
    assert upstream.requests[-1].body == PLACES[place].encode()
    cost = prices.cost(MODEL, input=TRUE_TOKENS, output=2)
    assert nanos(answer.header("x-moongate-cost")) == cost
    assert gateway.balance(caller.tenant) == 10 * 10**9 - cost
    decision = reported(gateway, answer)
    assert decision["usage"] == {"input": TRUE_TOKENS, "output": 2}
    assert decision["input_tokens_bound"] >= TRUE_TOKENS
    assert nanos(decision["held"]) >= prices.cost(MODEL, input=TRUE_TOKENS, output=16)


def test_what_is_not_there_costs_nothing(gateway, tells):
    """SDKs send an answer back as they had it, with every member that it might have had."""
    caller = gateway.caller("10.00")
    nothing = dict.fromkeys(["audio", "refusal", "function_call", "tool_calls", "annotations", "name",
                             "reasoning", "reasoning_content", "thinking", "prefix"])
    settings = dict.fromkeys(["tools", "functions", "response_format", "prediction", "documents",
                              "previous_response_id", "conversation", "stop", "user"])
    tells(20)
    bounds = [gateway.explain(ask(gateway, caller.key, body).request_id)["decision"]
              ["input_tokens_bound"] for body in (message(), message(**nothing), top(),
                                                  top(**settings))]
    assert bounds[0] == bounds[1] and bounds[2] == bounds[3], bounds


# --- What cannot be sized from here ---


PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 400


@pytest.mark.parametrize("image", ["https://pictures.example/cat.png", PICTURE],
                         ids=["address", "data"])
@pytest.mark.parametrize("form", [lambda url: url, lambda url: {"url": url}],
                         ids=["plain", "object"])
def test_an_image_by_its_plain_address(gateway, upstream, prices, tells, image, form):
    caller = gateway.caller("10.00")
    tells(1200)
    body = part(type="image_url", image_url=form(image))
    answer = ask(gateway, caller.key, body)
    assert answer.status == 200, answer
    assert upstream.requests[-1].body == body.encode()
    assert reported(gateway, answer)["usage"] == {"input": 1200, "output": 2}
    assert gateway.balance(caller.tenant) == 10 * 10**9 - prices.cost(MODEL, input=1200, output=2)


@pytest.mark.parametrize("members", [
    {"web_search_options": {}}, {"web_search_options": {"search_context_size": "high"}},
    {"tools": [{"type": "web_search"}]}, {"tools": [{"google_search": {}}]},
    {"tools": [{"function": {"name": "look"}, "web_search": {}}]},
    {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]}],
    ids=["options", "options with a size", "tool", "untyped tool", "untyped function", "builtin"])
def test_what_a_search_finds_is_charged_as_reported(gateway, prices, tells, members):
    caller = gateway.caller("10.00")
    tells(20_000)
    answer = gateway.chat(caller.key, max_tokens=16, **members)
    assert answer.status == 200, answer
    assert reported(gateway, answer)["usage"] == {"input": 20_000, "output": 2}
    assert gateway.balance(caller.tenant) == 10 * 10**9 - prices.cost(
        MODEL, input=20_000, output=2)


@pytest.mark.parametrize("members", [
    {}, {"web_search_options": None}, {"temperature": 0.5, "seed": 7, "top_k": 40},
    {"tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]},
    {"tools": [{"type": "custom", "custom": {"name": "look"}}]}, {"functions": [{"name": "look"}]}],
    ids=["nothing else", "no search", "settings", "function", "custom", "functions"])
def test_a_short_request_did_not_send_20000_tokens(gateway, prices, tells, members):
    caller = gateway.caller("10.00")
    tells(20_000)
    answer = gateway.chat(caller.key, max_tokens=16, **members)
    assert answer.status == 200, answer
    story = gateway.explain(answer.request_id)
    decision = story["decision"]
    assert (decision["usage_source"], decision["usage_implausible"]) == ("counted", True)
    assert decision["usage"]["input"] <= decision["input_tokens_bound"] < 1000
    cost = prices.cost(MODEL, **decision["usage"])
    assert nanos(answer.header("x-moongate-cost")) == cost < 10**6
    assert gateway.balance(caller.tenant) == 10 * 10**9 - cost
    told = gateway.run("explain", answer.request_id).stdout
    assert "more than this request can have used: our own count was charged" in told, told


@pytest.mark.parametrize("sound_format", ["mp3", "wav"])
def test_sound_is_charged_by_its_time_where_the_provider_counts_so(gateway, prices, tells,
                                                                   sound_format):
    """600 s at 8 kbit/s, of which a provider with 32 tokens a second counts three times what its
    bytes tell. The hold is by the bytes still."""
    caller = gateway.caller("10.00")
    tells(19_210)
    sound = base64.b64encode(bytes(600 * 1000)).decode()
    answer = ask(gateway, caller.key, part(type="input_audio", input_audio={
        "data": sound, "format": sound_format}))
    assert answer.status == 200, answer
    decision = reported(gateway, answer)
    assert decision["usage"] == {"input": 19_210, "output": 2}
    assert 6000 <= decision["input_tokens_bound"] < 6200
    assert gateway.balance(caller.tenant) == 10 * 10**9 - prices.cost(
        MODEL, input=19_210, output=2)


# --- Members that stand twice ---


def doubled(body, mark, name, first, second):
    """The body with two members in the place of the one that is named `mark`."""
    pair = f'"{name}": {json.dumps(first)}, "{name}": {json.dumps(second)}'
    assert body.count(f'"{mark}": 0') == 1
    return body.replace(f'"{mark}": 0', pair)


URL = "https://pictures.example/cat.png"
DOUBLES = {
    "messages.content": doubled(message(**{"@": 0}).replace('"content": "Yes?", ', ""), "@",
                                "content", "Hello", LONG),
    "messages.tool_calls.function.arguments": doubled(
        call(function={"name": "look", "@": 0}), "@", "arguments", "{}", LONG),
    "messages.content.type": doubled(part(**{"@": 0}, image_url={"url": URL}), "@", "type",
                                     "text", "image_url"),
    "messages.content.image_url": doubled(part(type="image_url", **{"@": 0}), "@", "image_url",
                                          {"url": URL, "detail": "low"}, {"url": URL}),
    "messages.content.image_url.detail": doubled(
        part(type="image_url", image_url={"url": URL, "@": 0}), "@", "detail", "low", "high"),
    "messages.content.input_audio.data": doubled(
        part(type="input_audio", input_audio={"format": "wav", "@": 0}), "@", "data", "AA",
        "A" * 60_000),
    "messages.content.file.file_data": doubled(
        part(type="file", file={"@": 0}), "@", "file_data", "AA", "A" * 60_000),
    "tools.type": doubled(top(tools=[{"@": 0, "web_search": {}}]), "@", "type", "function",
                          "web_search"),
    "tools.function": doubled(top(tools=[{"type": "function", "@": 0}]), "@", "function",
                              {"name": "look"}, {"name": "$web_search"}),
    "response_format.type": doubled(top(response_format={"@": 0}), "@", "type", "text",
                                    "json_schema"),
    "response_format.json_schema.schema": doubled(
        top(response_format={"type": "json_schema", "json_schema": {"name": "a", "@": 0}}), "@",
        "schema", {}, {"description": LONG}),
    "prediction.content": doubled(top(prediction={"type": "content", "@": 0}), "@", "content",
                                  "Hello", LONG),
}


@pytest.mark.parametrize("is_escaped", [False, True], ids=["plain", "escaped"])
@pytest.mark.parametrize("where", DOUBLES)
def test_a_member_that_stands_twice_within_is_refused(gateway, upstream, where, is_escaped):
    """Whoever reads the first and whoever reads the last would be asked for two things."""
    caller = gateway.caller("1.00")
    before = len(upstream.requests)
    outer, _, name = where.rpartition(".")
    body = DOUBLES[where]
    if is_escaped:
        head, quoted, tail = body.rpartition(f'"{name}": ')
        body = head + f'"\\u{ord(name[0]):04x}{name[1:]}": ' + tail
    answer = ask(gateway, caller.key, body)
    assert (answer.status, answer.code) == (400, "invalid_value"), answer
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", where)
    assert error["message"] == f"the member {name} stands twice in {outer}"
    assert len(upstream.requests) == before
    assert gateway.wallet(caller.tenant) == {"balance": 10**9, "held": 0, "available": 10**9}


def test_what_is_measured_as_text_may_hold_a_member_twice(gateway, upstream, tells):
    caller = gateway.caller("10.00")
    tells(20)
    for body in (doubled(top(metadata={"@": 0}), "@", "a", "x", "y"),
                 doubled(top(tools=[{"type": "function", "function": {
                     "name": "look", "parameters": {"@": 0}}}]), "@", "type", "object", "array")):
        assert ask(gateway, caller.key, body).status == 200, body
        assert upstream.requests[-1].body == body.encode()


# --- Two limits of an answer ---


TWO_LIMITS = [{"max_tokens": 1, "max_completion_tokens": 16_000},
              {"max_tokens": 16_000, "max_completion_tokens": 1}]


@pytest.mark.parametrize("limits", TWO_LIMITS, ids=["the newer", "the older"])
def test_the_larger_of_two_limits_must_be_there_to_be_paid(gateway, upstream, prices, limits):
    most = prices.cost(MODEL, output=16_000)
    poor = gateway.caller(f"0.{most - 1:09d}")
    before = len(upstream.requests)
    answer = gateway.chat(poor.key, **limits)
    assert (answer.status, answer.code) == (402, "insufficient_quota")
    assert len(upstream.requests) == before
    decision = gateway.explain(answer.request_id)["decision"]
    assert (decision["output_tokens_bound"], nanos(decision["held"])) == (16_000, 0)
    rich = gateway.caller("10.00")
    served = gateway.explain(gateway.chat(rich.key, **limits).request_id)["decision"]
    assert served["output_tokens_bound"] == 16_000 and nanos(served["held"]) >= most


@pytest.mark.parametrize("limits", TWO_LIMITS, ids=["the newer", "the older"])
def test_30_at_once_that_write_all_they_may_are_all_paid(gateway, prices, tells, limits):
    tells(3, 16_000)
    cost = prices.cost(MODEL, input=3, output=16_000)
    caller = gateway.caller(f"0.{5 * cost + cost // 2:09d}")
    credit = gateway.balance(caller.tenant)
    answers = crowd.all_at_once(gateway.address, [crowd.chat(**limits)] * 30, caller.key)
    served = [answer for answer in answers if answer.status == 200]
    assert 1 <= len(served) <= 5
    assert {answer.code for answer in answers if answer.status != 200} == {"insufficient_quota"}
    for answer in served:
        assert nanos(answer.header("x-moongate-cost")) == cost
        assert reported(gateway, answer)["usage"] == {"input": 3, "output": 16_000}
    left = credit - len(served) * cost
    assert gateway.wallet(caller.tenant) == {"balance": left, "held": 0, "available": left}


# --- Other spellings, and members that choose where a request goes ---


LONG_S, KELVIN = "\u017f", "\u212a"
SPELLINGS = {"Model": "gpt-4o", "MODEL": "gpt-4o", "STREAM": True, f"{LONG_S}tream": True,
             "Messages": [], "messageS": [], f"max_token{LONG_S}": 1, f"max_to{KELVIN}ens": 1,
             "Max_Completion_Tokens": 1, "N": 8, "Best_Of": 8, "Tools": [], "Service_Tier": "auto",
             "Stream_Options": {}, "Response_Format": {"type": "text"}, "Prompt": "Hello"}
ROUTING = {"models": ["gpt-4o"], "route": "fallback", "provider": {"order": ["other"]},
           "plugins": [{"id": "web"}], "fallbacks": ["gpt-4o"], "api_base": "http://other.example",
           "API_BASE": "http://other.example", "Models": ["gpt-4o"], "ROUTE": "fallback",
           f"api_{KELVIN}ey": "sk-other", f"BA{LONG_S}E_URL": "http://other.example"}
REFUSED = ([(name, value, "invalid_value") for name, value in SPELLINGS.items()] +
           [(name, value, "unsupported_parameter") for name, value in ROUTING.items()])


@pytest.mark.parametrize("where", ["first", "last", "escaped"])
@pytest.mark.parametrize("member, value, code", REFUSED, ids=[ascii(row[0]) for row in REFUSED])
def test_a_member_that_others_might_heed_is_refused(gateway, upstream, member, value, code, where):
    caller = gateway.caller("1.00")
    before = len(upstream.requests)
    body = {member: value, **crowd.chat()} if where == "first" else crowd.chat(**{member: value})
    text = json.dumps(body, ensure_ascii=False)
    if where == "escaped":
        text = text.replace(f'"{member}"', '"' + "".join(f"\\u{ord(c):04x}" for c in member) + '"')
    answer = gateway.ask("POST", CHAT, text.encode(), caller.key)
    assert (answer.status, answer.code) == (400, code), answer
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", member)
    assert (member if code == "invalid_value" else "is not supported") in error["message"]
    assert len(upstream.requests) == before
    assert gateway.wallet(caller.tenant) == {"balance": 10**9, "held": 0, "available": 10**9}


# --- Requests that are written in other ways ---


def test_limits_written_as_floats(gateway, upstream):
    key = gateway.caller("10.00").key
    for member in ("max_tokens", "max_completion_tokens"):
        answer = gateway.chat(key, **{member: 16.0})
        assert (answer.status, upstream.requests[-1].json()[member]) == (200, 16.0)
        assert gateway.explain(answer.request_id)["decision"]["output_tokens_bound"] == 16
        before = len(upstream.requests)
        for bad in (16.5, 0, 0.0, -1, "16", 1e300):
            answer = gateway.chat(key, **{member: bad})
            assert (answer.status, answer.code) == (400, "invalid_value"), bad
            assert answer.json()["error"]["param"] == member
        assert len(upstream.requests) == before


@pytest.mark.parametrize("nothing", [0, 0.0])
def test_a_completion_may_only_score_its_prompt(gateway, upstream, nothing):
    key = gateway.caller("10.00").key
    body = {"model": MODEL, "prompt": "Hello", "max_tokens": nothing, "echo": True, "logprobs": 1}
    answer = gateway.ask("POST", COMPLETIONS, body, key)
    assert answer.status == 200 and upstream.requests[-1].json() == body


@pytest.mark.parametrize("coding, status", [("identity", 200), ("Identity", 200), ("gzip", 415),
                                            ("br", 415), ("identity, gzip", 415)])
def test_bodies_come_as_they_are_or_not_at_all(gateway, upstream, coding, status):
    key = gateway.caller("10.00").key
    before = len(upstream.requests)
    answer = gateway.chat(key, headers={"Content-Encoding": coding})
    assert answer.status == status and len(upstream.requests) - before == (status == 200)
    if status == 200:
        assert upstream.requests[-1].header("content-encoding") is None
    else:
        assert answer.code == "unsupported_media_type"


def test_a_byte_order_mark_is_looked_past(gateway, upstream):
    key = gateway.caller("10.00").key
    for path, body in ((CHAT, crowd.chat()), (COMPLETIONS, {"model": MODEL, "prompt": "Hello"})):
        text = json.dumps(body).encode()
        answer = gateway.ask("POST", path, b"\xef\xbb\xbf" + text, key)
        assert answer.status == 200
        assert upstream.requests[-1].body == text
        assert upstream.requests[-1].header("content-length") == str(len(text))


# --- What no hold covered ---


def test_usage_tells_what_was_paid_also_after_a_shortfall(workshop, prices):
    teller = Teller()
    gateway = workshop.gateway([workshop.upstream(teller).channel()])
    small, usual = gateway.caller("0.001", name="small"), gateway.caller("1.00", name="usual")
    for caller in (small, usual):
        assert gateway.chat(caller.key, max_tokens=16).status == 200
    teller.prompt = 20_000
    answer = gateway.chat(small.key, max_tokens=16, web_search_options={})
    assert answer.status == 200, answer
    story = gateway.explain(answer.request_id)
    post = story["journal"][-1]
    price = prices.cost(MODEL, input=20_000, output=2)
    short = nanos(story["decision"]["shortfall"])
    assert nanos(post["charge"]) == price and short > 0
    assert nanos(post["paid"]) == price - short == nanos(answer.header("x-moongate-cost"))
    paid = {small.tenant: 10**6 - gateway.wait_unheld(small.tenant)["balance"],
            usual.tenant: 10**9 - gateway.wait_unheld(usual.tenant)["balance"]}
    assert paid[small.tenant] == 10**6
    for by in ("tenant", "model", "key", "channel", "hour"):
        table = gateway.cli("usage", "--by", by)
        assert (table["by"], table["total"]["requests"]) == (by, 3)
        assert nanos(table["total"]["charge"]) == sum(paid.values())
        assert sum(nanos(row["charge"]) for row in table["rows"]) == sum(paid.values())
        if by == "tenant":
            assert {row["name"]: nanos(row["charge"]) for row in table["rows"]} == paid
