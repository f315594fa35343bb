"""Whether a stream went through the gateway untouched but for the splices it is allowed."""

import json

import sse

def differences(sent, got, usage_was_asked, cost):
    """(problems, added): how the stream a client got differs from the one its upstream sent.

    Allowed: comments and empty events may be missing; without the wish for usage, chunks that hold
    nothing but usage are missing; with it, a usage at the end has `cost` as the gateway computed it
    (decimal dollars as text). `added`: events of the gateway's own, which may be one chunk with
    usage and cost before the end, where the client asked and the upstream sent none there."""
    expected = [event for event in sse.events(sent) if event.data]
    received = [event for event in sse.events(got) if event.data]
    done = next((i for i, event in enumerate(expected) if event.is_done), len(expected))
    expected = expected[: done + 1]  # nothing may follow the end
    if not usage_was_asked:
        expected = [event for event in expected if not _is_usage_only(event)]
    last_usage = max((i for i, event in enumerate(expected) if _usage(event)), default=None)
    added = []
    if usage_was_asked and len(received) == len(expected) + 1:
        at = len(received) - (2 if received[-1].is_done else 1)
        added.append(received.pop(at))
        last_usage = None
    problems = []
    for i, (was, now) in enumerate(zip(expected, received)):
        if usage_was_asked and i == last_usage:
            problems += _spliced(i, was, now, cost)
        elif was.raw != now.raw and not (was.is_done and now.is_done):
            # (Of a last CRLF that came in two pieces, the end does not wait for the second.)
            problems.append(f"event {i}: {was.raw[:300]!r} became {now.raw[:300]!r}")
    for event in expected[len(received):]:
        problems.append(f"missing: {event.raw[:300]!r}")
    for event in received[len(expected):]:
        problems.append(f"more than was sent: {event.raw[:300]!r}")
    for event in added:
        if not _usage(event) or f'"cost":{cost}' not in event.data:
            problems.append(f"added: {event.raw[:300]!r}")
    return problems, added


def _spliced(i, was, now, cost):
    if f'"cost":{cost}' not in now.data:
        return [f"event {i} does not say cost {cost}: {now.data[:300]!r}"]
    # The bare texts agree where the upstream said no cost; else its own was replaced, and all
    # before and behind it is as it was.
    bare = now.data.replace(f'"cost":{cost},', "", 1).replace(f'"cost":{cost}', "", 1)
    if was.data in (bare, now.data):
        return []
    theirs = was.json()["usage"].pop("cost", None)
    at = now.data.index(f'"cost":{cost}')
    behind = now.data[at + len(f'"cost":{cost}'):]
    if theirs is not None and was.data.startswith(now.data[:at]) and was.data.endswith(behind):
        return []
    return [f"event {i}: {was.data[:300]!r} became {now.data[:300]!r}"]


def _no_json(name):
    raise ValueError(name)


def _parsed(event):
    try:
        value = json.loads(event.data, parse_constant=_no_json)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(event):
    return not event.is_done and isinstance(_parsed(event).get("usage"), dict)


def _is_usage_only(event):
    return _usage(event) and not _parsed(event).get("choices")
