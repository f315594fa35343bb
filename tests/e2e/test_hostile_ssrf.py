"""Where a channel may lead: every URL of hostile/ssrf/urls.tsv as the base URL of a channel, with
`moongate check`; and names that resolve to forbidden addresses, asked for through the server."""

import re

import pytest

import corpus
import tally
from name_server import NameServer

# Only known once they are resolved, which `check` does not do.
LATE = {"http://localtest.me/", "http://mixed.test/"}

# Whatever a channel allows: neither public nor private, a cloud's credentials, or not the one
# spelling of its address.
NEVER = {"http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0/",
         "http://0.0.0.0/", "http://[::127.0.0.1]/",
         "http://[0:0:0:0:0:ffff:169.254.169.254]/", "http://[2002:7f00:1::]/",
         "http://[fe80::1]/", "http://[fec0::1]/", "http://[ff02::1]/",
         "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://192.0.0.1/",
         "http://224.0.0.1/", "http://240.0.0.1/", "http://127.0.0.1:22/",
         "http://example.com:6379/"}


def rows():
    """(url, class): the remark in brackets behind some of them is for people."""
    read = []
    for row in corpus.table("hostile", "ssrf", "urls.tsv"):
        read.append((re.sub(r" \(.*\)$", "", row["url_or_case"]), row["class"]))
    assert len(read) == 49
    return read


def accepted(workshop, urls, **policy):
    """Which of the URLs a channel may have."""
    channels = [{"id": f"c{i}", "provider": "openai_compatible", "base_url": url,
                 "credential": "k", "models": {"gpt-4o": True}, **policy}
                for i, url in enumerate(urls)]
    gateway = workshop.gateway(channels, start=False)
    report = gateway.cli("check")
    left_out = {w.split(" ")[1] for w in report["warnings"] if "is left out" in w}
    assert len(left_out) + report["channels"] == len(urls), report
    return {url for i, url in enumerate(urls) if f"c{i}" not in left_out}


def test_urls_of_channels(workshop):
    urls = rows()
    allowed = accepted(workshop, [url for url, _ in urls])
    for url, kind in urls:
        tally.count("ssrf/urls", f"{kind} {'accepted' if url in allowed else 'refused'}")
        assert (url in allowed) == (kind == "A"), url


def test_allowing_plain_http_allows_no_other_address(workshop):
    urls = rows()
    allowed = accepted(workshop, [url for url, _ in urls], allow_plain=True)
    for url, kind in urls:
        plain_only = url == "http://api.example.com/" or url in LATE
        assert (url in allowed) == (kind == "A" or plain_only), url


def test_https_is_no_way_around(workshop):
    urls = [url.replace("http://", "https://", 1) for url, kind in rows()
            if kind == "R" and url.startswith("http://")]
    late = {url.replace("http://", "https://") for url in LATE | {"http://api.example.com/"}}
    assert accepted(workshop, urls) == late


def test_allowing_private_addresses_allows_no_forbidden_ones(workshop):
    urls = [url for url, kind in rows() if kind == "R"]
    allowed = accepted(workshop, urls, allow_private=True, allow_plain=True)
    assert not allowed & NEVER
    assert "http://127.0.0.1/" in allowed  # what the setting is for


def test_control_characters_in_a_url(workshop):
    assert accepted(workshop, ["https://example.com\r\nX: y/", "https://example.com/\0",
                               "https://example.com/\u007f", "https://example.com/a\tb"]) == set()


@pytest.fixture
def names():
    server = NameServer({"localtest.me": ["127.0.0.1"],
                         "mixed.test": ["93.184.216.34", "127.0.0.1"],
                         "metadata.test": ["169.254.169.254"], "zero.test": ["0.0.0.0"],
                         "carrier.test": ["100.64.0.1"], "good.test": ["127.0.0.1"]})
    yield server
    server.close()


def test_names_are_judged_by_what_they_resolve_to(workshop, names):
    """One forbidden address among several refuses the name; nothing is connected to."""
    upstream = workshop.upstream()

    def channel(name, **policy):
        return {"id": name, "provider": "openai_compatible", "credential": "k",
                "base_url": f"http://{name}:{upstream.port}/v1", "models": {name: True},
                "allow_plain": True, **policy}

    forbidden = ["localtest.me", "mixed.test", "metadata.test", "zero.test", "carrier.test"]
    gateway = workshop.gateway(
        [*(channel(name) for name in forbidden), channel("good.test", allow_private=True)],
        start=False, resolver={"servers": [names.address]})
    gateway.set_models([{"id": name, "price": {"input": "1", "output": "1"}}
                        for name in [*forbidden, "good.test"]])
    gateway.start()
    caller = gateway.caller()
    for name in forbidden:
        answer = gateway.chat(caller.key, model=name)
        assert (answer.status, answer.code) == (502, "upstream_error"), (name, answer)
        tally.count("ssrf/resolved names", "refused")
        story = gateway.explain(answer.request_id)
        said = [attempt["what"] for attempt in story["decision"]["attempts"]]
        assert all("upstream" in what or "private" in what for what in said), (name, said)
    assert upstream.connections == 0 and set(forbidden) <= set(names.asked)
    assert gateway.chat(caller.key, model="good.test").status == 200
    assert upstream.connections == 1
    assert gateway.wait_unheld(caller.tenant)["balance"] < 10 * 10**9
