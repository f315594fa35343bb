"""Many raw requests against one server, several at a time, and what came of each."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import raw
from place import patience

AT_ONCE = 48
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|"
                  r"Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT\Z")

# What the wire's parser says of a request it refuses, against what is said of one it understood.
REFUSAL_CODES = {"invalid_request", "headers_too_large", "request_timeout"}


@dataclass
class Seen:
    """The answers of one connection, in order, and how it ended."""

    answers: list = field(default_factory=list)
    left_over: bytes = b""
    closed: bool = False
    seconds: float = 0.0

    @property
    def statuses(self):
        return [answer.status for answer in self.answers]

    @property
    def is_refused(self):
        """Told no by the wire, or hung up on, with nothing before it; and the connection closed."""
        if not self.closed:
            return False
        return not self.answers or (len(self.answers) == 1 and is_refusal(self.answers[0]))

    @property
    def is_answered(self):
        """Exactly one answer, and one that a well-formed request may get."""
        return len(self.answers) == 1 and not is_refusal(self.answers[0])

    def __str__(self):
        said = [f"{a.status} {a.body[:200]!r}" for a in self.answers]
        return f"{said} closed={self.closed} left={self.left_over[:100]!r} {self.seconds:.2f}s"


def is_refusal(answer):
    if answer.status < 400:
        return False
    if not answer.body:  # to a HEAD
        return answer.status in (400, 408, 413, 414, 417, 431, 501, 505)
    code = json.loads(answer.body)["error"]["code"]
    # 413 is said of a body by the wire as well as by the gateway; both close.
    return code in REFUSAL_CODES or (code == "request_too_large" and answer.status == 413)


def look(data, sent):
    """Parses what the server said to `sent`; fails on anything that is not well-formed HTTP."""
    methods = ["HEAD" if sent.lstrip(b"\r\n").startswith(b"HEAD ") else "POST"] + ["POST"] * 63
    answers, left_over = raw.split_answers(data, methods)
    for answer in answers:
        assert answer.is_complete, f"cut: {answer}"
        assert DATE.match(answer.header("date") or ""), answer.headers
        assert len(answer.all("content-length")) <= 1, answer.headers
        assert answer.status == 204 or answer.header("content-type"), answer.headers
    return Seen(answers, left_over)


def exchange(address, pieces, quiet_s=0.25, until_close=False):
    """Sends the pieces, each once the answer to the one before has come, and listens until the
    server closes or says nothing for a while. For a first word it is waited longer: the server
    says one, if only that it waited too long."""
    started = time.monotonic()
    data = b""
    with raw.Connection(address) as connection:
        for i, piece in enumerate(pieces):
            connection.send(piece)
            if until_close and i + 1 == len(pieces):
                data += connection.read_to_end()
                break
            connection.fill(time.monotonic() + connection.timeout)
            data += connection.read_what_comes(quiet_s)
        seen = look(data, pieces[0])
        seen.closed = connection.has_ended
    seen.seconds = time.monotonic() - started
    return seen


def exchange_all(address, cases, quiet_s=0.25, until_close=()):
    """Runs {id: pieces}; {id: Seen}. `until_close` names those to wait out to the end."""
    def one(case):
        name, pieces = case
        return name, exchange(address, pieces, quiet_s, name in until_close)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(one, cases.items()))


def memory_bytes(pid):
    """What a process has resident."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def wait_memory_below(pid, bound, seconds=5):
    deadline = time.monotonic() + patience(seconds)
    while memory_bytes(pid) > bound and time.monotonic() < deadline:
        time.sleep(0.1)
    return memory_bytes(pid)
