"""A name server on loopback that answers from a table: {"name.": ["127.0.0.1", ...]}."""

import socket
import struct
import threading


class NameServer:
    def __init__(self, names):
        self.names = names
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self._socket.recvfrom(512)
            except OSError:
                return
            try:
                self._socket.sendto(self._answer(query), peer)
            except OSError:
                return

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12 : at + 5]
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        self.asked.append(name)
        known = self.names.get(name)
        addresses = known if known and kind == 1 else []  # A records only
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(a)
                           for a in addresses)
        flags = 0x8180 if known is not None else 0x8183
        counts = struct.pack(">HHHHH", flags, 1, len(addresses), 0, 0)
        return query[:2] + counts + question + records
