"""Every hostile script of hostile/lua, loaded into the running server: as a file of its own, and as
the body of hooks that requests run into. (All six phases, in process: tests/policies.)"""

import threading
import time

import pytest

import corpus
import tally
from place import patience

COST = 3 * 150 + 2 * 600  # nano-dollars of one answer

# Bodies that no function can have.
DO_NOT_COMPILE = {"syntax", "big-source", "many-locals"}
# They look for a name, find none, and so answer nil: the request goes on.
ANSWER_NIL = {"os", "io", "package", "jit", "load", "bytecode", "getfenv", "read-other", "time",
              "ret-nil"}


@pytest.fixture(scope="module")
def scripts():
    folder = corpus.path("hostile", "lua")
    rows = corpus.table("hostile", "lua.tsv")
    assert len(rows) == 48
    return {row["id"]: (folder / f"{row['id']}.lua.txt").read_bytes() for row in rows}


@pytest.fixture(scope="module")
def gateway(module_workshop):
    upstream = module_workshop.upstream()
    return module_workshop.gateway([upstream.channel("first", priority=1),
                                    upstream.channel("second", priority=2)])


@pytest.fixture
def caller(gateway):
    return gateway.caller()


@pytest.fixture
def own_chain(gateway):
    """A chain that only the test's module is in; the shipped one comes back afterwards."""
    chain = gateway.script("policies/chain.lua")
    shipped = chain.read_text()

    def put(*phases):
        chain.write_text("return { " + ", ".join(f"{p} = {{ {{ 'hostile' }} }}" for p in phases) +
                         " }")

    yield put
    chain.write_text(shipped)
    gateway.script("policies/hostile.lua").unlink(missing_ok=True)
    gateway.cli("reload")


class Pulse:
    """Asks for the server's health all the while; the longest wait for an answer."""

    def __init__(self, gateway):
        self._gateway, self._ends, self.worst_s = gateway, threading.Event(), 0.0

    def __enter__(self):
        self._thread = threading.Thread(target=self._beat)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()

    def _beat(self):
        with self._gateway.connect() as connection:
            while not self._ends.is_set():
                started = time.monotonic()
                connection.ask("GET", "/health/live")
                assert connection.read_answer("GET").status == 200
                self.worst_s = max(self.worst_s, time.monotonic() - started)
                time.sleep(0.002)


def test_as_a_file_none_gets_through(gateway, caller, scripts, own_chain):
    """`policy check` says no, a reload changes nothing, and requests go on as before."""
    generation = gateway.get("/health/ready").json()["generation"]
    own_chain("admit")
    for name, text in scripts.items():
        gateway.script("policies/hostile.lua").write_bytes(text)
        said = gateway.refused("policy", "check")
        assert "hostile" in said, (name, said)
        assert "hostile" in gateway.refused("reload"), name
        tally.count("lua, as files", "refused")
    ready = gateway.get("/health/ready").json()
    assert ready["generation"] == generation and ready["policies"] != "ok"
    assert gateway.chat(caller.key).status == 200


def test_as_the_body_of_admit(gateway, caller, scripts, own_chain):
    """Contained: the request fails closed, or goes on where the script found nothing to abuse; the
    loop is not held up; the next request is none the worse."""
    own_chain("admit")
    charged, wrong = 0, []
    with Pulse(gateway) as pulse:
        for name, text in scripts.items():
            gateway.script("policies/hostile.lua").write_bytes(
                b"return { admit = function(conf, req)\n" + text + b"\nend }")
            if name in DO_NOT_COMPILE:
                assert "hostile.lua" in gateway.refused("reload"), name
                tally.count("lua, as admit", "refused at load")
                continue
            gateway.cli("reload")
            for _ in range(2):
                answer = gateway.chat(caller.key)
                if name in ANSWER_NIL:
                    good, charged = answer.status == 200, charged + COST
                else:
                    good = (answer.status, answer.code) == (500, "policy_error")
                if not good:
                    wrong.append(f"{name}: {answer.status} {answer.body[:200]}")
            tally.count("lua, as admit", "nil" if name in ANSWER_NIL else "policy_error")
    assert not wrong, "\n".join(wrong)
    assert gateway.wallet(caller.tenant)["balance"] == 10 * 10**9 - charged
    assert pulse.worst_s < patience(0.5), pulse.worst_s


def test_as_the_bodies_of_route_recover_and_observe(gateway, caller, scripts, own_chain):
    """There a script that fails has no say: the channels' own order, the usual answer."""
    own_chain("route", "recover", "observe", "disconnect")
    served = 0
    for name, text in scripts.items():
        if name in DO_NOT_COMPILE:
            continue
        gateway.script("policies/hostile.lua").write_bytes(
            b"return { " + b", ".join(b"%s = function(conf, req, third, fourth)\n%s\nend" %
                                      (phase, text)
                                      for phase in (b"route", b"recover", b"observe",
                                                    b"disconnect")) + b" }")
        gateway.cli("reload")
        answer = gateway.chat(caller.key)
        assert answer.status == 200 and answer.header("x-moongate-channel") == "first", (name,
                                                                                        answer)
        assert answer.header("x-moongate-cost") == "0.00000165", name
        served += 1
        tally.count("lua, as route and observe", "served")
    assert served == 45
    assert gateway.wallet(caller.tenant)["balance"] == 10 * 10**9 - served * COST


def test_as_the_body_of_quote(gateway, caller, scripts, own_chain):
    """No script makes a price: it fails closed, or the catalogue's price stands."""
    own_chain("quote")
    charged = 0
    for name, text in scripts.items():
        if name in DO_NOT_COMPILE:
            continue
        gateway.script("policies/hostile.lua").write_bytes(
            b"return { quote = function(conf, req, lines)\n" + text + b"\nend }")
        gateway.cli("reload")
        answer = gateway.chat(caller.key)
        if name in ANSWER_NIL:
            assert answer.status == 200, (name, answer)
            charged += COST
        else:
            assert (answer.status, answer.code) == (500, "policy_error"), (name, answer)
        tally.count("lua, as quote", "nil" if name in ANSWER_NIL else "policy_error")
    assert gateway.wallet(caller.tenant)["balance"] == 10 * 10**9 - charged
