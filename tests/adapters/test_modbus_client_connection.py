"""Our Modbus client when connections are refused, dropped, never accepted or never answered."""

import asyncio
import contextlib
import gc
import os
import socket
import tracemalloc

import pytest

from hil.adapters.modbus_client import TcpLink
from hil.domain.plant import Device
from hil.domain.snapshot import LinkStatus
from hil.ports import Exchange
from scripted_device import (
    LONG_S,
    READ,
    SHORT_S,
    WRITE,
    Peer,
    answer,
    ask,
    assert_problem,
    right_answer,
    scripted,
    silence,
)

pytestmark = pytest.mark.real_time


async def test_a_server_that_closes_on_a_request_is_an_error_at_once() -> None:
    def hang_up(peer: Peer, transaction: int, unit_id: int, pdu: bytes) -> None:
        if len(peer.device.asked) == 1:
            peer.transport.close()
        elif len(peer.device.asked) == 2:
            peer.transport.abort()
        else:
            answer(peer, transaction, unit_id, pdu)

    async with scripted(hang_up) as device:
        link = device.link()
        outcome = await ask(link, READ)
        assert_problem(outcome, LinkStatus.ERROR, "closed the connection", "has too many clients")
        assert_problem(await ask(link, READ), LinkStatus.ERROR, "closed the connection")
        assert_problem(await ask(link, READ), LinkStatus.ERROR, "(not tried again for 0.")
        assert len(device.asked) == 2


async def test_a_server_down_and_up_again_is_back_at_the_next_exchange() -> None:
    async with scripted(answer) as device:
        link = device.link()
        await ask(link, READ)
        await device.stop()

        outcome = await ask(link, READ)
        assert outcome.problem is not None
        assert outcome.problem.status in (LinkStatus.ERROR, LinkStatus.REFUSED)
        await device.start()

        assert await ask(link, READ) == Exchange((right_answer(READ),))
        await link.close()


async def test_the_back_off_doubles_to_five_seconds_and_ends_with_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    real_time = loop.time
    ahead_s = 0.0
    monkeypatch.setattr(loop, "time", lambda: real_time() + ahead_s)
    async with scripted(answer) as device:
        await device.stop()
        link = device.link()
        held_s = []
        for _ in range(7):
            outcome = await ask(link, READ)
            assert_problem(outcome, LinkStatus.REFUSED, f"no connection to 127.0.0.1:{device.port}")
            assert "(Connection refused)" in str(outcome.problem)
            assert "not tried" not in str(outcome.problem)
            held_s.append(link._retry_at_s - loop.time())
            if len(held_s) > 1:
                assert_problem(await ask(link, READ), LinkStatus.REFUSED, "(not tried again for")
                ahead_s += held_s[-1]
        assert held_s == pytest.approx([0, 0.5, 1, 2, 4, 5, 5], abs=0.2)

        await device.start()
        assert await ask(link, READ) == Exchange((right_answer(READ),))
        await device.stop()
        await ask(link, READ)
        await device.start()
        assert await ask(link, READ) == Exchange((right_answer(READ),))
        await link.close()


async def test_a_connect_that_nobody_answers_times_out() -> None:
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # what the backlog does not hold is dropped by the kernel
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        where = Device(host="127.0.0.1", port=full.getsockname()[1])
        link = TcpLink(where, timeout_s=LONG_S)
        outcome = await ask(link, READ, within_s=SHORT_S)
        assert_problem(outcome, LinkStatus.TIMEOUT, "accepted no connection within 0.02 s")

        task = asyncio.create_task(ask(link, READ))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_name_that_does_not_exist_is_refused_in_words() -> None:
    link = TcpLink(Device(host="a..b", port=502), timeout_s=LONG_S)
    assert_problem(await ask(link, READ), LinkStatus.REFUSED, "no connection to a..b:502 (")


async def test_one_time_out_a_step_and_constant_resources_against_a_silent_device() -> None:
    def descriptors() -> int:
        return len(os.listdir("/dev/fd"))

    async with scripted(silence) as device:
        link = device.link(timeout_s=0.006)

        async def steps(count: int) -> None:
            for _ in range(count):
                assert_problem(await ask(link, READ, WRITE), LinkStatus.TIMEOUT)
                await device.until(lambda: not device.open)

        await steps(50)
        asked, tasks, opened = len(device.asked), len(asyncio.all_tasks()), descriptors()
        device.asked.clear()
        gc.collect()
        tracemalloc.start()
        try:
            await steps(50)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            await steps(500)
            device.asked[100:] = []
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Each step tried once, on a connection of its own; fewer where a busy machine let the
        # connecting take the whole time.
        assert 0 < asked <= 50
        assert 500 < device.accepted <= 600
        assert len(asyncio.all_tasks()) == tasks
        assert descriptors() == opened
        assert after - before < 50_000
