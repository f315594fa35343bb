"""A model by another name: served, priced, limited and listed as the model; scopes hold."""

import json

import pytest

from gateway import nanos
from pricing import Catalogue

MODEL, OTHER = "gpt-4o-mini", "gpt-4o"
ALIAS = "house/fast"


def started(workshop, upstream, **chain):
    """A gateway with the alias; `chain` gives modules of the chain a conf."""
    gateway = workshop.gateway([upstream.channel()], start=False)
    (gateway.folder / "data" / "aliases.json").write_text(json.dumps({ALIAS: MODEL}))
    for module, conf in chain.items():
        gateway.edit("scripts/policies/chain.lua", f'{{ "{module}" }}',
                     f'{{ "{module}", conf = {conf} }}')
    return gateway.start()


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    return started(module_workshop, upstream)


def test_an_alias_is_served_and_charged_as_its_model(gateway, upstream):
    caller = gateway.caller("10.00")
    answer = gateway.chat(caller.key, model=ALIAS)
    assert answer.status == 200, answer
    assert json.loads(upstream.requests[-1].body)["model"] == MODEL
    story = gateway.explain(answer.request_id)
    assert story["decision"]["model"] == MODEL
    usage = story["decision"]["usage"]
    prices = Catalogue(gateway.folder / "data")
    assert nanos(answer.header("x-moongate-cost")) == prices.cost(MODEL, **usage)


@pytest.mark.parametrize("scope, allowed, refused", [
    ("", [MODEL, ALIAS, OTHER], []),
    (ALIAS, [ALIAS], [MODEL, OTHER]),
    ("house/*", [ALIAS], [MODEL, OTHER]),
    (MODEL, [MODEL, ALIAS], [OTHER]),
    (f"{OTHER},{ALIAS}", [OTHER, ALIAS], [MODEL]),
    ("gpt-*", [MODEL, ALIAS, OTHER], []),
    (OTHER, [OTHER], [MODEL, ALIAS]),
])
def test_a_scope_goes_by_id_or_by_the_name_that_is_asked_for(gateway, scope, allowed, refused):
    caller = gateway.caller("10.00", **({"models": scope} if scope else {}))
    listed = {entry["id"]: entry
              for entry in gateway.get("/v1/models", caller.key).json()["data"]}
    for name in allowed:
        assert gateway.chat(caller.key, model=name).status == 200, name
        one = gateway.get(f"/v1/models/{name}", caller.key)
        assert one.status == 200 and one.json() == listed[name], name
        assert listed[name].get("alias_of") == (MODEL if name == ALIAS else None)
    for name in refused:
        answer = gateway.chat(caller.key, model=name)
        assert (answer.status, answer.code) == (403, "model_not_allowed"), name
        assert name in answer.json()["error"]["message"]
        assert name not in listed
        assert gateway.get(f"/v1/models/{name}", caller.key).status == 404


@pytest.mark.parametrize("denied", [MODEL, ALIAS, "house/*"])
def test_what_is_denied_is_denied_by_every_name(workshop, upstream, denied):
    gateway = started(workshop, upstream, model_scope=f'{{ deny = {{ "{denied}" }} }}')
    caller = gateway.caller("10.00")
    for name in (MODEL, ALIAS):
        answer = gateway.chat(caller.key, model=name)
        assert (answer.status, answer.code) == (403, "model_not_allowed"), name
    assert gateway.chat(caller.key, model=OTHER).status == 200


def test_a_limit_of_a_model_counts_all_its_names(workshop, upstream):
    gateway = started(workshop, upstream, rate_limit=f'{{ model_rpm = {{ ["{MODEL}"] = 2 }} }}')
    caller = gateway.caller("10.00")
    statuses = [gateway.chat(caller.key, model=name).status
                for name in (MODEL, ALIAS, ALIAS, MODEL, OTHER)]
    assert statuses == [200, 200, 429, 429, 200]
