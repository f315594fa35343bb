"""moongate.lua as a careless operator writes it: every mistake is named with file and key, all of
them at once, and nothing is served or changed."""

import pytest

import lua
from gateway import MASTER_KEY
from lua import Code

CHANNEL = {"id": "a", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9000/v1",
           "allow_private": True, "credential": "k", "models": {"gpt-4o": True}}

# One mistake each, and the words that must name it.
MISTAKES = [
    ({"listn": {}}, "listn is not a known key"),
    ({"listen": "127.0.0.1:80"}, "listen must be a list of tables"),
    ({"listen": []}, "listen must name at least one address"),
    ({"listen": [{"address": "nowhere"}]}, "listen[1].address must be an address and a port"),
    ({"listen": [{"address": "127.0.0.1:0", "tsl": {}}]}, "listen[1].tsl is not a known key"),
    ({"listen": [{"address": "127.0.0.1:0", "tls": {"cert": "c.pem"}}]},
     "listen[1].tls.key is required"),
    ({"listen": [{"address": "127.0.0.1:0", "serves": ["web"]}]}, "listen[1].serves may hold"),
    ({"state": 7}, "state must be a string"),
    ({"scripts": False}, "scripts must be a string"),
    ({"data": {}}, "data must be a string"),
    ({"workers": "two"}, "workers must be a whole number"),
    ({"workers": 257}, "workers must be a whole number from 0 to 256"),
    ({"workers": 1.5}, "workers must be a whole number"),
    ({"durability": "usually"}, "durability must be"),
    ({"master_key": "c2hvcnQ="}, "master_key must be 32 bytes"),
    ({"master_key": 5}, "master_key must be a string"),
    ({"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies holds \"10.0.0.0/33\""),
    ({"trusted_proxies": "10.0.0.0/8"}, "trusted_proxies must be a list of strings"),
    ({"upstream_ca": 1}, "upstream_ca must be a string"),
    ({"cors": {"origin": []}}, "cors.origin is not a known key"),
    ({"cors": {"origins": [1]}}, "cors.origins must be a list of strings"),
    ({"resolver": {"timeout_ms": 9}}, "resolver.timeout_ms must be a whole number from 10"),
    ({"resolver": []}, None),  # an empty table is an empty table
    ({"limits": {"body_bytes_max": 1023}},
     "limits.body_bytes_max must be a whole number from 1024"),
    ({"limits": {"nothing": 1}}, "limits.nothing is not a known key"),
    ({"limits": 5}, "limits must be a table"),
    ({"drain_s": -1}, "drain_s must be a whole number from 0 to 86400"),
    ({"drain_s": 86401}, "drain_s must be a whole number from 0 to 86400"),
    ({"drain_s": True}, "drain_s must be a whole number"),
    ({"log": {"level": "loud"}}, "log.level must be debug, info, warning or error"),
    ({"channels": {"a": CHANNEL}}, "channels must be a list of tables"),
    ({"channels": [{**CHANNEL, "id": None}]}, "channels[1].id is required"),
    ({"channels": [{**CHANNEL, "provider": 1}]}, "channels[1].provider must be a string"),
    ({"channels": [CHANNEL, CHANNEL]}, 'channels[2].id "a" is used twice'),
    ({"channels": [{**CHANNEL, "priority": 0}]}, "channels[1].priority must be a whole number"),
    ({"channels": [{**CHANNEL, "priority": 1001}]}, "channels[1].priority must be a whole number"),
    ({"channels": [{**CHANNEL, "weight": -1}]}, "channels[1].weight must be a whole number"),
    ({"channels": [{**CHANNEL, "models": {}}]}, "channels[1].models must name at least one"),
    ({"channels": [{**CHANNEL, "models": {"gpt-4o": 1}}]}, 'channels[1].models ["gpt-4o"] must be'),
    ({"channels": [{**CHANNEL, "models": ["gpt-4o"]}]}, "channels[1].models"),
    ({"channels": [{**CHANNEL, "allow_private": "yes"}]},
     "channels[1].allow_private must be true or false"),
    ({"channels": [{**CHANNEL, "timeouts": {"idle_ms": 0}}]},
     "channels[1].timeouts.idle_ms must be a whole number from 1"),
    ({"channels": [{**CHANNEL, "timeouts": {"idle": 1}}]},
     "channels[1].timeouts.idle is not a known key"),
    ({"channels": [{**CHANNEL, "cost": {"multiplier_ppm": -1}}]},
     "channels[1].cost.multiplier_ppm must be a whole number from 0"),
    ({"channels": [{**CHANNEL, "concurrency_max": 2**40}]},
     "channels[1].concurrency_max must be a whole number"),
    ({"channels": [{**CHANNEL, "colour": "red"}]}, "channels[1].colour is not a known key"),
]


@pytest.fixture(scope="module")
def gateway(module_workshop):
    return module_workshop.gateway(start=False)


def complaints(gateway, settings):
    gateway.write_config("return " + lua.literal(settings) + "\n")
    done = gateway.run("check", "--json")
    lines = done.stderr.splitlines()
    assert done.returncode == (1 if lines else 0), done
    return lines


def test_each_mistake_is_named(gateway):
    good = {"listen": [{"address": "127.0.0.1:0"}], "master_key": MASTER_KEY}
    assert complaints(gateway, good) == []
    for settings, words in MISTAKES:
        lines = complaints(gateway, {**good, **settings})
        if words is None:
            assert lines == [], settings
            continue
        assert lines[0].startswith(f"moongate: moongate.lua: {words}"), (settings, lines)
        # At most one thing more is said, of the same key: that nothing is left of it.
        key = next(iter(settings))
        assert len(lines) <= 2 and all(f" {key}" in line for line in lines), (settings, lines)


def test_all_mistakes_are_named_at_once(gateway):
    settings, expected = {"listen": [{"address": "127.0.0.1:0"}]}, []
    for change, words in MISTAKES:
        key = next(iter(change))
        if words and key not in settings and key != "channels":
            settings.update(change)
            expected.append(words)
    settings["channels"] = [{**CHANNEL, "priority": 0, "weight": -1, "colour": "red"}]
    expected += ["channels[1].priority", "channels[1].weight", "channels[1].colour"]
    lines = complaints(gateway, settings)
    assert len(lines) >= len(expected) >= 15
    for words in expected:
        assert any(line.startswith(f"moongate: moongate.lua: {words}") for line in lines), words


def test_every_command_says_the_same(gateway):
    """A command that reads the configuration fails by it before it does anything."""
    gateway.write_config("return { nonsense = 1 }")
    for command in (["serve"], ["check"], ["tenant", "list"], ["channel", "list"],
                    ["policy", "check"], ["ledger", "verify"], ["usage"], ["reload"],
                    ["explain", "req_x"], ["wallet", "show", "--tenant", "platform"]):
        # To `ledger verify` 1 means that the books are wrong.
        said = gateway.refused(*command, code=2 if command[0] == "ledger" else 1)
        assert "moongate.lua: nonsense is not a known key" in said, command
        assert "moongate.lua: listen must name at least one address" in said, command
    assert not gateway.state.exists()


def test_what_cannot_be_read_or_run(gateway):
    gateway.write_config("return {")
    assert "moongate.lua:1:" in gateway.refused("check")
    gateway.write_config("error('by hand')")
    assert "by hand" in gateway.refused("check")
    gateway.write_config("return 5")
    assert "moongate.lua" in gateway.refused("check")
    gateway.write_config("while true do end")
    assert "moongate.lua" in gateway.refused("check")
    gateway.write_config("local f = io.open('/etc/passwd') return {}")
    assert "moongate.lua:1:" in gateway.refused("check")
    missing = gateway.run("check", "--config", "/nowhere/moongate.lua", config=False)
    assert missing.returncode == 1
    assert "cannot read /nowhere/moongate.lua: No such file" in missing.stderr


def test_env_and_required(gateway):
    """What the environment has not is nil, or an error that names it."""
    good = {"listen": [{"address": "127.0.0.1:0"}]}
    assert complaints(gateway, {**good, "master_key": Code('env("MOONGATE_TEST_UNSET")')}) == []
    lines = complaints(gateway, {**good, "state": Code('required(env("MOONGATE_TEST_UNSET"))')})
    assert len(lines) == 1 and "moongate.lua:1:" in lines[0], lines
    assert complaints(gateway, {**good, "state": Code('required(env("PATH") and "state")')}) == []


def test_check_names_what_cannot_be_served(gateway):
    channels = [{**CHANNEL, "id": "gone", "provider": "no-such-vendor"},
                {**CHANNEL, "id": "keyless", "provider": "openai", "base_url": None,
                 "credential": None},
                {**CHANNEL, "id": "sealed", "credential": "secret:missing"},
                {**CHANNEL, "id": "unpriced", "models": {"no-such-model": True}}, CHANNEL]
    gateway.write_config("return " + lua.literal(
        {"listen": [{"address": "127.0.0.1:0"}], "channels": channels}))
    report = gateway.cli("check")
    assert report["ok"] and report["channels"] == 2 and report["callable_models"] == 1
    for words in ("channel gone is left out: there is no provider no-such-vendor",
                  "channel keyless is left out: it has no credential (is OPENAI_API_KEY set?)",
                  "channel sealed is left out: there is no secret missing"):
        assert any(warning.startswith(words) for warning in report["warnings"]), report
    assert any("no-such-model" in warning for warning in report["warnings"]), report


def test_check_finds_broken_policies_data_and_certificates(workshop):
    gateway = workshop.gateway(start=False)
    gateway.script("policies/budget.lua").write_text("return {")
    assert "policies/budget.lua:1:" in gateway.refused("check")
    assert "policies/budget.lua:1:" in gateway.refused("policy", "check")
    assert "policies/budget.lua:1:" in gateway.refused("serve")

    gateway = workshop.gateway(start=False)
    gateway.edit("data/models.json", '"rates": {}', '"rates": {"EUR": "x"}')
    assert "models.json" in gateway.refused("check")
    assert "models.json" in gateway.refused("serve")

    gateway = workshop.gateway(start=False, listen=[
        {"address": "127.0.0.1:0", "tls": {"cert": "no.pem", "key": "no.key"}}])
    assert "no.pem" in gateway.refused("check")
    assert "no.pem" in gateway.refused("serve")


def test_a_channel_left_out_is_named_once(workshop):
    gone = {**CHANNEL, "id": "gone", "provider": "no-such-vendor"}
    gateway = workshop.gateway([gone, CHANNEL])
    for name in ("one", "two", "three"):
        gateway.tenant(name)  # each is a new directory, and a new world made of it
    said = gateway.program.stderr()
    assert said.count("channel_left_out") == 1 and "channel gone is left out" in said, said
