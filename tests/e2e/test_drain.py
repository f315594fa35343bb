"""The end of a gateway: SIGTERM lets what runs come to its end, for a while; whatever then still
runs is settled before it is dropped."""

import asyncio
import json
import signal
import time

import pytest

import crowd
import raw
from gateway import nanos
from place import patience
from size import sized

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def lab_chat(tokens, streamed=True, **knobs):
    metadata = {"x-lab-tokens": str(tokens), **{f"x-lab-{k.replace('_', '-')}": str(v)
                                                for k, v in knobs.items()}}
    return crowd.chat(max_tokens=2 * tokens, metadata=metadata, **(STREAMED if streamed else {}))


class Guest(crowd.Visitor):
    """Asks, and waits for the head where one is to come at once."""

    async def begin(self, key, body):
        await self.connect()
        await self.ask("POST", "/v1/chat/completions", body, None, key)
        if body.get("stream"):
            self.head = await self.read_head()
            assert self.head.status == 200
            self.request_id = self.head.request_id
            await self.read_chunk()
        return self

    async def rest(self):
        """The events to the end of the answer; raises Ended where it is cut."""
        return [event async for event in self.stream()]


def terminated(gateway, times=1):
    """Sends SIGTERM, and waits until the gateway says that it drains."""
    gateway.program.signal(signal.SIGTERM)
    gateway.program.wait_report("draining")
    for _ in range(times - 1):
        time.sleep(0.05)
        gateway.program.signal(signal.SIGTERM)


def ended(gateway, seconds):
    """Waits for the end of the process, which must be in good order; how long it took."""
    begun = time.monotonic()
    gateway.program.process.wait(patience(seconds))
    took = time.monotonic() - begun
    gateway.stop()
    return took


def story(gateway, request_id):
    done = gateway.run("explain", request_id, "--json")
    return json.loads(done.stdout)


def test_a_drain_loses_no_stream(workshop):
    gateway = workshop.gateway([workshop.lab().channel()], workers=2, drain_s=60)
    caller = gateway.caller("100.00")
    count = sized(300, 80)
    address = gateway.address

    async def run():
        idle = await crowd.Visitor(address).connect()
        used = await crowd.Visitor(address).connect()
        await used.ask("POST", "/v1/chat/completions", crowd.chat(), None, caller.key)
        assert (await used.read_answer()).status == 200
        guests = [Guest(address, 60) for _ in range(count)]
        body = lab_chat(60, interval_ms=40)
        await asyncio.gather(*(guest.begin(caller.key, body) for guest in guests))
        plain = await Guest(address, 60).begin(caller.key, lab_chat(5, False, delay_ms=1500))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(terminated, gateway)
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionError):
            await crowd.Visitor(address).connect()
        for visitor in (idle, used):  # nobody is waiting for them
            with pytest.raises(raw.Ended):
                await visitor.fill()
        answers = await asyncio.gather(*(guest.rest() for guest in guests))
        last = await plain.read_answer()
        assert last.status == 200 and last.header("connection") == "close"
        return guests, answers

    guests, answers = asyncio.run(run())
    assert ended(gateway, 30) < patience(5)
    assert all(events[-1].is_done for events in answers)
    told = sum(nanos(events[-2].data.partition('"cost":')[2].split("}")[0].split(",")[0])
               for events in answers)
    assert gateway.verify()["open_holds"] == 0
    gateway.start()
    spent = nanos(gateway.cli("usage", "--by", "tenant")["total"]["charge"])
    assert spent > told > 0
    assert gateway.balance(caller.tenant) == 100 * 10**9 - spent


def test_who_had_asked_before_the_end_is_answered(workshop):
    """Hundreds stand in the kernel's queue, their requests sent, when the signal comes."""
    gateway = workshop.gateway([workshop.lab().channel()], workers=2, drain_s=60)
    caller = gateway.caller("100.00")
    count = sized(600, 200)

    async def run():
        gateway.program.signal(signal.SIGSTOP)
        guests = [crowd.Visitor(gateway.address, 60) for _ in range(count)]
        for guest in guests:
            await guest.connect()
            await guest.ask("POST", "/v1/chat/completions", crowd.chat(), None, caller.key)
        gateway.program.signal(signal.SIGTERM)
        gateway.program.signal(signal.SIGCONT)
        return await asyncio.gather(*(guest.read_answer() for guest in guests))

    answers = asyncio.run(run())
    assert [answer.status for answer in answers] == [200] * count
    assert all(answer.header("connection") == "close" for answer in answers)
    ended(gateway, 30)
    assert gateway.verify()["open_holds"] == 0


@pytest.mark.parametrize("how", ["deadline", "second signal"])
def test_what_still_runs_at_the_end_is_settled(workshop, how):
    """Streams that hang in the middle are paid for what they relayed; answers that never began
    cost nothing; and nothing is left for the next start to tidy up."""
    gateway = workshop.gateway([workshop.lab().channel()], workers=2,
                               drain_s=1 if how == "deadline" else 600)
    caller = gateway.caller("100.00")
    count = sized(60, 20)

    async def run():
        streams = [Guest(gateway.address, 60) for _ in range(count)]
        body = lab_chat(50, fault="stall", fault_at=20)
        await asyncio.gather(*(guest.begin(caller.key, body) for guest in streams))
        waiting = [Guest(gateway.address, 60) for _ in range(10)]
        silent = lab_chat(5, False, fault="stall-before-head")
        await asyncio.gather(*(guest.begin(caller.key, silent) for guest in waiting))
        deaf = Guest(gateway.address, 60, receive_buffer=4096)
        await deaf.begin(caller.key, lab_chat(50, fault="endless"))
        await asyncio.sleep(patience(0.5))
        begun = time.monotonic()
        await asyncio.to_thread(terminated, gateway, 1 if how == "deadline" else 2)
        cuts = await asyncio.gather(*(guest.rest() for guest in streams),
                                    *(guest.read_head() for guest in waiting),
                                    return_exceptions=True)
        assert all(isinstance(cut, raw.Ended) for cut in cuts), cuts
        deaf.close()
        return [guest.request_id for guest in streams], begun

    requests, begun = asyncio.run(run())
    ended(gateway, 20)
    took = time.monotonic() - begun
    assert took < patience(3) and (how != "deadline" or took >= 1)
    assert gateway.verify()["open_holds"] == 0
    spent = 0
    for request in requests:
        journal = story(gateway, request)["journal"]
        [post] = [entry for entry in journal if entry["kind"] in ("post", "void")]
        assert post["kind"] == "post" and nanos(post["charge"]) > 0
        spent += nanos(post["charge"])
    before = gateway.verify()["last"]
    wallet = gateway.wallet(caller.tenant)
    assert wallet["held"] == 0 and wallet["balance"] < 100 * 10**9 - spent
    gateway.start()
    gateway.stop()
    after = gateway.verify()
    assert after["last"] == before + 1, "the next start had more to write than that it started"


def test_a_drain_with_nothing_to_do_ends_at_once(workshop):
    gateway = workshop.gateway([workshop.lab().channel()], workers=2, drain_s=60)
    assert gateway.chat(gateway.caller().key).status == 200
    terminated(gateway)
    assert ended(gateway, 20) < patience(1.5)
