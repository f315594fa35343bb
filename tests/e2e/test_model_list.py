"""GET /v1/models shows what the calling key may use: by its own list and by every policy."""

import json
import socket
import struct

import raw

MINI, LARGE = "gpt-4o-mini", "gpt-4o"


def started(workshop, module="", conf="", policy=""):
    """A gateway in whose chain a module of admit has a conf, or a policy of ours comes last."""
    gateway = workshop.gateway([workshop.upstream().channel()], start=False)
    if module:
        gateway.edit("scripts/policies/chain.lua", f'{{ "{module}" }}',
                     f'{{ "{module}", conf = {conf} }}')
    if policy:
        (gateway.folder / "scripts/policies/ours.lua").write_text(
            f"return {{ admit = function(conf, req) {policy} end }}")
        gateway.edit("scripts/policies/chain.lua", '{ "budget" }', '{ "budget" }, { "ours" }')
    return gateway.start()


def listed(gateway, key):
    answer = gateway.get("/v1/models", key)
    assert answer.status == 200, answer
    return [entry["id"] for entry in answer.json()["data"]]


def test_a_token_group_sees_its_models(workshop):
    gateway = started(workshop, "model_scope", '{ groups = { trial = { "*-mini" }, none = {} } }')
    everything = listed(gateway, gateway.caller("10.00").key)
    trial = gateway.caller("10.00", group="trial")
    assert listed(gateway, trial.key) == [name for name in everything if name.endswith("-mini")]
    assert listed(gateway, gateway.caller("10.00", group="other").key) == everything
    assert listed(gateway, gateway.caller("10.00", group="none").key) == []
    for name, status in ((MINI, 200), (LARGE, 404)):
        assert gateway.get(f"/v1/models/{name}", trial.key).status == status
    assert gateway.chat(trial.key, model=MINI).status == 200
    assert gateway.chat(trial.key, model=LARGE).status == 403


def test_what_is_denied_is_not_listed(workshop):
    gateway = started(workshop, "model_scope", f'{{ deny = {{ "{LARGE}" }} }}')
    caller = gateway.caller("10.00")
    assert LARGE not in listed(gateway, caller.key) and MINI in listed(gateway, caller.key)
    assert gateway.get(f"/v1/models/{LARGE}", caller.key).status == 404


def test_a_key_sees_nothing_from_where_it_may_not_call(workshop):
    gateway = started(workshop)
    caller = gateway.caller("10.00", allow_ip="10.0.0.0/8")
    assert listed(gateway, caller.key) == []
    assert gateway.get(f"/v1/models/{MINI}", caller.key).status == 404


def test_looking_takes_nothing_from_limits(workshop):
    gateway = started(workshop, "rate_limit", f'{{ model_rpm = {{ ["{MINI}"] = 3 }} }}')
    caller = gateway.caller("10.00", rpm=2)
    for _ in range(3):
        assert MINI in listed(gateway, caller.key)
    assert [gateway.chat(caller.key).status for _ in range(3)] == [200, 200, 429]
    # Too fast, or too poor, is not "not for you".
    assert MINI in listed(gateway, caller.key)
    assert MINI in listed(gateway, gateway.caller("0.000000001").key)


def test_a_policy_of_ones_own_decides_and_says_nothing(workshop):
    gateway = started(workshop, policy=f"""
        gate.log("info", req.operation .. " of " .. req.model)
        gate.limit.give("ours", 5)
        gate.budget.require("ours", "1.00", "day")
        if req.model == "{LARGE}" then return gate.refuse(403, "model_not_allowed", "not today") end
        if req.model == "{MINI}" then return gate.refuse(429, "rate_limit_exceeded", "slowly") end
    """)
    caller = gateway.caller("10.00")
    names = listed(gateway, caller.key)
    assert LARGE not in names and MINI in names and len(names) > 50
    assert gateway.chat(caller.key, model=LARGE).status == 403
    assert gateway.chat(caller.key, model=MINI).status == 429
    lines = gateway.program.stderr().splitlines()
    said = [json.loads(line)["text"] for line in lines if "policy_says" in line]
    assert said == [f"chat of {LARGE}", f"chat of {MINI}"]


def test_a_policy_that_fails_fails_the_list(workshop):
    gateway = started(workshop, policy=f'if req.model == "{LARGE}" then error("no") end')
    caller = gateway.caller("10.00")
    for target in ("/v1/models", f"/v1/models/{LARGE}"):
        answer = gateway.get(target, caller.key)
        assert (answer.status, answer.code) == (500, "policy_error"), target
    assert gateway.get(f"/v1/models/{MINI}", caller.key).status == 200


def test_a_policy_that_is_busy_takes_nothing_off(workshop):
    gateway = started(workshop, policy=f"""
        if req.model == "{MINI}" then return gate.refuse(503, "overloaded", "later") end""")
    caller = gateway.caller("10.00")
    assert MINI in listed(gateway, caller.key)
    assert gateway.chat(caller.key, model=MINI).status == 503


def test_a_long_list_is_made_over_several_turns(workshop):
    """Clients leave and generations change meanwhile."""
    slow = "local n = 0 for i = 1, 60000 do n = n + i end"
    gateway = started(workshop, policy=slow)
    caller = gateway.caller("10.00")
    for leave in ("reset", "half", "reset"):
        guests = [socket.create_connection(gateway.address) for _ in range(8)]
        for guest in guests:
            guest.sendall(raw.request("GET", "/v1/models", key=caller.key))
        if leave == "half":
            for guest in guests:
                guest.shutdown(socket.SHUT_WR)
        path = gateway.folder / "scripts/policies/ours.lua"
        path.write_text(path.read_text() + "\n-- touched\n")
        assert gateway.get("/health/live").status == 200
        for guest in guests:
            guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            guest.close()
    assert MINI in listed(gateway, caller.key)
    answer = gateway.get("/v1/models", caller.key)
    assert int(answer.header("x-moongate-generation")) >= 1 and gateway.is_running()


def test_who_leaves_while_the_list_is_made_harms_nobody(workshop):
    gateway = started(workshop)
    caller = gateway.caller("10.00")
    for _ in range(50):
        guest = socket.create_connection(gateway.address)
        guest.sendall(raw.request("GET", "/v1/models", key=caller.key) * 3)
        guest.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guest.close()
    assert MINI in listed(gateway, caller.key)
    answer = gateway.get("/v1/models", caller.key)
    assert answer.header("x-moongate-generation") == "1"
