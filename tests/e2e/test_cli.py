"""Every command of the command line, with a server and without one; exit codes; what a second
server may not do; whose the state folder is."""

import hashlib
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import nanos

MODEL = "gpt-4o-mini"


@pytest.fixture
def gateway(workshop):
    return workshop.gateway([workshop.upstream().channel()])


def test_exit_codes(gateway):
    """0 done, 1 refused or failed, 2 wrong usage."""
    for arguments in ([], ["nonsense"], ["tenant"], ["tenant", "create"], ["tenant", "nonsense"],
                      ["wallet", "credit", "--tenant", "x"], ["key", "create"], ["explain"],
                      ["usage", "--nonsense"], ["tenant", "list", "extra"],
                      ["key", "create", "--tenant", "x", "--rpm", "many"]):
        done = gateway.run(*arguments)
        assert done.returncode == 2, (arguments, done)
        assert done.stderr and not done.stdout, (arguments, done)
    for arguments in (["--help"], ["--version"], ["tenant", "--help"], ["wallet", "credit", "-h"]):
        done = gateway.run(*arguments, config=False)
        assert done.returncode == 0 and done.stdout and not done.stderr, (arguments, done)


def test_an_option_takes_no_other_option_for_its_value(gateway):
    """A variable that a script forgot to set must not pay in under the id "--json"."""
    tenant = gateway.tenant()
    credit = ["wallet", "credit", "--tenant", tenant, "--amount", "10"]
    for arguments, name in (([*credit, "--id=", "--json"], "--id"), ([*credit, "--id="], "--id"),
                            ([*credit, "--id", "--json"], "--id"),
                            ([*credit, "--memo=", "--id=x"], "--memo"),
                            (["key", "create", "--tenant", tenant, "--models=", "--json"],
                             "--models"),
                            (["--config=", "--json", "tenant", "list"], "--config")):
        done = gateway.run(*arguments)
        assert done.returncode == 2 and not done.stdout, (arguments, done)
        assert f"{name} has no value" in done.stderr or f"{name}= has no value" in done.stderr
    assert gateway.balance(tenant) == 0
    assert gateway.cli("key", "list", "--tenant", tenant) == []
    assert gateway.cli(*credit, "--id=--odd", "--memo=--json")
    assert gateway.cli(*credit, "--id", "a=", "--memo", "b=")
    assert gateway.balance(tenant) == nanos("20")


def walk(gateway, request_id, name):
    """Every command that works both ways; raises where one does not."""
    cli = gateway.cli
    tenant = cli("tenant", "create", "--name", name)
    assert tenant["kind"] == "company" and tenant["parent"] == "platform"
    agent = cli("tenant", "create", "--name", "reseller", "--kind", "agent")
    under = cli("tenant", "create", "--name", "theirs", "--parent", agent["id"])
    person = cli("tenant", "create", "--name", "ann", "--kind", "employee", "--parent",
                 tenant["id"])
    assert under["parent"] == agent["id"] and person["parent"] == tenant["id"]
    listed = {t["id"]: t for t in cli("tenant", "list")}
    assert {tenant["id"], agent["id"], under["id"], person["id"], "platform"} <= set(listed)
    assert cli("tenant", "show", tenant["id"])["name"] == name
    assert cli("tenant", "suspend", tenant["id"])["suspended"] is True
    assert cli("tenant", "resume", tenant["id"])["suspended"] is False

    credit = ["wallet", "credit", "--tenant", tenant["id"], "--amount", "2.50", "--id", name]
    cli(*credit)
    cli(*credit)  # the same id pays once
    assert gateway.balance(tenant["id"]) == nanos("2.5")
    shown = cli("wallet", "show", "--tenant", tenant["id"])
    assert shown == {"tenant": tenant["id"], "currency": "USD", "balance": "2.500000000",
                     "held": "0.000000000", "available": "2.500000000"}
    history = cli("wallet", "history", "--tenant", tenant["id"])
    assert [item["change"] for item in history["items"]] == ["2.500000000"]

    key = cli("key", "create", "--tenant", person["id"], "--name", "laptop", "--models",
              "gpt-4o*,o3", "--allow-ip", "10.0.0.0/8", "--allow-ip", "192.0.2.1", "--rpm", "60",
              "--tpm", "9000", "--group", "vip", "--daily-limit", "5.00", "--expires", "24h")
    assert key["key"].startswith("mg-") and len(key["key"]) >= 46
    listed = cli("key", "list", "--tenant", person["id"])
    assert [k["id"] for k in listed] == [key["id"]] and "key" not in listed[0]
    assert listed[0]["models"] == ["gpt-4o*", "o3"] and listed[0]["rpm"] == 60
    assert listed[0]["allow_ip"] == ["10.0.0.0/8", "192.0.2.1"]
    assert nanos(listed[0]["daily_limit"]) == nanos("5")
    rotated = cli("key", "rotate", key["id"], "--grace", "24h")
    assert rotated["key"] != key["key"] and rotated["previous_secret_until"]
    assert cli("key", "revoke", key["id"])["revoked"] is True

    cli("secret", "set", name, stdin="s3cret-value\n")
    assert name in [secret["name"] for secret in cli("secret", "list")]
    assert [c["id"] for c in cli("channel", "list")] == ["up"]
    assert cli("channel", "disable", "up")["enabled"] is False
    assert cli("channel", "list")[0]["enabled"] is False
    assert cli("channel", "enable", "up")["enabled"] is True
    assert cli("policy", "check")["ok"] is True
    assert cli("check")["ok"] is True
    assert cli("ledger", "verify")["verdict"] == "clean"
    backup = gateway.folder / f"backup-{name}"
    cli("ledger", "backup", backup)
    assert (backup / "data.mdb").stat().st_size > 0
    for by in ("model", "tenant", "key", "channel", "hour"):
        assert cli("usage", "--by", by, "--since", "24h")["total"]["requests"] == 1, by
    story = cli("explain", request_id)
    assert story["decision"]["model"] == MODEL and len(story["journal"]) == 2


