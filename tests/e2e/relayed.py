"""Whether a stream went through the gateway untouched but for the splices it is allowed."""

import re

import sse

_COST = re.compile(r'"cost": ?(?:-?[0-9][0-9.eE+-]*|null|"[^"]*"),? ?')


def without_cost(data):
    """An event's data without the cost of its usage, and the comma that went with it."""
    bare = _COST.sub("", data)
    return re.sub(r",\s*([}\]])", r"\1", bare)


def differences(sent, got, usage_was_asked, cost):
    """(problems, added): how the stream a client got differs from the one its upstream sent.

    Allowed: comments and empty events may be missing; without the wish for usage, chunks that hold
    nothing but usage are missing; with it, the last usage has `cost` as the gateway computed it
    (decimal dollars as text). `added`: events of the gateway's own, which may be one chunk with
    usage where the upstream sent none and the client asked."""
    expected = [event for event in sse.events(sent) if event.data]
    received = [event for event in sse.events(got) if event.data]
    done = next((i for i, event in enumerate(expected) if event.is_done), len(expected))
    expected = expected[: done + 1]  # nothing may follow the end
    if not usage_was_asked:
        expected = [event for event in expected if not _is_usage_only(event)]
    last_usage = max((i for i, event in enumerate(expected) if _usage(event)), default=None)
    added = []
    if usage_was_asked and last_usage is None and len(received) == len(expected) + 1:
        at = len(received) - (2 if received[-1].is_done else 1)
        added.append(received.pop(at))
    problems = []
    for i, (was, now) in enumerate(zip(expected, received)):
        if usage_was_asked and i == last_usage:
            problems += _spliced(i, was, now, cost)
        elif was.raw != now.raw:
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
    # The bare texts agree where the upstream said no cost; else its own was replaced.
    bare = now.data.replace(f'"cost":{cost},', "", 1).replace(f'"cost":{cost}', "", 1)
    if was.data in (bare, now.data) or without_cost(was.data) == without_cost(now.data):
        return []
    return [f"event {i}: {was.data[:300]!r} became {now.data[:300]!r}"]


def _parsed(event):
    try:
        value = event.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _usage(event):
    return not event.is_done and isinstance(_parsed(event).get("usage"), dict)


def _is_usage_only(event):
    return _usage(event) and not _parsed(event).get("choices")
