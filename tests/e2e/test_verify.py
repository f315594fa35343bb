"""`ledger verify` through the real binary, on stores that were damaged by other means than the
program's own. Mostly the seals are right again afterwards: only what the bytes mean is wrong."""

import json
import random
import shutil
import struct

import pytest

import tally
from store import Store, sealed
from upstream import obliging

CREDIT = 10 * 10**9
REPLAYED = 8192  # limits::replay_records_goal
ACCOUNT_TAIL = ("posted", "held", "floor", "lifetime_in", "lifetime_out")  # i64 each, at its end
KINDS = {"transferred": 4, "hold_opened": 7, "hold_posted": 10, "hold_voided": 11}


def number(key):
    return int.from_bytes(key, "big")


def key_of(seq):
    return seq.to_bytes(8, "big")


class Books:
    """A store as some traffic left it, to be damaged and restored."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.folder = gateway.state / "store"
        self.intact = gateway.folder / "intact"
        shutil.copytree(self.folder, self.intact)

    def restore(self):
        shutil.rmtree(self.folder)
        shutil.copytree(self.intact, self.folder)

    def verify(self):
        done = self.gateway.run("ledger", "verify", "--json", seconds=120)
        return done.returncode, json.loads(done.stdout)


def records(store, kind):
    return [(key, value) for key, value in store.rows("journal") if value[1] == KINDS[kind]]


def replaced(value, at, new):
    return value[:at] + new + value[at + len(new):]


def account(field, by):
    """Changes one figure of the customer's wallet, which is the account with the most money. Its
    row may be behind the journal: it says as of which record it is true."""

    def change(store, *_):
        def posted(row):
            return struct.unpack_from("<q", row[1], len(row[1]) - 40)[0]

        key, value = max(store.rows("accounts"), key=posted)
        at = len(value) - 8 * (len(ACCOUNT_TAIL) - ACCOUNT_TAIL.index(field))
        old = struct.unpack_from("<q", value, at)[0]
        store.put("accounts", key, replaced(value, at, struct.pack("<q", old + by)))

    return change


def edited(kind, amount):
    """Adds a nano-dollar to an amount within one record of that kind, wherever it stands in it. A
    record that agrees with itself is found where it disagrees with what came of it."""

    def change(store, draw):
        wanted = struct.pack("<q", amount)
        key, value = draw.choice([row for row in records(store, kind) if wanted in row[1]])
        places = [at for at in range(len(value)) if value.startswith(wanted, at)]
        at = draw.choice(places)
        store.put("journal", key, replaced(value, at, struct.pack(
            "<q", amount + 1)))

    return change


def settled_twice(store, draw):
    _, value = draw.choice(records(store, "hold_posted"))
    last = number(store.rows("journal")[-1][0])
    store.put("journal", key_of(last + 1), value)
    [(key, head)] = store.rows("head")
    assert struct.unpack_from("<Q", head, 1)[0] == last
    store.put("head", key, replaced(head, 1, struct.pack("<Q", last + 1)))
    return last + 1


def taken_out(kind):
    def change(store, draw):
        key, _ = draw.choice(records(store, kind))
        store.erase("journal", key)
        return number(key) + 1

    return change


def last_taken_out(store, *_):
    store.erase("journal", store.rows("journal")[-1][0])


def swapped(store, draw):
    """Two records change places, each sealed for where it stands."""
    (one, first), (two, second) = draw.sample(records(store, "hold_posted"), 2)
    store.put("journal", one, second)
    store.put("journal", two, first)
    return min(number(one), number(two))


def out_of_time(store, draw):
    rows = store.rows("journal")
    key, value = rows[draw.randrange(len(rows) // 2, len(rows))]
    time_ms = struct.unpack_from("<q", value, 4)[0]
    store.put("journal", key, replaced(value, 4, struct.pack("<q", time_ms - 86_400_000)))
    return number(key)


def a_bit(table):
    """Flips one bit and leaves the seal as it was."""

    def change(store, draw):
        key, value = draw.choice(store.rows(table))
        at = draw.randrange(len(value))
        flipped = replaced(value, at, bytes([value[at] ^ 1 << draw.randrange(8)]))
        store.put(table, key, flipped, seal=sealed(key, value))
        return number(key) if table == "journal" else None

    return change


def erased(table):
    def change(store, draw):
        key, _ = draw.choice(store.rows(table))
        store.erase(table, key)

    return change


def last_byte(table):
    """Changes a row's last byte, whatever it means, under a seal that is right."""

    def change(store, draw):
        key, value = draw.choice(store.rows(table))
        store.put(table, key, value[:-1] + bytes([value[-1] ^ 1]))

    return change


