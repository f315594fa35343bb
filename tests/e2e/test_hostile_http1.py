"""Every raw request of hostile/http1, sent to the real server: what comes of each is what its class
states (hostile/README.md), the process lives, and nothing that was refused reached an upstream."""

import json
import subprocess

import pytest

import corpus
import tally
import wire
from place import BINARY


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    gateway = module_workshop.gateway(
        [upstream.channel()], start=False, drain_s=1,
        limits={"head_timeout_ms": 2000, "body_timeout_ms": 2000, "idle_timeout_ms": 4000})
    gateway.set_models([{"id": "m", "price": {"input": "1", "output": "2"}}])
    return gateway.start()


@pytest.fixture(scope="module")
def caller(gateway):
    return gateway.caller("10.00")


COST_NANOS = 3 * 1000 + 2 * 2000  # of one answer of the upstream


@pytest.fixture
def accounts(gateway, upstream, caller):
    """What was asked of the upstream and charged during a test: one charge for each answer that a
    client got, and no second reading of any bytes."""
    class Accounts:
        before = (len(upstream.requests), gateway.balance(caller.tenant))

        def check(self, seen):
            answered = sum(status == 200 and b"choices" in answer.body
                           for one in seen.values()
                           for status, answer in zip(one.statuses, one.answers))
            asked, balance = self.before
            assert len(upstream.requests) - asked == answered
            wallet = gateway.wait_unheld(caller.tenant)
            assert balance - wallet["balance"] == answered * COST_NANOS

    return Accounts()


def read(folder, name, key):
    return (folder / f"{name}.raw").read_bytes().replace(b"KEY", key.encode())


def has_property(name, seen):
    """What the one answer of an E1 row must be like."""
    answer = seen.answers[0]
    return {
        "own-line-double-slash": answer.status == 404 and not answer.header("location"),
        "own-line-enc-slash": answer.status == 404,
        "own-hdr-len-8k": not wire.is_refusal(answer),
        "own-conn-conn-xff": answer.status == 200,
        "own-body-ce-gzip": answer.status == 415,
        "own-auth-lower": answer.status == 200,
    }[name]


def fits(name, kind, seen):
    if seen.left_over:
        return False
    if kind == "R":
        return seen.is_refused
    if kind == "R4":
        return len(seen.answers) == 1 and 400 <= seen.statuses[0] < 500
    if kind in ("RW", "W"):
        return seen.closed and seen.statuses in ([], [408]) or kind == "RW" and seen.is_refused
    if kind in ("A", "A1"):
        return seen.is_answered
    if kind == "E":
        return seen.is_refused or seen.is_answered
    if kind == "E1":
        return len(seen.answers) == 1 and has_property(name, seen)
    if kind == "E100":
        return len(seen.answers) == 1 and seen.answers[0].interim in ([], [100])
    if kind == "E3":
        return len(seen.answers) == 3 and not any(map(wire.is_refusal, seen.answers))
    if kind == "A1R":
        return (len(seen.answers) == 2 and seen.closed and not wire.is_refusal(seen.answers[0])
                and wire.is_refusal(seen.answers[1]))
    raise AssertionError(f"unknown class {kind}")


def test_requests_of_our_own_making(gateway, caller, accounts):
    folder = corpus.path("hostile", "http1", "requests")
    rows = corpus.table("hostile", "http1", "requests-own.tsv")
    assert len(rows) == 82
    cases = {row["id"]: [read(folder, row["id"], caller.key)] for row in rows}
    waiting = {row["id"] for row in rows if "W" in row["class"]}
    seen = wire.exchange_all(gateway.address, cases, quiet_s=0.6, until_close=waiting)
    wrong = []
    for row in rows:
        tally.count("http1/requests-own", row["class"])
        if not fits(row["id"], row["class"], seen[row["id"]]):
            wrong.append(f"{row['id']} ({row['class']}, {row['why']}): {seen[row['id']]}")
    assert not wrong, "\n".join(wrong)
    accounts.check(seen)


def test_authorization_is_never_expanded_in_the_log(gateway, caller):
    row = corpus.path("hostile", "http1", "requests", "own-auth-fmt.raw")
    wire.exchange(gateway.address, [row.read_bytes()])
    log = gateway.program.stderr()
    assert "%s" not in log and "%n" not in log and caller.key not in log


# --- Http11Probe: pass and warn name the outcomes it accepts ---

# The probe asks an echo server; what it wants to see in a body, no gateway gives. That the request
# was understood is all that these rows can say here.
NO_ECHO = ("2xx with foo=bar", "2xx with a=1", "2xx with both cookies", "2xx with Cookie")


