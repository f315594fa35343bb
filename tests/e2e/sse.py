"""Server-sent events, read apart from the program under test: bytes in, events out."""

import json
from dataclasses import dataclass


@dataclass
class Event:
    raw: bytes  # with the blank line that ends it
    event: str
    data: str
    has_data: bool

    @property
    def is_done(self):
        return self.data == "[DONE]"

    def json(self):
        return json.loads(self.data)


def _line_end(buffer, at, is_whole):
    """Where the line at `at` ends and the next begins; None while that cannot be said."""
    for i in range(at, len(buffer)):
        if buffer[i] == 0x0A:
            return i, i + 1
        if buffer[i] == 0x0D:
            if i + 1 == len(buffer) and not is_whole:
                return None
            return i, i + (2 if buffer[i + 1 : i + 2] == b"\n" else 1)
    return None


class Reader:
    """Feed it bytes; what is complete comes out. CRLF, CR and LF end lines."""

    def __init__(self):
        self._buffer = b""
        self._at_start = True

    def feed(self, data, is_whole=False):
        self._buffer += data
        if self._at_start and len(self._buffer) >= 3:
            self._at_start = False
            if self._buffer.startswith(b"\xef\xbb\xbf"):
                self._buffer = self._buffer[3:]
        events = []
        while True:
            event, used = self._next(is_whole)
            if event is None:
                return events
            self._buffer = self._buffer[used:]
            if event.has_data or event.event:
                events.append(event)

    def _next(self, is_whole):
        at, name, data, has_data = 0, "", [], False
        while True:
            ends = _line_end(self._buffer, at, is_whole)
            if ends is None:
                return None, 0
            line, at = self._buffer[at : ends[0]], ends[1]
            if not line:
                raw = self._buffer[:at]
                return Event(raw, name, "\n".join(data), has_data), at
            field, _, value = line.partition(b":")
            if value.startswith(b" "):
                value = value[1:]
            if field == b"data":
                data.append(value.decode("utf-8", "replace"))
                has_data = True
            elif field == b"event":
                name = value.decode("utf-8", "replace")


def events(data):
    """All events of a whole stream."""
    return Reader().feed(data, is_whole=True)


def text(chat_events):
    """What a chat's events say, choice 0."""
    said = ""
    for event in chat_events:
        if event.is_done or not event.has_data:
            continue
        for choice in event.json().get("choices", []):
            if choice.get("index", 0) == 0:
                said += (choice.get("delta") or {}).get("content") or ""
    return said
