"""TLS on both sides of the real binary: what it accepts, offers and refuses; certificates changed in
place; providers whose certificates are good, and those whose are not."""

import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

import pytest

import raw
from certificates import Authority
from place import BINARY, patience
from upstream import Upstream, obliging


@pytest.fixture
def lab(workshop):
    return workshop.lab()


@pytest.fixture
def gateway(workshop, authority, lab, tmp_path):
    """Plain on the first listener, TLS on the second: one certificate and one more by name."""
    files = tmp_path / "tls"
    files.mkdir()
    for name, issued in (("one", authority.issue("one.test", addresses=["127.0.0.1"])),
                         ("two", authority.issue("two.test"))):
        shutil.copy(issued[0], files / f"{name}.pem")
        shutil.copy(issued[1], files / f"{name}.key")
    tls = {"cert": str(files / "one.pem"), "key": str(files / "one.key"),
           "more": [{"cert": str(files / "two.pem"), "key": str(files / "two.key")}]}
    made = workshop.gateway([lab.channel()], listen=[{"address": "127.0.0.1:0"},
                                                     {"address": "127.0.0.1:0", "tls": tls}])
    made.tls_files = files
    return made


def client_context(authority, **settings):
    context = ssl.create_default_context(cafile=str(authority.cert))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def shake(gateway, context, name="one.test", session=None):
    """A TLS connection to the second listener."""
    plain = socket.create_connection(gateway.addresses[1], timeout=patience(10))
    try:
        return context.wrap_socket(plain, server_hostname=name, session=session)
    except Exception:
        plain.close()
        raise


def ask(connection, key, **members):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], **members}
    connection.sendall(raw.request("POST", "/v1/chat/completions", body, key=key))
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def subject(connection):
    return dict(pair[0] for pair in connection.getpeercert()["subject"])["commonName"]


def test_a_request_over_tls_is_answered_and_kept_alive(gateway, authority):
    caller = gateway.caller()
    context = client_context(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with shake(gateway, context) as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")
        assert connection.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            status, answer = ask(connection, caller.key)
            assert status == 200 and answer["usage"]["completion_tokens"] > 0


def test_the_certificate_follows_the_name_asked_for(gateway, authority):
    context = client_context(authority)
    for name in ("one.test", "two.test"):
        with shake(gateway, context, name) as connection:
            assert subject(connection) == name
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(gateway, context, "three.test")  # the first one answers, and is not for that name


def test_old_versions_and_weak_ciphers_are_refused(gateway, authority):
    for text in ("AES128-SHA256", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256"):
        context = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(text + ":@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shake(gateway, context)
    old = client_context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shake(gateway, old)
    good = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    for text in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                 "ECDHE-ECDSA-CHACHA20-POLY1305"):
        good.set_ciphers(text)
        with shake(gateway, good) as connection:
            assert connection.cipher()[0] == text


@pytest.mark.parametrize("name", [
    "mbedtls_chachapoly_encrypt_and_tag", "mbedtls_chachapoly_auth_decrypt",
    "mbedtls_gcm_crypt_and_tag", "mbedtls_gcm_auth_decrypt",
    "mbedtls_ecdh_gen_public", "mbedtls_ecdh_compute_shared"])
def test_what_is_put_in_the_librarys_place_is_in_the_program(name):
    """Nothing in the program asks for them: the linker could leave them out."""
    symbols = subprocess.run(["nm", "-D", "--defined-only", str(BINARY)], check=True,
                             capture_output=True, text=True).stdout
    assert f" W {name}\n" in symbols


def test_a_session_is_resumed_with_a_ticket(gateway, authority):
    context = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    with shake(gateway, context) as first:
        assert not first.session_reused
        session = first.session
    assert session.has_ticket
    with shake(gateway, context, session=session) as second:
        assert second.session_reused


def test_who_leaves_with_the_last_word_of_a_handshake_is_seen_to_leave(gateway, authority):
    """A resumed handshake ends with the client's word: its end may come before that was read."""
    context = client_context(authority, maximum_version=ssl.TLSVersion.TLSv1_2)
    with shake(gateway, context) as first:
        session = first.session

    def open_files():
        return len(os.listdir(f"/proc/{gateway.pid}/fd"))

    before = open_files()
    for number in range(100):
        with shake(gateway, context, session=session) as leaving:
            assert leaving.session_reused
            if number % 2:
                leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + patience(5)  # far below any limit on idle connections
    while open_files() > before + 2:
        assert time.monotonic() < deadline, (before, open_files())
        time.sleep(0.05)


def test_plain_http_on_a_tls_port_and_garbage_harm_nobody(gateway, authority):
    caller = gateway.caller()
    for garbage in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 400,
                    os.urandom(3000), b""):
        with raw.Connection(gateway.addresses[1]) as rude:
            rude.send(garbage)
            rude.half_close()
            rude.read_to_end()
    with shake(gateway, client_context(authority)) as connection:
        assert ask(connection, caller.key)[0] == 200


def test_certificates_change_in_place_while_streams_run(gateway, authority, lab):
    caller = gateway.caller()
    context = client_context(authority)
    stream = shake(gateway, context)
    body = {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "x"}],
            "metadata": {"x-lab-interval-ms": "20", "x-lab-tokens": "100"}}
    stream.sendall(raw.request("POST", "/v1/chat/completions", body, key=caller.key))
    data = stream.recv(65536)
    cert, key = authority.issue("one.test", "fresh.test")
    shutil.copy(cert, gateway.tls_files / "one.pem")
    shutil.copy(key, gateway.tls_files / "one.key")
    gateway.program.signal(signal.SIGHUP)
    deadline = time.monotonic() + patience(5)
    while True:
        try:
            with shake(gateway, context, "fresh.test"):
                break
        except ssl.SSLCertVerificationError:
            assert time.monotonic() < deadline, "the new certificate was not taken"
            time.sleep(0.05)
    while b"data: [DONE]" not in data:
        piece = stream.recv(65536)
        assert piece, "the stream ended with the old certificate"
        data += piece
    stream.close()
    (gateway.tls_files / "one.pem").write_text("no certificate")
    gateway.program.signal(signal.SIGHUP)
    gateway.program.wait_logged("certificates_refused")
    with shake(gateway, context, "fresh.test") as connection:
        assert ask(connection, caller.key)[0] == 200


