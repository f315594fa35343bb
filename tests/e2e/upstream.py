"""A scripted upstream of raw sockets: it sends exactly the bytes it is told to, at the pace it is
told, and ends its connections as it is told."""

import contextlib
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass

from place import patience


@dataclass
class Received:
    """One request as it came in."""

    method: str
    target: str
    headers: list
    body: bytes
    head: bytes

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def json(self):
        return json.loads(self.body)


class Call:
    """One request and the connection to answer it on. Unless told to keep it, the connection is
    closed (FIN) when the script returns."""

    def __init__(self, connection, request, number):
        self.socket = connection
        self.request = request
        self.number = number  # of the request, counted from 0 over the whole upstream
        self.keeps = False
        self.peer_left = False

    def send(self, data, split=None, pause_s=0.0):
        """Sends bytes, optionally in pieces of `split` bytes. False when the peer is gone."""
        step = split or max(1, len(data))
        for at in range(0, len(data), step):
            try:
                self.socket.sendall(data[at : at + step])
            except OSError:
                self.peer_left = True
                return False
            if pause_s:
                time.sleep(pause_s)
        return True

    def keep(self):
        """Serve another request on this connection."""
        self.keeps = True

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def wait_peer_gone(self, seconds):
        """Waits until the gateway closes the connection; False when it does not in time."""
        self.socket.settimeout(patience(seconds))
        try:
            while self.socket.recv(65536):
                pass
            self.peer_left = True
        except socket.timeout:
            return False
        except OSError:
            self.peer_left = True
        return True


class Upstream:
    """Answers every request with `answer`: bytes (then the connection closes), or a function of a
    Call. What was asked stands in `requests`."""

    def __init__(self, answer=None):
        self.answer = answer
        self.requests = []
        self.connections = 0
        self.errors = []  # of scripts; a test's teardown fails on them
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._open = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def channel(self, id="up", models=None, **settings):
        """A channel of moongate.lua that leads here."""
        return {"id": id, "provider": "openai_compatible", "base_url": self.url,
                "credential": "sk-upstream-secret", "allow_private": True,
                "models": models or {"*": True}, **settings}

    def close(self):
        # Waited for: an accept() under way would go on with whatever gets the descriptor next.
        with contextlib.suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            buffer = b""
            while True:
                request, buffer = _read_request(connection, buffer)
                if request is None:
                    return
                with self._lock:
                    number = len(self.requests)
                    self.requests.append(request)
                call = Call(connection, request, number)
                self._answer(call)
                if not call.keeps:
                    return
        except OSError:
            pass  # the gateway may leave whenever it likes
        except Exception as error:  # noqa: a script's own mistake must reach the test
            self.errors.append(repr(error))
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _answer(self, call):
        answer = self.answer
        if callable(answer):
            answer(call)
        else:
            call.send(answer)


def _read_request(connection, buffer):
    while b"\r\n\r\n" not in buffer:
        data = connection.recv(65536)
        if not data:
            return None, b""
        buffer += data
    head, _, buffer = buffer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ")
    fields = [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
    size = next((int(v) for n, v in fields if n.lower() == "content-length"), 0)
    while len(buffer) < size:
        data = connection.recv(65536)
        if not data:
            return None, b""
        buffer += data
    return Received(method, target, fields, buffer[:size], head), buffer[size:]


# --- Answers, as bytes ---


def plain(body, status="200 OK", headers=None, content_type="application/json"):
    """A whole answer with Content-Length, after which the connection stays."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    fields = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    return head.encode("latin-1") + b"\r\n" + body


def stream_head(content_type="text/event-stream"):
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n").encode()


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def streamed(body, piece=None):
    """A whole chunked answer, in chunks of `piece` bytes or in one."""
    step = piece or max(1, len(body))
    chunks = b"".join(chunk(body[at : at + step]) for at in range(0, len(body), step))
    return stream_head() + chunks + LAST_CHUNK


def event(value):
    """One event of a stream."""
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def error(message, **members):
    """What a provider says of a request that it refuses."""
    return {"error": {"message": message, "type": "invalid_request_error", **members}}


def chat_answer(text="Hello", prompt=3, completion=2, **members):
    """The body of a plain chat answer."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion,
             "total_tokens": prompt + completion}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000,
            "model": "gpt-4o-mini", "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": text}}], **members}


def chat_events(words=("Hel", "lo"), prompt=3, completion=2, usage=True, done=True):
    """The events of a streamed chat answer, one bytes object each."""
    def made(choices, **members):
        return event({"id": "chatcmpl-1", "object": "chat.completion.chunk",
                      "created": 1700000000, "model": "gpt-4o-mini", "choices": choices,
                      **members})

    def choice(delta, reason=None):
        return [{"index": 0, "delta": delta, "finish_reason": reason}]

    events = [made(choice({"role": "assistant", "content": ""}))]
    events += [made(choice({"content": word})) for word in words]
    events.append(made(choice({}, "stop")))
    if usage:
        events.append(made([], usage={"prompt_tokens": prompt, "completion_tokens": completion,
                                      "total_tokens": prompt + completion}))
    if done:
        events.append(b"data: [DONE]\n\n")
    return events


def obliging(call):
    """An upstream that does what is asked: plain or streamed, on a kept connection."""
    call.keep()
    asked = call.request.json()
    if call.request.target.endswith("/embeddings"):
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        data = [{"object": "embedding", "index": i, "embedding": [0.5, -0.5]}
                for i in range(len(inputs))]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        call.send(plain({"object": "list", "data": data, "model": asked["model"], "usage": usage}))
    elif asked.get("stream"):
        call.send(streamed(b"".join(chat_events()), piece=97))
    elif "prompt" in asked:
        call.send(plain({"id": "cmpl-1", "object": "text_completion", "created": 1700000000,
                         "model": asked["model"],
                         "choices": [{"index": 0, "text": " there", "finish_reason": "stop"}],
                         "usage": {"prompt_tokens": 3, "completion_tokens": 2,
                                   "total_tokens": 5}}))
    else:
        call.send(plain(chat_answer()))


def failing(call):
    """An upstream that is ill."""
    call.keep()
    call.send(plain({"error": {"message": "oops"}}, "500 Oops"))
