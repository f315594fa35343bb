"""Pages of the configured origins may call the API, as browsers ask it (WHATWG Fetch); no others."""

import pytest

from upstream import obliging

PAGE = "https://chat.example"
OTHER = "https://elsewhere.example"
ALLOWED = "access-control-allow-origin"
# What browsers ask leave for when they carry the official SDK.
FIELDS = ("authorization", "content-type", "idempotency-key", "x-session-id",
          "x-moongate-constraints", "x-stainless-lang", "x-stainless-retry-count")


@pytest.fixture(scope="module")
def gateway(module_workshop):
    upstream = module_workshop.upstream(obliging)
    return module_workshop.gateway([upstream.channel()], cors={"origins": [PAGE]})


def preflight(gateway, origin, target="/v1/chat/completions"):
    return gateway.ask("OPTIONS", target, headers={
        "origin": origin, "access-control-request-method": "POST",
        "access-control-request-headers": ",".join(FIELDS)})


def test_a_preflight_allows_what_an_sdk_sends(gateway):
    answer = preflight(gateway, PAGE)
    assert answer.status == 204
    assert answer.header(ALLOWED) == PAGE
    assert answer.header("vary") == "origin"
    assert "POST" in answer.header("access-control-allow-methods").split(", ")
    offered = answer.header("access-control-allow-headers").split(", ")
    assert set(FIELDS) | {"user-agent", "x-stainless-helper-method"} <= set(offered)
    assert "*" in offered  # what the next SDK sends
    assert int(answer.header("access-control-max-age")) > 0


def test_answers_refusals_and_streams_can_be_read(gateway):
    caller = gateway.caller("10.00")
    page = {"origin": PAGE}
    answers = [gateway.chat(caller.key, headers=page),
               gateway.chat(caller.key, headers=page, stream=True),
               gateway.chat(caller.key, headers=page, model="no-such-model"),
               gateway.chat("mg-nonsense", headers=page),
               gateway.get("/v1/models", caller.key, page)]
    assert [answer.status for answer in answers] == [200, 200, 404, 401, 200]
    for answer in answers:
        assert answer.header(ALLOWED) == PAGE, answer
        exposed = answer.header("access-control-expose-headers").split(", ")
        assert {"x-request-id", "x-moongate-cost", "retry-after", "x-should-retry",
                "idempotency-replayed", "x-ratelimit-remaining-tokens"} <= set(exposed)


def test_no_other_page_is_let_in(gateway):
    caller = gateway.caller("10.00")
    for origin in (OTHER, PAGE + ".elsewhere.example", PAGE.replace("https", "http"), "null"):
        answer = preflight(gateway, origin)
        assert answer.status == 204 and answer.header(ALLOWED) is None, origin
        assert answer.header("access-control-allow-headers") is None
        assert gateway.chat(caller.key, headers={"origin": origin}).header(ALLOWED) is None


def test_a_star_is_any_page_and_nothing_is_none(module_workshop):
    channel = module_workshop.upstream(obliging).channel()
    anybody = module_workshop.gateway([channel], cors={"origins": ["*"]})
    assert preflight(anybody, OTHER).header(ALLOWED) in ("*", OTHER)
    nobody = module_workshop.gateway([channel])
    assert preflight(nobody, PAGE).header(ALLOWED) is None