class TlsUpstream:
    """Ends TLS before a scripted upstream of plain sockets."""

    def __init__(self, cert, key):
        self.inner = Upstream(obliging)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.names = []
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def _accept(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain):
        try:
            outer = self.context.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            plain.close()
            return
        inner = socket.create_connection(("127.0.0.1", self.inner.port))
        threading.Thread(target=_pump, args=(inner, outer), daemon=True).start()
        _pump(outer, inner)

    def close(self):
        self.listener.close()
        self.inner.close()


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.close()
        except OSError:
            pass


@pytest.mark.parametrize("names, days, status",
                         [((["localhost"], []), 20, 200), (([], ["127.0.0.1"]), 20, 502),
                          ((["elsewhere.test"], []), 20, 502), ((["localhost"], []), -1, 502)],
                         ids=["good", "address-only", "wrong-name", "expired"])
def test_a_provider_is_believed_by_its_certificate_alone(workshop, authority, names, days, status):
    upstream = TlsUpstream(*authority.issue(*names[0], addresses=names[1], days=days))
    try:
        channel = {"id": "up", "provider": "openai_compatible", "allow_private": True,
                   "base_url": f"https://localhost:{upstream.port}/v1", "credential": "sk-secret",
                   "models": {"*": True}}
        gateway = workshop.gateway([channel], upstream_ca=str(authority.cert))
        caller = gateway.caller()
        answer = gateway.chat(caller.key)
        assert answer.status == status
        assert "localhost" in upstream.names
        if status == 200:
            assert gateway.balance(caller.tenant) < 10 * 10**9
        else:
            assert not upstream.inner.requests  # no byte of the request went out
            assert gateway.wallet(caller.tenant)["balance"] == 10 * 10**9
    finally:
        upstream.close()


def test_a_provider_nobody_vouches_for_is_refused(workshop, authority, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    upstream = TlsUpstream(*stranger.issue("localhost"))
    try:
        channel = {"id": "up", "provider": "openai_compatible", "allow_private": True,
                   "base_url": f"https://localhost:{upstream.port}/v1", "credential": "sk-secret",
                   "models": {"*": True}}
        gateway = workshop.gateway([channel], upstream_ca=str(authority.cert))
        assert gateway.chat(gateway.caller().key).status == 502
        assert not upstream.inner.requests
    finally:
        upstream.close()


def test_openssl_and_curl_agree(gateway, authority):
    host, port = gateway.addresses[1]
    done = subprocess.run(["curl", "-sS", "--cacert", authority.cert, "--resolve",
                           f"one.test:{port}:{host}", f"https://one.test:{port}/health/live"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A P-256 certificate can only be used with a client that knows the curve (RFC 8422, 5.1.1).
    for groups, agreed in (("X25519:P-256", "X25519"), ("P-256", "ECDH, prime256v1")):
        said = subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", "-servername",
                               "one.test", "-CAfile", authority.cert, "-verify_return_error",
                               "-groups", groups, "-brief"],
                              input="", capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        assert f"Server Temp Key: {agreed}" in said.stderr
