"""A proxy between the load tool and a gateway that changes one told cost by one nano-dollar."""

import re
import socket
import threading

import raw

HEADER = re.compile(rb"(x-moongate-cost: )([0-9.]+)", re.IGNORECASE)
MEMBER = re.compile(rb'("cost":)([0-9.]+)')


def one_nano_more(match):
    whole, _, places = match.group(2).partition(b".")
    nanos = int(whole) * 10**9 + int(places.ljust(9, b"0")) + 1
    return match.group(1) + b"%d.%09d" % divmod(nanos, 10**9)


class Skewer:
    """Passes requests and answers on. `skew` names what it changes in the `nth` answer that has
    it: "header", "member" (usage.cost of a stream), or None."""

    def __init__(self, address, skew=None, nth=5):
        self.upstream, self.skew, self.nth = address, skew, nth
        self.seen = 0
        self.changed = []  # answers' heads
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        peer = raw.Connection(self.upstream)
        with client, peer:
            asked = b""
            try:
                while True:
                    while not _is_whole(asked):
                        data = client.recv(65536)
                        if not data:
                            return
                        asked += data
                    peer.send(asked)
                    asked = b""
                    client.sendall(self._answer(peer))
            except OSError:
                return

    def _answer(self, peer):
        """One whole answer's bytes, perhaps changed."""
        head = peer.read_until(b"\r\n\r\n")
        answer = peer.read_body(raw.parse_head(head))
        body = answer.body
        head = self._skewed("header", HEADER, head, head)
        if not answer.header("transfer-encoding"):
            return head + body
        body = self._skewed("member", MEMBER, body, head)
        return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)

    def _skewed(self, kind, pattern, text, head):
        if self.skew != kind or not pattern.search(text):
            return text
        with self._lock:
            self.seen += 1
            if self.seen != self.nth:
                return text
            self.changed.append(head)
        return pattern.sub(one_nano_more, text, count=1)


def _is_whole(asked):
    head, mark, body = asked.partition(b"\r\n\r\n")
    size = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
    return bool(mark) and len(body) >= int(size.group(1) if size else 0)