CASES = {
    "a balance has a nano-dollar more": account("posted", 1),
    "something is held that nobody holds": account("held", 1),
    "a lifetime's sum is less": account("lifetime_in", -1),
    "a credit was of a nano-dollar more": edited("transferred", CREDIT),
    "a charge was of a nano-dollar more": edited("hold_posted", 1650),
    "a hold is settled twice": settled_twice,
    "a settlement is gone": taken_out("hold_posted"),
    "a credit is gone": taken_out("transferred"),
    "the journal's end is gone": last_taken_out,
    "two settlements changed places": swapped,
    "a record is a day too old": out_of_time,
    "a bit of the journal is flipped": a_bit("journal"),
    "a bit of an account is flipped": a_bit("accounts"),
    "a bit of the directory is flipped": a_bit("records"),
    "an account is gone": erased("accounts"),
    "an order's number is forgotten": erased("transfers"),
    "a spent limit is another": last_byte("budgets"),
    "an API key is another": last_byte("records"),
}


@pytest.fixture
def books(intact_books):
    """Whole before the test, and whole again after it."""
    yield intact_books
    intact_books.restore()


@pytest.fixture(scope="module")
def intact_books(module_workshop):
    """Credits, settlements plain and streamed, a release, a daily limit, an idempotency key, and
    the settling of a hold that a killed process left."""
    gateway = module_workshop.gateway([module_workshop.upstream(answer_some).channel(
        models={"gpt-4o-mini": True}), module_workshop.lab().channel(models={"tiny": True})],
        start=False)
    gateway.set_models([{"id": "gpt-4o-mini", "price": {"input": "0.15", "output": "0.6"}},
                        {"id": "tiny", "price": {"input": "0.001", "output": "0.002"}}])
    gateway.start()
    caller = gateway.caller("10.00", daily_limit="5.00")
    gateway.credit(caller.tenant, "2.50", id="order-2")
    for number in range(6):
        assert gateway.chat(caller.key, stream=number % 2 == 0).status == 200
    assert gateway.chat(caller.key, headers={"Idempotency-Key": "one"}).status == 200
    assert gateway.chat(caller.key, text="fail").status == 502
    waiting = gateway.connect()
    waiting.ask("POST", "/v1/chat/completions", {
        "model": "gpt-4o-mini", "messages": [{"role": "user", "content": "wait"}]}, key=caller.key)
    while gateway.wallet(caller.tenant)["held"] == 0:
        pass
    gateway.chat(caller.key)  # makes the hold durable
    gateway.kill()
    gateway.start()
    balance = gateway.wallet(caller.tenant)["balance"]
    assert balance == CREDIT + 2_500_000_000 - 8 * 1650
    # A start may have to read REPLAYED records again; before them, accounts stand in rows as well.
    busy = gateway.caller("100.00", name="busy")
    for _ in range(2):
        load = gateway.run("load", "--url", gateway.base_url, "--key", busy.key, "--requests",
                           REPLAYED // 2 + 200, "--concurrency", 16, "--no-ledger", "--streams", 0,
                           "--models", "tiny", seconds=120)
        assert load.returncode == 0, load.stderr
    gateway.stop()
    return Books(gateway)


def answer_some(call):
    if b"wait" in call.request.body:
        call.wait_peer_gone(60)
    elif b'"fail"' in call.request.body:
        call.reset()
    else:
        obliging(call)


def test_what_nobody_touched_is_clean(books):
    assert books.verify()[0] == 0
    with Store(books.folder) as store:  # written back as it was, by the means of these tests
        for table in ("journal", "accounts", "records"):
            for key, value in store.rows(table)[-500:]:
                store.put(table, key, value)
    code, report = books.verify()
    assert (code, report["verdict"], report["violations"]) == (0, "clean", 0)
    assert report["settlements"] == 8 + 2 * (REPLAYED // 2 + 200) and report["open_holds"] == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES)
def test_each_corruption_is_found(books, case, seed):
    with Store(books.folder) as store:
        broken = CASES[case](store, random.Random(f"{case} {seed}"))
    code, report = books.verify()
    tally.count("ledger verify: damaged stores found", report["verdict"])
    assert (code, report["verdict"]) == (1, "violated"), report
    assert report["violations"] >= 1 and report["list"][0]["rule"].startswith("I")
    if broken is not None:
        assert report["first_broken"] <= broken, "it names the first broken record"


def test_a_file_cut_short_is_unreadable(books):
    whole = (books.folder / "data.mdb").read_bytes()
    (books.folder / "data.mdb").write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    code, report = books.verify()
    assert (code, report["verdict"]) == (2, "unreadable"), report
    # Emptied, they are not begun anew either.
    (books.folder / "data.mdb").write_bytes(b"")
    code, report = books.verify()
    assert (code, report["verdict"]) == (2, "unreadable"), report
    for command in (["serve"], ["tenant", "create", "--name", "x"], ["tenant", "list"]):
        assert "data.mdb is empty" in books.gateway.refused(*command), command


def test_books_that_are_not_there_are_not_wrong(workshop):
    gateway = workshop.gateway(start=False)
    assert "data.mdb" in gateway.refused("ledger", "verify", code=2)
    gateway.write_config("return {")
    assert "moongate.lua" in gateway.refused("ledger", "verify", code=2)


def test_a_damaged_store_is_not_served(books):
    """What a start has to read again is believed only under its seal."""
    with Store(books.folder) as store:
        key, value = store.rows("accounts")[0]
        store.put("accounts", key, value, seal=0)
    done = books.gateway.run("serve")
    assert done.returncode == 1 and "damaged" in done.stderr, done.stderr