def probe_property(row, seen):
    """Stated properties that are more than a status."""
    wanted, answer = row["pass"], seen.answers[0]
    if wanted.startswith("405 + Allow"):
        return answer.status == 405 and bool(answer.header("allow"))
    if wanted.startswith("2xx with Allow"):
        return answer.status < 300 and "POST" in answer.header("allow")
    if wanted.startswith("2xx with no body"):
        return answer.status == 200 and not answer.body
    if wanted.startswith("204 without CL"):
        return answer.status == 204 and answer.header("content-length") is None
    if wanted.startswith("non-1xx"):
        return not answer.interim
    if wanted.startswith("405/501, or 200 without Auth"):
        return answer.status in (405, 501)
    if row["id"] == "hp-comp-connection-close":
        return seen.closed
    return None


def names(text, status):
    return str(status) in text or f"{status // 100}xx" in text


def probe_verdict(row, seen):
    """'pass', 'warn', or None for an outcome that the probe does not accept."""
    wanted, tolerated = row["pass"], row["warn"]
    if seen.left_over or len(seen.answers) > 1 and row["id"] not in PIPELINES:
        return None
    if not seen.answers:
        ended = "close" in wanted or "timeout" in wanted or "Reject" in wanted
        return "pass" if ended and seen.closed else "warn" if "close" in tolerated else None
    stated = probe_property(row, seen)
    if stated is not None:
        return "pass" if stated else None
    status = seen.statuses[0]
    if status in (404, 405) and seen.closed and "close" in wanted:
        return "pass"  # answered by its head alone; the rest was never read as anything
    if wanted.startswith("Reject"):
        return "pass" if seen.is_refused else None
    if seen.is_refused:
        # 413 or 408 and a close say what "400/close" asks for, more exactly.
        passes = names(wanted, status) or "close" in wanted or "timeout" in wanted
        return "pass" if passes else "warn" if names(tolerated, status) else None
    understood = names(wanted, 200) or wanted.startswith(NO_ECHO) or names(wanted, status)
    if understood or "Date" in wanted or "IMF" in wanted or "Content-Type" in wanted:
        return "pass"
    return "warn" if names(tolerated, 200) or names(tolerated, status) else None


# CL and TE together with a second request behind: answered once, then closed.
PIPELINES = {"hp-smug-clte-pipeline", "hp-smug-tecl-pipeline"}


def probe_rows(gateway, cases):
    """Tries the rows of the table that have a case; what was wrong, and what drew a warning."""
    rows = [row for row in corpus.table("hostile", "http1", "requests-http11probe.tsv")
            if row["id"] in cases]
    waiting = {row["id"] for row in rows if "timeout" in row["pass"]}
    return rows, wire.exchange_all(gateway.address, cases, until_close=waiting)


def test_requests_of_http11probe(gateway, caller, accounts):
    folder = corpus.path("hostile", "http1", "requests")
    rows = corpus.table("hostile", "http1", "requests-http11probe.tsv")
    assert len(rows) == 183
    cases = {row["id"]: [read(folder, row["id"], caller.key)] for row in rows}
    rows, seen = probe_rows(gateway, cases)
    wrong, warned = [], []
    for row in rows:
        verdict = probe_verdict(row, seen[row["id"]])
        tally.count("http1/requests-http11probe", verdict or "wrong")
        if verdict is None:
            wrong.append(f"{row['id']} ({row['pass']} | {row['warn']}): {seen[row['id']]}")
        elif verdict == "warn":
            warned.append(f"{row['id']} {seen[row['id']].statuses}")
    print("warn:", *warned, sep="\n  ")
    assert not wrong, "\n".join(wrong)
    accounts.check(seen)


def test_bodies_of_http11probe_where_bodies_are_read(gateway, caller, accounts):
    """The same POSTs to a path that reads its body to the end: what may not be read is refused by
    the wire; what is whole reaches the JSON parser, which finds no object in it."""
    folder = corpus.path("hostile", "http1", "requests")
    line = b"POST / HTTP/1.1\r\n"
    own = (b"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer " + caller.key.encode() +
           b"\r\n")
    texts = {path.stem: path.read_bytes() for path in folder.glob("hp-*.raw")}
    cases = {name: [text.replace(line, own, 1)] for name, text in texts.items()
             if text.startswith(line)}
    assert len(cases) == 83
    rows, seen = probe_rows(gateway, cases)
    wrong = []
    for row in rows:
        one, wanted = seen[row["id"]], row["pass"] + row["warn"]
        parsed = one.is_answered and one.statuses[0] in (400, 415)
        fits = one.is_refused and ("400" in wanted or "close" in wanted or "4xx" in wanted or
                                   "Reject" in wanted)
        fits = fits or parsed and ("2xx" in wanted or "415" in wanted)
        tally.count("http1/requests-http11probe, body read", "refused" if one.is_refused else
                    "parsed" if fits else "wrong")
        if not fits:
            wrong.append(f"{row['id']} ({row['pass']} | {row['warn']}): {one}")
    assert not wrong, "\n".join(wrong)
    accounts.check(seen)


