"""Large bodies leave no memory behind once they are answered."""

import time

import pytest

import crowd
from place import SLOWNESS, patience
from upstream import obliging, plain
from wire import memory_bytes

MIB = 1 << 20
LEFT_MAX = 48 * MIB


@pytest.mark.skipif(SLOWNESS >= 2, reason="sanitizers keep freed memory")
def test_after_a_burst_of_large_bodies_the_process_is_as_small_as_before(workshop):
    upstream = workshop.upstream(obliging)
    gateway = workshop.gateway([upstream.channel()], workers=1)
    caller = gateway.caller("1000.00")
    assert gateway.chat(caller.key).status == 200
    before = memory_bytes(gateway.pid)
    image = "data:image/png;base64," + "A" * (4 * MIB)
    body = crowd.chat()
    body["messages"][0]["content"] = [{"type": "image_url", "image_url": {"url": image}}]
    answers = crowd.all_at_once(gateway.address, [body] * 16, caller.key)
    assert [answer.status for answer in answers] == [200] * 16
    ends = time.monotonic() + patience(10)
    while (left := memory_bytes(gateway.pid) - before) > LEFT_MAX:
        assert time.monotonic() < ends, f"{left // MIB} MiB are still there"
        time.sleep(0.1)


@pytest.mark.skipif(SLOWNESS >= 2, reason="sanitizers keep freed memory")
@pytest.mark.parametrize("echo", [False, True])
def test_a_list_of_many_numbers_leaves_no_memory_in_any_thread_that_read_one(workshop, echo):
    """What such a body is read into is many times as large as the body."""
    answer = plain({"id": "x", "object": "text_completion", "choices": [
        {"index": 0, "text": "yes", "finish_reason": "stop"}]})
    gateway = workshop.gateway([workshop.upstream(lambda call: call.send(answer)).channel()],
                               workers=1, start=False)
    gateway.set_models([{"id": "free", "price": {"input": "0", "output": "0"}}])
    (gateway.folder / "data" / "aliases.json").write_text("{}")
    gateway.start()
    caller = gateway.caller("1.00")
    before = memory_bytes(gateway.pid)
    body = {"model": "free", "prompt": [1] * 4_000_000, "max_tokens": 4, "echo": echo}
    for _ in range(6):  # more than there are threads to read bodies
        assert gateway.ask("POST", "/v1/completions", body, caller.key).status == 200
    ends = time.monotonic() + patience(10)
    while (left := memory_bytes(gateway.pid) - before) > LEFT_MAX:
        assert time.monotonic() < ends, f"{left // MIB} MiB are still there"
        time.sleep(0.1)
