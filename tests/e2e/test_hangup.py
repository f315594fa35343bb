"""SIGHUP reads the channels anew: new ones serve, and a mistake changes nothing."""

import json
import signal
import time

import pytest

from place import patience
from upstream import obliging


@pytest.fixture
def upstreams(workshop):
    return [workshop.upstream(obliging) for _ in range(2)]


@pytest.fixture
def gateway(workshop, upstreams):
    return workshop.gateway([upstreams[0].channel(id="first", priority=2)], workers=2)


def reread(gateway, channels, event):
    """Writes the channels, says SIGHUP, and waits for what the log says of it."""
    before = gateway.program.stderr().count(event)
    gateway.write_config(channels=channels)
    gateway.program.signal(signal.SIGHUP)
    deadline = time.monotonic() + patience(5)
    while gateway.program.stderr().count(event) == before:
        assert time.monotonic() < deadline, gateway.program.stderr()
        time.sleep(0.02)


def channel_of(gateway, key):
    answer = gateway.chat(key)
    assert answer.status == 200
    return answer.header("x-moongate-channel")


def test_channels_come_and_go(gateway, upstreams):
    key = gateway.caller("10.00").key
    first, second = (upstream.channel(id=name, priority=priority) for upstream, name, priority
                     in zip(upstreams, ("first", "second"), (2, 1)))
    assert channel_of(gateway, key) == "first"
    reread(gateway, [first, second], "configuration_reread")
    assert {channel_of(gateway, key) for _ in range(8)} == {"second"}
    reread(gateway, [first], "configuration_reread")
    assert {channel_of(gateway, key) for _ in range(8)} == {"first"}


def test_what_waits_for_the_next_start_is_named(gateway, upstreams):
    channels = [upstreams[0].channel(id="first", priority=2)]
    settings = dict(gateway.settings)
    gateway.settings.update(drain_s=17, limits={"body_bytes_max": 100000})
    reread(gateway, channels, "configuration_reread")
    told = [json.loads(line) for line in gateway.program.stderr().splitlines()
            if "restart_needed" in line]
    assert [line["settings"] for line in told] == ["drain_s, limits"]
    gateway.settings = settings
    reread(gateway, channels, "configuration_reread")
    assert gateway.program.stderr().count("restart_needed") == 1


@pytest.mark.parametrize("mistake", [{"provider": "no-such-vendor"}, {"base_url": "ftp://a.example"},
                                     {"credential": "secret:missing"}])
def test_a_channel_that_became_wrong_goes_on_as_it_was(gateway, upstreams, mistake):
    key = gateway.caller("10.00").key
    right = upstreams[0].channel(id="first", priority=2)
    other = upstreams[1].channel(id="second", priority=1)
    reread(gateway, [{**right, **mistake}, other], "channels_refused")
    assert {channel_of(gateway, key) for _ in range(8)} == {"first"}
    assert [channel["id"] for channel in gateway.cli("channel", "list")] == ["first"]
    reread(gateway, [right, other], "configuration_reread")
    assert channel_of(gateway, key) == "second"


def test_a_file_that_cannot_be_read_changes_nothing(gateway):
    key = gateway.caller("10.00").key
    gateway.config.write_text("return {")
    gateway.program.signal(signal.SIGHUP)
    gateway.program.wait_logged("configuration_refused")
    assert channel_of(gateway, key) == "first"
    gateway.write_config()
