"""Many clients on one thread: what raw.Connection is to one client, a Visitor is to hundreds."""

import asyncio
import socket
import struct

import raw
import sse
from place import patience


class Visitor:
    """One connection within an event loop. Every wait ends after `timeout` seconds."""

    def __init__(self, address, timeout=30.0, receive_buffer=None):
        self.timeout = patience(timeout)
        self.buffer = b""
        self.received = 0  # bytes so far
        self.address = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def connect(self):
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(self.socket, self.address), self.timeout)
        return self

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def ask(self, method, target, body=None, headers=None, key=None):
        await self.send(raw.request(method, target, body, headers, key))

    async def fill(self, size=65536):
        """Reads something, at most `size` bytes. Raises Ended when the peer has ended."""
        loop = asyncio.get_running_loop()
        try:
            data = await asyncio.wait_for(loop.sock_recv(self.socket, size), self.timeout)
        except ConnectionError as error:
            raise raw.Ended(f"reset; had {self.buffer[-200:]!r}") from error
        if not data:
            raise raw.Ended(f"ended; had {self.buffer[-200:]!r}")
        self.buffer += data
        self.received += len(data)

    async def read_until(self, mark):
        while mark not in self.buffer:
            await self.fill()
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    async def read_exactly(self, size):
        while len(self.buffer) < size:
            await self.fill()
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    async def read_head(self):
        return raw.parse_head(await self.read_until(b"\r\n\r\n"))

    async def read_chunk(self):
        size = int((await self.read_until(b"\r\n"))[:-2], 16)
        data = await self.read_exactly(size + 2)
        assert data.endswith(b"\r\n"), "a chunk does not end in CRLF"
        return data[:-2]

    async def read_answer(self):
        """A whole answer; raises Ended where it is cut."""
        answer = await self.read_head()
        if answer.header("transfer-encoding"):
            while True:
                chunk = await self.read_chunk()
                if not chunk:
                    break
                answer.chunks.append(chunk)
            answer.body = b"".join(answer.chunks)
        else:
            answer.body = await self.read_exactly(int(answer.header("content-length")))
        answer.is_complete = True
        return answer

    async def stream(self):
        """Events of a chunked answer as they come; Ended where it is cut."""
        reader = sse.Reader()
        while True:
            chunk = await self.read_chunk()
            for event in reader.feed(chunk, is_whole=not chunk):
                yield event
            if not chunk:
                return

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def chat(text="Hello", model="gpt-4o-mini", **members):
    """The body of a chat request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **members}


async def ask_once(address, body, key=None, headers=None, timeout=30.0):
    """One chat request on a connection of its own; its whole answer."""
    visitor = await Visitor(address, timeout).connect()
    try:
        await visitor.ask("POST", "/v1/chat/completions", body, headers, key)
        return await visitor.read_answer()
    finally:
        visitor.close()


def all_at_once(address, bodies, key, headers=None, timeout=60.0, on_answer=None):
    """Sends all bodies at once, each on a connection of its own that is open before the first of
    them is sent. Answers in order; of a client that got none, the exception. `on_answer` is told
    of each as it comes."""

    async def run():
        visitors = [Visitor(address, timeout) for _ in bodies]
        await asyncio.gather(*(visitor.connect() for visitor in visitors))

        async def one(number):
            fields = headers(number) if callable(headers) else headers
            await visitors[number].ask("POST", "/v1/chat/completions", bodies[number], fields, key)
            answer = await visitors[number].read_answer()
            if on_answer:
                on_answer(answer)
            return answer

        try:
            return await asyncio.gather(*(one(i) for i in range(len(bodies))),
                                        return_exceptions=True)
        finally:
            for visitor in visitors:
                visitor.close()

    return asyncio.run(run())