def test_a_refused_head_gets_no_body(gateway):
    seen = wire.exchange(gateway.address, [b"HEAD / HTTP/1.1\r\n\r\n"])
    assert seen.is_refused and seen.statuses == [400] and not seen.left_over


def test_sequences_of_http11probe(gateway, caller, accounts):
    folder = corpus.path("hostile", "http1", "sequences")
    rows = corpus.table("hostile", "http1", "sequences-http11probe.tsv")
    assert len(rows) == 26
    cases = {row["id"]: [(folder / name).read_bytes() for name in row["files"].split(" ")]
             for row in rows}
    seen = wire.exchange_all(gateway.address, cases)
    for row in rows:
        one, steps = seen[row["id"]], len(cases[row["id"]])
        note = f"{row['id']} ({row['expected']}): {one}"
        assert not one.left_over, note
        refused = one.is_refused
        if "304" in row["expected"]:  # nothing here has a validator: an ordinary answer
            assert one.statuses == [200] * steps, note
        elif row["expected"].startswith(("400", "417")):
            lenient = "preferred" in row["expected"] or "pass-through" in row["expected"]
            # Kept apart: each step got its own answer, and no bytes of a body became a request.
            kept_apart = lenient and len(one.answers) == steps
            # The head was answered, its body found broken, and the connection closed on it.
            closed = one.closed and len(one.answers) == 1
            assert refused or kept_apart or closed, note
            refused = refused or closed
        else:
            assert one.statuses == [200] * steps, note
        tally.count("http1/sequences", "refused" if refused else "kept apart")
    accounts.check(seen)


# --- Parser cases, disguises, and other people's fuzzing seeds ---


def test_cases_of_llhttp(gateway, accounts):
    folder = corpus.path("hostile", "http1", "llhttp", "requests")
    rows = [row for row in corpus.table("hostile", "http1", "llhttp", "manifest.tsv")
            if row["kind"] == "requests"]
    cases = {row["id"]: [(folder / f"{row['id']}.raw").read_bytes()] for row in rows}
    seen = wire.exchange_all(gateway.address, cases)
    for row in rows:
        one, note = seen[row["id"]], f"{row['id']} {row['llhttp_error']}: {seen[row['id']]}"
        paused = row["llhttp_error"].startswith(("22:", "23:"))  # upgrades, said by callbacks
        after_close = row["llhttp_error"].startswith("5:")
        refusals = sum(map(wire.is_refusal, one.answers))
        assert not one.left_over and refusals <= 1, note
        if row["llhttp_strict_result"] == "error" and not paused:
            assert one.closed, note
            # A 404 says no by the head alone, before the body could break.
            unread = one.statuses == [404]
            assert refusals or after_close or unread or not one.answers, note
        tally.count("http1/llhttp", "refused" if refusals else "answered" if one.answers
                    else "waits or closes")
    accounts.check(seen)


def test_a_disguised_transfer_encoding(gateway, caller, accounts):
    """With a Content-Length beside it, a disguise must not be read as one thing by us and as
    another by whoever stands before or behind: refused, or (in another field's value) plain text
    of that field, so that the length alone counts."""
    gadgets = json.loads(
        corpus.path("hostile", "http1", "smuggler_te_gadgets.json").read_text())["gadgets"]
    hidden = (b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    body = b"0\r\n\r\n" + hidden
    cases = {}
    for family, group in gadgets.items():
        for name, line in group.items():  # names recur from group to group
            head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: "
                    f"application/json\r\nContent-Length: {len(body)}\r\n").encode()
            cases[family, name] = [head + bytes.fromhex(line) + b"\r\n\r\n" + body]
    assert len(cases) == 1768
    seen = wire.exchange_all(gateway.address, cases, quiet_s=0.15)
    for name, one in seen.items():
        assert not one.left_over and len(one.answers) <= 1, f"{name}: {one}"
        # A second answer, or a 404 for what hid in the body, would be a second reading.
        assert one.is_refused or one.statuses == [401], f"{name}: {one}"
        tally.count("http1/smuggler", "refused" if one.is_refused else "one reading")
    accounts.check(seen)


def test_seeds_of_other_fuzzers(gateway, tmp_path, accounts):
    archive = corpus.path("hostile", "http1", "fuzz", "h2o-http1-corpus.tar.xz")
    subprocess.run(["tar", "-C", tmp_path, "-xJf", archive], check=True)
    cases = {str(path): [path.read_bytes()] for path in tmp_path.rglob("*") if path.is_file()}
    assert len(cases) == 1972
    before = wire.memory_bytes(gateway.pid)
    seen = wire.exchange_all(gateway.address, cases, quiet_s=0.1)
    for name, one in seen.items():
        tally.count("http1/h2o seeds", "refused" if one.is_refused else "answered"
                    if one.answers else "waits")
    accounts.check(seen)
    if BINARY.parent.name == "release":
        after = wire.wait_memory_below(gateway.pid, before + 8 * 2**20)
        assert after <= before + 8 * 2**20, (before, after)
