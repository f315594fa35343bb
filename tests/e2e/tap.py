"""An upstream whose answers stop in their middle until a test opens it: what is under way then is
under way for as long as the test wants."""

import threading

import upstream
from place import patience

WAIT = "wait"  # the message of a request that is to stop; all others are answered at once


class Tap:
    def __init__(self):
        self.opened = threading.Event()

    def __call__(self, call):
        asked = call.request.json()
        messages = asked.get("messages")
        if not messages or messages[0]["content"] != WAIT:
            return upstream.obliging(call)
        call.keep()
        if not asked.get("stream"):
            self.opened.wait(patience(60))
            return call.send(upstream.plain(upstream.chat_answer()))
        first, *rest = upstream.chat_events()
        call.send(upstream.stream_head() + upstream.chunk(first))
        self.opened.wait(patience(60))
        return call.send(upstream.chunk(b"".join(rest)) + upstream.LAST_CHUNK)
