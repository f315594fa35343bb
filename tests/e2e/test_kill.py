"""kill -9 under load, again and again: no acknowledged charge is lost or changed, none is made
twice, and no request's hold stays open."""

import random
import threading
import time
from collections import Counter

import control
import crowd
import raw
import tally
from fuse import MANNERS, Fuse
from gateway import Failed, nanos
from place import SLOWNESS, patience
from size import sized

CLIENTS = 6


class Customer(threading.Thread):
    """Asks one request after the other until the gateway is gone. `told` is what it was told in
    whole answers: cost by request id. `begun` are the ids of answers that broke off."""

    def __init__(self, address, key, seed):
        super().__init__(daemon=True)
        self.address, self.key, self.draw = address, key, random.Random(seed)
        self.told, self.begun, self.odd = {}, set(), []

    def run(self):
        try:
            with raw.Connection(self.address) as connection:
                while self._ask(connection):
                    pass
        except (OSError, raw.Ended, TimeoutError):
            pass

    def _ask(self, connection):
        streamed = self.draw.random() < 0.4
        extra = {"metadata": {"x-lab-interval-ms": str(self.draw.randint(0, 2)),
                              "x-lab-tokens": str(self.draw.randint(1, 40))}}
        if streamed:
            extra.update(stream=True, stream_options={"include_usage": True})
        body = crowd.chat(f"Hello {self.draw.random()}", max_tokens=50, **extra)
        connection.ask("POST", "/v1/chat/completions", body, None, self.key)
        answer = connection.read_head()
        self.begun.add(answer.request_id)
        connection.read_body(answer)
        if not answer.is_complete:
            return False
        cost = told_cost(answer)
        if answer.status != 200 or cost is None:
            self.odd.append(answer)
            return False
        self.told[answer.request_id] = cost
        self.begun.discard(answer.request_id)
        return True


def told_cost(answer):
    """Nano-dollars, or None where the answer does not say."""
    if not answer.header("transfer-encoding"):
        text = answer.header("x-moongate-cost")
        return None if text is None else nanos(text)
    events = answer.events()
    if not events or not events[-1].is_done:
        return None
    text = events[-2].data.partition('"cost":')[2]
    return nanos(text.split("}")[0].split(",")[0]) if text else None


class Trial:
    """A gateway that is killed over and over, and what its customers were told."""

    def __init__(self, workshop):
        self.fuse = Fuse(workshop.folder)
        self.draw = random.Random(2024)
        self.gateway = workshop.gateway([workshop.lab().channel()], start=False, workers=2)
        self.gateway.environment = {
            **self.fuse.environment,
            "ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0:exitcode=99"}
        self.gateway.start()
        self.caller = self.gateway.caller("1000.00")
        self.acknowledged, self.unfinished = {}, set()
        self.ends = Counter()
        self.restarts_ms = []

    def start(self):
        begun = time.monotonic()
        self.gateway.start()
        self.restarts_ms.append(1000 * (time.monotonic() - begun))

    def cycle(self, manner_of_death):
        """One life: load, and an end at a random moment of it."""
        customers = [Customer(self.gateway.address, self.caller.key, self.draw.random())
                     for _ in range(CLIENTS)]
        for customer in customers:
            customer.start()
        time.sleep(self.draw.uniform(0, 0.08) * SLOWNESS)
        if manner_of_death == "commit":
            self.fuse.light(self.draw.randint(1, 40), self.draw.choice(MANNERS))
            self._await_death()
            self.ends[f"inside a commit, at a {self.fuse.burnt}"] += 1
        else:
            self.gateway.kill()
            self.ends["anywhere"] += 1
        told, begun = {}, set()
        for customer in customers:
            customer.join(patience(20))
            assert not customer.is_alive() and not customer.odd, customer.odd
            told.update(customer.told)
            begun |= customer.begun
        self.acknowledged.update(told)
        self.unfinished |= begun
        return told, begun

    def _await_death(self):
        deadline = time.monotonic() + patience(20)
        while self.gateway.program.is_running():
            assert time.monotonic() < deadline, "the fuse did not burn: no commits under load?"
            time.sleep(0.001)
        assert self.fuse.burnt
        self.gateway.kill()  # only to take note of it

    def die_while_starting(self):
        """Killed inside the commits of a start, which are those of the recovery."""
        self.fuse.light(self.draw.randint(1, 6), self.draw.choice(MANNERS))
        try:
            self.gateway.start()
            self.fuse.put_out()
            self.gateway.kill()
            self.ends["right after a start"] += 1
        except Failed:
            assert self.fuse.burnt, self.gateway.program.stderr()
            self.gateway.program = None
            self.ends["inside the commits of a start"] += 1

    def check(self, told, begun):
        """What was told stands in the ledger, to the nano-dollar, once; the rest is resolved."""
        for request, cost in told.items():
            posts, voids = self.resolutions(request)
            assert [nanos(post["charge"]) for post in posts] == [cost] and not voids, request
        for request in begun:
            posts, voids = self.resolutions(request)
            assert len(posts) + len(voids) == 1, (request, posts, voids)
        metrics = self.gateway.get("/metrics").body.decode()
        assert "\nmoongate_ledger_open_holds 0\n" in metrics, metrics

    def resolutions(self, request):
        journal = control.ask(self.gateway, "explain", id=request)["journal"]
        return ([e for e in journal if e["kind"] == "post"],
                [e for e in journal if e["kind"] == "void"])


def test_kill_9_under_load_loses_no_acknowledged_charge(workshop):
    trial = Trial(workshop)
    gateway = trial.gateway
    cycles = sized(200, 24)
    for number in range(cycles):
        told, begun = trial.cycle("commit" if number % 3 == 0 else "anywhere")
        if number % 10 == 9:
            gateway.verify()  # as the kill left it
            trial.die_while_starting()
            gateway.verify()
        trial.start()
        trial.check(told, begun)
        if number % 10 == 9:
            assert gateway.verify()["open_holds"] == 0
    assert len(trial.acknowledged) > 3 * cycles, "too little was asked to show anything"
    assert len(trial.unfinished) > cycles / 4
    inside = sum(n for how, n in trial.ends.items() if how.startswith("inside a commit"))
    assert inside >= cycles // 3

    # Once more for all lives together: nothing that came later changed what stood before.
    for request, cost in trial.acknowledged.items():
        posts, _ = trial.resolutions(request)
        assert [nanos(post["charge"]) for post in posts] == [cost], request
    spent = nanos(gateway.cli("usage", "--by", "tenant")["total"]["charge"])
    assert spent >= sum(trial.acknowledged.values())
    wallet = gateway.wallet(trial.caller.tenant)
    assert wallet == {"balance": 1000 * 10**9 - spent, "held": 0,
                      "available": 1000 * 10**9 - spent}
    for how, count in trial.ends.items():
        tally.count_many("kill -9", how, count)
    tally.count_many("kill -9: answers", "acknowledged", len(trial.acknowledged))
    tally.count_many("kill -9: answers", "broken off", len(trial.unfinished))
    trial.fuse.close()