def test_every_command_online_and_offline(gateway):
    caller = gateway.caller()
    request_id = gateway.chat(caller.key).request_id
    gateway.explain(request_id)  # waits for the record
    walk(gateway, request_id, "online")
    assert gateway.cli("reload")["generation"] == 2
    gateway.stop()
    walk(gateway, request_id, "offline")
    assert "no server is running" in gateway.refused("reload")
    # What was done without a server is there for the next one.
    gateway.start()
    assert {"online", "offline"} <= {t["name"] for t in gateway.cli("tenant", "list")}
    assert gateway.chat(caller.key).status == 200


def test_commands_at_a_time_without_a_server_wait_for_each_other(workshop):
    gateway = workshop.gateway(start=False)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda i: gateway.run("tenant", "create", "--name", f"t{i}"), range(6)))
    assert [one.returncode for one in done] == [0] * 6, [one.stderr for one in done]
    names = {tenant["name"] for tenant in gateway.cli("tenant", "list")}
    assert {f"t{i}" for i in range(6)} <= names


def test_a_command_waits_for_the_server_that_has_the_store(workshop):
    """The server takes the store before it listens for commands: those wait, and reach it."""
    gateway = workshop.gateway(start=False)
    gateway.tenant("before")
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(gateway.start)
        while not starting.done():
            gateway.tenant("meanwhile")
        starting.result()
    gateway.tenant("after")
    names = [tenant["name"] for tenant in gateway.cli("tenant", "list")]
    assert {"before", "meanwhile", "after"} <= set(names)


def test_every_command_prints_for_people_too(gateway):
    caller = gateway.caller()
    request_id = gateway.chat(caller.key).request_id
    gateway.explain(request_id)
    for arguments in (["tenant", "list"], ["tenant", "show", caller.tenant],
                      ["wallet", "show", "--tenant", caller.tenant],
                      ["wallet", "history", "--tenant", caller.tenant],
                      ["key", "list", "--tenant", caller.tenant], ["secret", "list"],
                      ["channel", "list"], ["check"], ["policy", "check"], ["ledger", "verify"],
                      ["usage"], ["explain", request_id], ["reload"]):
        done = gateway.run(*arguments)
        assert done.returncode == 0 and done.stdout.strip() and not done.stderr, (arguments, done)
        assert not done.stdout.startswith("{"), arguments
    told = gateway.run("explain", request_id).stdout
    for words in (MODEL, caller.tenant, "up", "answered", "Money", "input", "output", "0.00000"):
        assert words in told, (words, told)


