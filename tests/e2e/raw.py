"""A client made of a socket: sends exact bytes, leaves as rudely as wanted, and reads answers with
an HTTP parser of its own, so that nothing between test and wire tidies up."""

import json
import socket
import struct
import time
from dataclasses import dataclass, field

import sse
from place import patience


class Ended(Exception):
    """The peer closed, or reset, before what was waited for had come."""


@dataclass
class Answer:
    status: int
    reason: str
    version: str
    headers: list  # (name, value) in order, names as sent
    body: bytes = b""
    chunks: list = field(default_factory=list)  # as framed, of a chunked body
    is_complete: bool = False  # it ended as its framing says
    interim: list = field(default_factory=list)  # statuses of 1xx heads before it

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else None

    @property
    def request_id(self):
        return self.header("x-request-id")

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of an error answer."""
        return self.json()["error"]["code"]

    def events(self):
        return sse.events(self.body)


def request(method, target, body=None, headers=None, key=None, host="localhost"):
    """The bytes of a request. A dict as body is sent as JSON; bytes go as they are."""
    fields = [("Host", host)]
    if key:
        fields.append(("Authorization", f"Bearer {key}"))
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    if body is not None:
        fields += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    for name, value in dict(headers or {}).items():
        fields = [(n, v) for n, v in fields if n.lower() != name.lower()]
        if value is not None:
            fields.append((name, value))
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
    return head.encode("utf-8") + b"\r\n" + (body or b"")


class Connection:
    """One TCP connection. Every wait ends after `timeout` seconds (stretched for slow builds)."""

    def __init__(self, address, timeout=10.0, receive_buffer=None):
        self.timeout = patience(timeout)
        self.buffer = b""
        self.has_ended = False
        self.was_reset = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- Sending and leaving ---

    def send(self, data):
        """Sends all of it. A peer that is gone is no error here: reading tells."""
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
            return True
        except (ConnectionError, BrokenPipeError):
            return False

    def ask(self, method, target, body=None, headers=None, key=None):
        self.send(request(method, target, body, headers, key))

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        """Says that nothing more will be sent (FIN), and goes on reading."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    # --- Reading ---

    def fill(self, deadline):
        """Reads something; False when the peer has ended. TimeoutError at the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline passed")
        if self.has_ended:
            return False
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(262144)
        except socket.timeout:
            raise TimeoutError("nothing came in time") from None
        except ConnectionError:
            self.was_reset = True
            data = b""
        if not data:
            self.has_ended = True
        self.buffer += data
        return bool(data)

    def _deadline(self, seconds):
        return time.monotonic() + (self.timeout if seconds is None else patience(seconds))

    def read_until(self, mark, seconds=None):
        deadline = self._deadline(seconds)
        while mark not in self.buffer:
            if not self.fill(deadline):
                raise Ended(f"ended before {mark!r}; had {self.buffer[:300]!r}")
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    def read_exactly(self, size, seconds=None):
        deadline = self._deadline(seconds)
        while len(self.buffer) < size:
            if not self.fill(deadline):
                raise Ended(f"ended after {len(self.buffer)} of {size} bytes")
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def read_to_end(self, seconds=None):
        """Everything until the peer closes."""
        deadline = self._deadline(seconds)
        while self.fill(deadline):
            pass
        out, self.buffer = self.buffer, b""
        return out

    def read_what_comes(self, quiet_s):
        """Everything until the peer closes or is quiet for so long."""
        try:
            while self.fill(time.monotonic() + patience(quiet_s)):
                pass
        except TimeoutError:
            pass
        out, self.buffer = self.buffer, b""
        return out

    def read_head(self, seconds=None):
        """The head of the next final answer; 1xx heads on the way are noted in it."""
        interim = []
        while True:
            answer = parse_head(self.read_until(b"\r\n\r\n", seconds))
            if answer.status >= 200:
                answer.interim = interim
                return answer
            interim.append(answer.status)

    def read_chunk(self, seconds=None):
        """The next chunk of a chunked body; b"" for the last one."""
        size = int(self.read_until(b"\r\n", seconds)[:-2], 16)
        data = self.read_exactly(size, seconds)
        assert self.read_exactly(2, seconds) == b"\r\n", "a chunk does not end in CRLF"
        return data

    def read_body(self, answer, method="POST", seconds=None):
        """The rest of an answer whose head was read. Cut short: `is_complete` stays False."""
        try:
            if method == "HEAD" or answer.status in (204, 304):
                pass
            elif answer.header("transfer-encoding"):
                while True:
                    chunk = self.read_chunk(seconds)
                    if not chunk:
                        break
                    answer.chunks.append(chunk)
            elif answer.header("content-length") is not None:
                size = int(answer.header("content-length"))
                answer.body = self.read_exactly(size, seconds)
            else:
                answer.body = self.read_to_end(seconds)
                answer.is_complete = not self.was_reset
                return answer
            answer.is_complete = True
        except Ended:
            if not answer.chunks:
                answer.body = self.buffer
        answer.body = b"".join(answer.chunks) or answer.body
        return answer

    def read_answer(self, method="POST", seconds=None):
        return self.read_body(self.read_head(seconds), method, seconds)

    def stream(self, seconds=None):
        """The events of a chunked answer whose head was read, as they come; ends with the answer.
        Raises Ended where it is cut."""
        reader = sse.Reader()
        while True:
            chunk = self.read_chunk(seconds)
            yield from reader.feed(chunk, is_whole=not chunk)
            if not chunk:
                return


def parse_head(data):
    lines = data.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    status, _, reason = rest.partition(" ")
    assert version in ("HTTP/1.1", "HTTP/1.0"), f"not an answer: {lines[0]!r}"
    fields = []
    for line in lines[1:]:
        if line:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"not a header field: {line!r}"
            fields.append((name, value.strip(" \t")))
    return Answer(int(status), reason, version, fields)


def split_answers(data, methods):
    """The answers in `data` to requests of these methods, in order, and what is left over."""
    answers, feed = [], _Replay(data)
    for method in methods:
        if not feed.buffer:
            break
        answers.append(feed.read_answer(method))
    return answers, feed.buffer


class _Replay(Connection):
    """A connection whose bytes have all come already."""

    def __init__(self, data):  # noqa: no socket on purpose
        self.buffer, self.timeout = data, 1.0
        self.has_ended, self.was_reset = True, False
