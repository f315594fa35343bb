"""Idempotency-Key: while a request runs its copies wait outside, afterwards they are given what it
was given, and whatever happens it is charged once."""

import contextlib
import threading

import crowd
from place import patience
from pricing import Catalogue
from size import sized
from upstream import chat_answer, obliging, plain

CREDIT = 10 * 10**9


class Held:
    """Answers once it is let go, and counts who asked."""

    def __init__(self):
        self.go = threading.Event()
        self.asked = threading.Event()

    def __call__(self, call):
        call.keep()
        self.asked.set()
        assert self.go.wait(patience(30))
        call.send(plain(chat_answer(f"answer {call.number}")))


def one_charge(gateway):
    return Catalogue(gateway.folder / "data").cost("gpt-4o-mini", input=3, output=2)


def test_a_copy_waits_outside_and_is_then_given_the_stored_answer(workshop):
    script = Held()
    upstream = workshop.upstream(script)
    gateway = workshop.gateway([upstream.channel()], workers=2)
    caller = gateway.caller("10.00")
    key = {"Idempotency-Key": "order 17"}
    first = gateway.connect()
    first.ask("POST", "/v1/chat/completions", crowd.chat(), key, caller.key)
    assert script.asked.wait(patience(5))
    for _ in range(5):  # whichever worker they meet
        copy = gateway.chat(caller.key, headers=key)
        assert (copy.status, copy.code) == (409, "idempotency_in_flight")
        assert copy.json()["error"]["type"] == "idempotency_error"
    script.go.set()
    answer = first.read_answer()
    assert answer.status == 200
    for _ in range(5):
        copy = gateway.chat(caller.key, headers=key)
        assert (copy.status, copy.body) == (200, answer.body)
        assert copy.header("idempotency-replayed") == "true"
        assert copy.request_id == answer.request_id
        assert copy.header("x-moongate-cost") == answer.header("x-moongate-cost")
    other = gateway.chat(caller.key, text="Something else", headers=key)
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    assert answer.request_id in other.json()["error"]["message"]
    assert len(upstream.requests) == 1
    assert gateway.balance(caller.tenant) == CREDIT - one_charge(gateway)
    # Another tenant's key of the same text is another key.
    stranger = gateway.caller("10.00", name="stranger")
    assert gateway.chat(stranger.key, headers=key).body != answer.body
    assert len(upstream.requests) == 2


def test_a_copy_right_behind_the_answer_finds_it_whichever_worker_it_meets(workshop):
    script = Held()
    script.go.set()
    upstream = workshop.upstream(script)
    gateway = workshop.gateway([upstream.channel()], workers=2)
    caller = gateway.caller("10.00")
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(gateway.connect()) for _ in range(6)]
        rounds = sized(200, 40)
        for number in range(rounds):
            asks = [connections[(number + i) % len(connections)] for i in range(3)]
            answers = []
            for connection in asks:
                connection.ask("POST", "/v1/chat/completions", crowd.chat(),
                               {"Idempotency-Key": f"behind {number}"}, caller.key)
                answers.append(connection.read_answer())
            assert {(answer.status, answer.body) for answer in answers} == {
                (200, answers[0].body)}, (number, answers)
    assert len(upstream.requests) == rounds


def test_of_many_copies_at_once_one_is_charged(workshop):
    upstream = workshop.upstream(obliging)
    gateway = workshop.gateway([upstream.channel()], workers=2)
    caller = gateway.caller("10.00")
    rounds, copies = sized(20, 5), sized(25, 10)
    for number in range(rounds):
        answers = crowd.all_at_once(gateway.address, [crowd.chat()] * copies, caller.key,
                                    {"Idempotency-Key": f"order {number}"})
        good = [answer for answer in answers if answer.status == 200]
        assert good and len({answer.request_id for answer in good}) == 1
        assert {answer.code for answer in answers if answer.status != 200} <= {
            "idempotency_in_flight"}
    assert len(upstream.requests) == rounds
    assert gateway.wait_unheld(caller.tenant)["balance"] == CREDIT - rounds * one_charge(gateway)


def test_a_stream_is_not_stored_and_its_copy_names_it(workshop):
    upstream = workshop.upstream(obliging)
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    key = {"Idempotency-Key": "stream"}
    answer = gateway.chat(caller.key, stream=True, headers=key)
    assert answer.status == 200
    copy = gateway.chat(caller.key, stream=True, headers=key)
    assert (copy.status, copy.code) == (409, "idempotency_replayed")
    assert answer.request_id in copy.json()["error"]["message"]
    assert len(upstream.requests) == 1
    assert gateway.balance(caller.tenant) == CREDIT - one_charge(gateway)


def test_a_charge_is_remembered_over_restart_and_kill(workshop):
    """The answers are gone with the process; that they were charged is in the ledger."""
    upstream = workshop.upstream(obliging)
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    key = {"Idempotency-Key": "for ever"}
    answer = gateway.chat(caller.key, headers=key)
    for end in (gateway.stop, gateway.kill):
        end()
        gateway.start()
        copy = gateway.chat(caller.key, headers=key)
        assert (copy.status, copy.code) == (409, "idempotency_replayed"), copy
        assert answer.request_id in copy.json()["error"]["message"]
    assert len(upstream.requests) == 1
    assert gateway.balance(caller.tenant) == CREDIT - one_charge(gateway)


def test_what_came_to_nothing_may_be_tried_again(workshop):
    """A failed request, a refused one, and one whose client left before its answer began were not
    charged: the next try with their key is as good as the first."""
    answers = [plain(b"{}", "500 Oops"), plain(b"{}", "500 Oops"),
               plain({"error": {"message": "no such tool"}}, "400 Bad Request")]
    held = Held()

    def script(call):
        if call.number < len(answers):
            call.keep()
            call.send(answers[call.number])
        elif call.number == len(answers):
            held(call)
        else:
            obliging(call)

    upstream = workshop.upstream(script)
    gateway = workshop.gateway([upstream.channel()])
    caller = gateway.caller("10.00")
    key = {"Idempotency-Key": "again"}
    failed = gateway.chat(caller.key, headers=key)  # tried twice
    assert (failed.status, len(upstream.requests)) == (502, 2)
    refused = gateway.chat(caller.key, headers=key)
    assert (refused.status, len(upstream.requests)) == (400, 3)
    leaver = gateway.connect()
    leaver.ask("POST", "/v1/chat/completions", crowd.chat(), key, caller.key)
    assert held.asked.wait(patience(5))
    leaver.close()
    assert gateway.wait_unheld(caller.tenant)["balance"] == CREDIT
    held.go.set()
    answer = gateway.chat(caller.key, headers=key)
    assert answer.status == 200, answer
    assert gateway.balance(caller.tenant) == CREDIT - one_charge(gateway)