def test_refusals_say_what_is_wrong(gateway):
    tenant = gateway.tenant()
    for arguments, words in [
            (["tenant", "show", "ten_nonsense"], "moongate: ID must be the id of a tenant"),
            (["tenant", "create", "--name", "x", "--kind", "employee"], "employee"),
            (["tenant", "create", "--name", "x", "--parent", "ten_nonsense"], "--parent must be"),
            (["wallet", "credit", "--tenant", tenant, "--amount", "1.0000000001"], "--amount"),
            (["wallet", "credit", "--tenant", "platform", "--amount", "1"], "platform"),
            (["key", "create", "--tenant", "platform"], "keys belong to"),
            (["key", "create", "--tenant", tenant, "--allow-ip", "10.0.0.0/33"], "--allow-ip"),
            (["key", "create", "--tenant", tenant, "--expires", "soon"], "--expires"),
            (["key", "create", "--tenant", tenant, "--daily-limit", "-1"], "--daily-limit"),
            (["key", "revoke", "key_nonsense"], "must be the id of a key"),
            (["channel", "disable", "nonsense"], "there is no channel nonsense"),
            (["explain", "req_nonsense"], "must be a request id"),
            (["usage", "--since", "tomorrow"], "--since"),
            (["ledger", "backup", gateway.state], "exists already")]:
        said = gateway.refused(*arguments)
        assert words in said, (arguments, said)


def test_a_second_server_fails(gateway, workshop):
    """Instead of quietly taking half of the traffic, or the other one's store."""
    host, port = gateway.address
    other = workshop.gateway(start=False, listen=[{"address": f"{host}:{port}"}])
    said = other.refused("serve")
    assert f"{host}:{port}" in said, said
    text = gateway.config.read_text()
    done = gateway.run("serve")  # the same state, another free port
    assert done.returncode == 1 and done.stderr.startswith("moongate: "), done
    assert gateway.config.read_text() == text and gateway.get("/health/ready").status == 200


def test_the_state_folder_is_ours_alone(gateway):
    assert stat.S_IMODE(os.stat(gateway.state).st_mode) == 0o700


def fingerprint(folder):
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file() and "lock" not in path.name}


def test_reading_after_a_crash_writes_nothing(gateway):
    caller = gateway.caller()
    request_id = gateway.chat(caller.key).request_id
    gateway.explain(request_id)
    gateway.kill()
    before = fingerprint(gateway.state)
    for arguments in (["tenant", "list"], ["tenant", "show", caller.tenant],
                      ["wallet", "show", "--tenant", caller.tenant],
                      ["wallet", "history", "--tenant", caller.tenant],
                      ["key", "list", "--tenant", caller.tenant], ["secret", "list"],
                      ["channel", "list"], ["check"], ["policy", "check"], ["ledger", "verify"],
                      ["usage"], ["explain", request_id]):
        gateway.cli(*arguments)
        assert fingerprint(gateway.state) == before, arguments


def test_a_secret_is_never_shown(gateway, workshop):
    """Neither by commands nor in any file of the state folder, log or answer."""
    secret = "sk-canary-7f3a9b"
    gateway.cli("secret", "set", "vendor", stdin=secret + "\n")
    channel = {**workshop.upstream().channel(), "credential": "secret:vendor"}
    gateway.stop()
    gateway.write_config(channels=[channel])
    gateway.start()
    caller = gateway.caller()
    assert gateway.chat(caller.key).status == 200
    printed = json.dumps([gateway.cli("secret", "list"), gateway.cli("channel", "list"),
                          gateway.cli("key", "list", "--tenant", caller.tenant)])
    log = gateway.program.stderr()
    gateway.stop()
    kept = b"".join(path.read_bytes() for path in gateway.state.rglob("*") if path.is_file())
    for hidden in (secret, caller.key):
        assert hidden not in printed and hidden not in log and hidden.encode() not in kept


def test_a_master_key_is_rotated(gateway, workshop):
    """Secrets stay readable, under the new key only."""
    fresh = "cm90YXRlZC1tYXN0ZXIta2V5LWZvci1tb29uZ2F0ZSE="
    gateway.cli("secret", "set", "vendor", stdin="sk-vendor-1\n")
    gateway.cli("secret", "rotate-master", stdin=fresh + "\n")
    gateway.stop()
    upstream = workshop.upstream()
    gateway.write_config(master_key=fresh,
                         channels=[{**upstream.channel(), "credential": "secret:vendor"}])
    gateway.start()
    assert gateway.chat(gateway.caller().key).status == 200
    assert upstream.requests[-1].header("authorization") == "Bearer sk-vendor-1"
