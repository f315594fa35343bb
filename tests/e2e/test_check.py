"""`check` says what `serve` would complain about, and neither lets a name in that later breaks a
head, a page of metrics or the ledger."""

import signal

import pytest

import lua
from certificates import Authority

CHANNEL = {"id": "a", "provider": "openai_compatible", "base_url": "http://127.0.0.1:9000/v1",
           "allow_private": True, "credential": "k", "models": {"gpt-4o": True}}
ANY = {"address": "127.0.0.1:0"}

TEXTS = [("id", "a b", 64), ("id", "a\n", 64), ("id", 'a"b', 64), ("id", "é", 64),
         ("region", "a\x1b", 64), ("provider", "a\x7f", 46), ("credential", "sk\r\nx: y", 16384),
         ("credential", "sk\x00", 16384)]


@pytest.fixture
def gateway(workshop):
    return workshop.gateway(start=False)


def refused(gateway, settings, *words):
    """By `check` and by `serve`, in the same words."""
    gateway.write_config("return " + lua.literal({"listen": [ANY], **settings}) + "\n")
    for command in ("check", "serve"):
        said = gateway.refused(command)
        for word in words:
            assert word in said, (command, settings, said)


def accepted(gateway, settings):
    gateway.write_config("return " + lua.literal({"listen": [ANY], **settings}) + "\n")
    return gateway.cli("check")


def test_texts_of_a_channel_are_bounded_and_plain(gateway):
    for name, wrong, most in TEXTS:
        refused(gateway, {"channels": [{**CHANNEL, name: wrong}]}, f"channels[1].{name} must have")
        if name != "base_url":
            refused(gateway, {"channels": [{**CHANNEL, name: "x" * (most + 1)}]},
                    f"channels[1].{name} must have")
            accepted(gateway, {"channels": [{**CHANNEL, name: "x" * most}]})
    for models in ({"a\n": True}, {"x" * 257: True}, {"a": "b\x1b"}, {"a": "x" * 257}, {"a": ""}):
        refused(gateway, {"channels": [{**CHANNEL, "models": models}]}, "channels[1].models")
    accepted(gateway, {"channels": [{**CHANNEL, "models": {"x" * 256: "y" * 256}}]})
    accepted(gateway, {"channels": [{**CHANNEL, "id": "Aa0._:-"}]})


def test_a_hangup_brings_no_bad_name(workshop):
    upstream = workshop.upstream()
    gateway = workshop.gateway([upstream.channel()])
    key = gateway.caller().key
    gateway.write_config(channels=[{**upstream.channel(), "id": "a\nb"}])
    gateway.program.signal(signal.SIGHUP)
    gateway.program.wait_logged("configuration_refused")
    assert "channels[1].id" in gateway.program.stderr()
    assert gateway.chat(key).status == 200
    gateway.write_config(channels=[upstream.channel()])  # what is looked at below reads it


def test_an_address_is_listened_on_once(gateway):
    for first, second in [("127.0.0.1:8443", "127.0.0.1:8443"), ("0.0.0.0:8443", "127.0.0.1:8443"),
                          ("127.0.0.1:8443", "0.0.0.0:8443"), ("[::]:8443", "127.0.0.1:8443"),
                          ("[::1]:8443", "[::]:8443")]:
        refused(gateway, {"listen": [{"address": first}, {"address": second}]},
                f"listen[2].address overlaps with the listener {first}")
    accepted(gateway, {"listen": [ANY, ANY]})
    for first, second in [("127.0.0.1:8443", "127.0.0.2:8443"), ("0.0.0.0:1", "0.0.0.0:2"),
                          ("0.0.0.0:8443", "[::1]:8443")]:
        accepted(gateway, {"listen": [{"address": first}, {"address": second}]})


def test_resolver_and_origins_are_looked_at(gateway):
    for server in ("nonsense", "", "127.0.0.1:0", "1.1.1"):
        refused(gateway, {"resolver": {"servers": [server]}}, f'resolver.servers holds "{server}"')
    accepted(gateway, {"resolver": {"servers": ["1.1.1.1", "127.0.0.1:53", "::1", "[::1]:53"]}})
    for origin in ("example.com", "https://x/", "", "https://x/path", "https://X.com", "https://",
                   "https://x:443", "http://x:80", "https://x:0443", "https://x:99999", "null",
                   "https://a b", "://x", "https://[::1", "https://*.x"):
        refused(gateway, {"cors": {"origins": [origin]}}, f'cors.origins holds "{origin}"')
    accepted(gateway, {"cors": {"origins": ["*", "https://app.example", "http://localhost:3000",
                                            "https://[::1]:8443", "capacitor://localhost",
                                            "http://x:443"]}})


def test_a_state_that_cannot_be(gateway):
    (gateway.folder / "file").write_text("")
    for state in ("file", "file/below/it"):
        refused(gateway, {"state": state}, str(gateway.folder / "file"))
    long = "x" * 100
    refused(gateway, {"state": long}, "is too long for a local socket")


def test_dates_of_certificates_are_warned_of(gateway, tmp_path):
    authority = Authority(tmp_path / "ca")

    def warnings(cert, key):
        listen = {"address": "127.0.0.1:0", "tls": {"cert": str(cert), "key": str(key)}}
        return [w for w in accepted(gateway, {"listen": [listen]})["warnings"] if "certificate" in w]

    assert "expired at" in warnings(*authority.issue("old.test", days=-1))[0]
    assert "expires at" in warnings(*authority.issue("soon.test", days=20))[0]
    assert warnings(*authority.issue("good.test", days=90)) == []
    cert, key = authority.issue_for_later("later.test", "20400101000000Z", "20410101000000Z")
    assert "is not valid before" in warnings(cert, key)[0]


def test_a_folder_is_no_configuration(gateway):
    done = gateway.run("check", "--config", gateway.folder, config=False)
    assert done.returncode == 1 and "is a folder" in done.stderr, done


def test_keys_of_the_file_are_named_alone(gateway):
    gateway.write_config("return { workers = print or function() end }")
    said = gateway.refused("check")
    assert "workers" in said and "the table" not in said, said
