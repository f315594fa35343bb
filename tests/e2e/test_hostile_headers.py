"""Whose address a request counts as coming from: every row of hostile/headers/client_ip.tsv against
the real server, and what may choose a caller besides."""

import socket

import pytest

import corpus
import raw
import tally
from upstream import obliging

# All of 127.0.0.0/8 is this machine's. Peers of the table are played by addresses there: one
# network is trusted, the other is not. A mapped peer comes only by a listener on [::], which would
# be open to others; that it is the same address is for tests/unit/base to say.
PLAYED_BY = {"203.0.113.9": "127.0.0.9", "10.0.0.1": "127.10.0.1",
             "::ffff:10.0.0.1": "127.10.0.1"}
TRUSTED = ["127.10.0.0/16", "10.0.0.0/8"]


@pytest.fixture(scope="module")
def gateway(module_workshop):
    upstream = module_workshop.upstream(obliging)
    return module_workshop.gateway([upstream.channel()], trusted_proxies=TRUSTED)


def ask_from(gateway, source, headers, key):
    """A request from one of this machine's addresses."""
    connection = raw.Connection.__new__(raw.Connection)
    connection.timeout, connection.buffer = 10, b""
    connection.has_ended = connection.was_reset = False
    connection.socket = socket.create_connection(gateway.address, timeout=10,
                                                 source_address=(source, 0))
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
    with connection:
        connection.ask("POST", "/v1/chat/completions", body, headers, key)
        return connection.read_answer()


def test_the_clients_address(gateway):
    rows = corpus.table("hostile", "headers", "client_ip.tsv")
    assert len(rows) == 18
    key = gateway.caller().key
    wrong = []
    for row in rows:
        peer = PLAYED_BY[row["peer"]]
        forwarded, headers = row["x_forwarded_for"], {}
        name, colon, value = forwarded.partition(": ")
        if colon and name.endswith("-IP"):
            headers = {name: value}
        elif forwarded:
            headers = {"X-Forwarded-For": forwarded}
        wanted = row["client_ip"].split(" ")[0]
        wanted = peer if wanted == row["peer"] else wanted
        answer = ask_from(gateway, peer, headers, key)
        tally.count("headers/client_ip", "peer" if wanted == peer else "forwarded")
        if answer.status == 431 and len(forwarded) > 8000:
            continue  # refused before anybody could be believed
        seen = gateway.explain(answer.request_id)["decision"]["ip"]
        if seen != wanted:
            wrong.append(f"{row['peer']} {forwarded[:60]} ({row['why']}): {seen}, not {wanted}")
    assert not wrong, "\n".join(wrong)


def test_a_key_bound_to_a_network_believes_nobody_but_trusted_proxies(gateway):
    key = gateway.caller(allow_ip="192.0.2.0/24").key
    inside = {"X-Forwarded-For": "192.0.2.7"}
    assert ask_from(gateway, "127.10.0.1", inside, key).status == 200
    for source, headers in [("127.0.0.9", inside), ("127.10.0.1", {}),
                            ("127.10.0.1", {"X-Forwarded-For": "192.0.2.7, 198.51.100.1"}),
                            ("127.0.0.9", {"X-Real-IP": "192.0.2.7"}),
                            ("127.0.0.9", {"Forwarded": "for=192.0.2.7"})]:
        answer = ask_from(gateway, source, headers, key)
        assert (answer.status, answer.code) == (403, "ip_not_allowed"), (source, headers)


def test_key_headers_that_disagree_are_refused(gateway):
    """Whoever stands before us may have looked at the other one."""
    one, two = gateway.caller().key, gateway.caller().key
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}

    def status(headers):
        with gateway.connect() as connection:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            text = raw.request("POST", "/v1/chat/completions", body)
            connection.send(text.replace(b"\r\n", b"\r\n" + lines.encode(), 1))
            return connection.read_answer().status

    assert status([("Authorization", f"Bearer {one}"), ("x-api-key", one)]) == 200
    assert status([("x-api-key", one)]) == 200
    assert status([("api-key", one)]) == 200
    assert status([("Authorization", f"Bearer {one}"), ("x-api-key", two)]) == 401
    assert status([("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {two}")]) in (
        400, 401)
    assert status([("x-api-key", one), ("api-key", "mg-other")]) == 401
    assert status([("Authorization", f"Basic {one}"), ("x-api-key", one)]) == 401
    # A prefix of a key, or one with more behind it, is another key.
    assert status([("x-api-key", one[:-1])]) == 401
    assert status([("x-api-key", one + "A")]) == 401
    assert status([]) == 401
