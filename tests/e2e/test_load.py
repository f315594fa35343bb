"""`moongate load` compares what clients were told with the ledger, to the nano-dollar."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import nanos
from size import sized
from skewer import Skewer


@pytest.fixture
def gateway(workshop):
    return workshop.gateway([workshop.lab().channel()], workers=2)


def load(gateway, key, url, requests, *arguments):
    done = gateway.run("load", "--url", url, "--key", key, "--requests", requests,
                       "--concurrency", 8, "--max-tokens", 30, "--json", *arguments, seconds=120)
    return done, json.loads(done.stdout)["ledger"]


def test_an_honest_gateway_is_found_honest(gateway):
    caller = gateway.caller("10.00")
    requests = sized(400, 100)
    done, report = load(gateway, caller.key, gateway.base_url, requests)
    assert done.returncode == 0, done.stderr
    assert report["requests"] == report["matched"] == requests
    assert report["differing"] == 0
    assert nanos(report["told_sum"]) == nanos(report["ledger_sum"]) > 0
    assert gateway.balance(caller.tenant) == 10 * 10**9 - nanos(report["ledger_sum"])


def test_a_run_that_nobody_answered_has_failed(gateway):
    caller = gateway.caller("10.00")
    for url, model in ((gateway.base_url, "no-such-model"), ("http://127.0.0.1:1", "gpt-4o-mini")):
        done = gateway.run("load", "--url", url, "--key", caller.key, "--requests", 5,
                           "--models", model, "--json", seconds=60)
        assert done.returncode == 1, done
        assert "no request was answered" in done.stderr
    assert gateway.balance(caller.tenant) == 10 * 10**9


def test_clients_that_hang_up_are_explained(gateway):
    caller = gateway.caller("10.00")
    requests = sized(400, 100)
    done, report = load(gateway, caller.key, gateway.base_url, requests, "--hang-ups", 40,
                        "--streams", 80, "--metadata", "x-lab-interval-ms=1")
    assert done.returncode == 0, done.stderr
    assert report["differing"] == 0 and report["matched"] > 0
    assert report["explained"] + report["not_charged"] > 0
    assert gateway.wait_unheld(caller.tenant)["held"] == 0


def test_the_proxy_in_between_changes_nothing_by_itself(gateway):
    caller = gateway.caller("10.00")
    between = Skewer(gateway.address)
    done, report = load(gateway, caller.key, between.url, 60)
    between.close()
    assert done.returncode == 0, done.stderr
    assert report["matched"] == 60 and not between.changed


def test_an_error_of_one_nano_dollar_is_noticed(gateway):
    """In a plain answer's header, and in the last event of a stream; both at the same time, since
    the tool waits a while before it calls a difference one."""

    def noticed(skew):
        caller = gateway.caller("10.00", name=skew)
        between = Skewer(gateway.address, skew)
        done, report = load(gateway, caller.key, between.url, 60)
        between.close()
        assert len(between.changed) == 1
        assert done.returncode == 1 and "differ" in done.stderr
        assert report["differing"] == 1 and report["matched"] == 59
        [difference] = report["differences"]
        assert difference["kind"] == "cost"
        assert difference["request"].encode() in between.changed[0]
        assert nanos(report["told_sum"]) == nanos(report["ledger_sum"]) + 1
        return skew

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(noticed, ["header", "member"])) == ["header", "member"]
