"""Large bodies leave no memory behind once they are answered."""

import time

import pytest

import crowd
from place import SLOWNESS, patience
from test_slow_readers import resident_bytes
from upstream import obliging

MIB = 1 << 20
LEFT_MAX = 48 * MIB


@pytest.mark.skipif(SLOWNESS >= 2, reason="sanitizers keep freed memory")
def test_after_a_burst_of_large_bodies_the_process_is_as_small_as_before(workshop):
    upstream = workshop.upstream(obliging)
    gateway = workshop.gateway([upstream.channel()], workers=1)
    caller = gateway.caller("1000.00")
    assert gateway.chat(caller.key).status == 200
    before = resident_bytes(gateway.pid)
    image = "data:image/png;base64," + "A" * (4 * MIB)
    body = crowd.chat()
    body["messages"][0]["content"] = [{"type": "image_url", "image_url": {"url": image}}]
    answers = crowd.all_at_once(gateway.address, [body] * 16, caller.key)
    assert [answer.status for answer in answers] == [200] * 16
    ends = time.monotonic() + patience(10)
    while (left := resident_bytes(gateway.pid) - before) > LEFT_MAX:
        assert time.monotonic() < ends, f"{left // MIB} MiB are still there"
        time.sleep(0.1)
