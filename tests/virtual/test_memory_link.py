"""The in-memory link: outcomes as over TCP, and no time but that of a silent plant."""

import asyncio
import gc
import tracemalloc

import pytest

from hil.domain.modbus_pdu import (
    ReadReply,
    ReadRequest,
    Refusal,
    Request,
    Response,
    Table,
    WriteReply,
    WriteRequest,
)
from hil.domain.snapshot import LinkStatus
from hil.ports import Answer, Exchange, Manner
from hil.virtual.memory_link import MemoryLink

READ = ReadRequest(Table.HOLDING, 270, 3)
WRITE = WriteRequest(Table.HOLDING, 86, (7,), multiple=False)


def answer(request: Request) -> Response | None:
    return ReadReply((1, 2, 3)) if request == READ else WriteReply()


async def test_an_exchange_takes_no_time_and_answers_in_order() -> None:
    loop = asyncio.get_running_loop()
    link = MemoryLink(answer, timeout_s=1.0)

    outcome = await link.exchange([WRITE, READ], within_s=1.6)

    assert outcome == Exchange((WriteReply(), ReadReply((1, 2, 3))))
    assert loop.time() == 0
    await link.close()


async def test_a_refusal_is_an_answer() -> None:
    link = MemoryLink(lambda _: Refusal(2), timeout_s=1.0)

    assert await link.exchange([READ, READ], within_s=1.6) == Exchange((Refusal(2), Refusal(2)))


@pytest.mark.parametrize(("timeout_s", "within_s", "waited_s"), [(1, 1.6, 1.0), (1, 0.08, 0.08)])
async def test_the_first_silence_ends_the_exchange(
    timeout_s: float, within_s: float, waited_s: float
) -> None:
    asked = []

    def silent_on_reads(request: Request) -> Response | None:
        asked.append(request)
        return None if request == READ else WriteReply()

    link = MemoryLink(silent_on_reads, timeout_s=timeout_s)

    outcome = await link.exchange([WRITE, READ, READ], within_s=within_s)

    assert outcome.responses == (WriteReply(),)
    assert outcome.problem is not None
    assert outcome.problem.status is LinkStatus.TIMEOUT
    assert f"did not answer a read of 3 holding registers from 270 within {waited_s:g} s" in (
        outcome.problem.text
    )
    assert asked == [WRITE, READ]
    assert asyncio.get_running_loop().time() == pytest.approx(waited_s)


async def test_a_cancelled_wait_ends_at_once() -> None:
    link = MemoryLink(lambda _: None, timeout_s=1.0)
    task = asyncio.create_task(link.exchange([READ], within_s=1.6))
    await asyncio.sleep(0.25)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert asyncio.get_running_loop().time() == pytest.approx(0.25)


async def test_a_cancellation_in_the_tick_of_the_time_out_is_honoured() -> None:
    link = MemoryLink(lambda _: None, timeout_s=1.0)
    task = asyncio.create_task(link.exchange([READ], within_s=1.6))
    asyncio.get_running_loop().call_later(1.0, task.cancel)  # before the task wakes up

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_40_000_silent_steps_cost_nothing_that_stays() -> None:
    link = MemoryLink(lambda _: None, timeout_s=1.0)
    loop = asyncio.get_running_loop()

    async def steps(count: int) -> None:
        for _ in range(count):
            outcome = await link.exchange([WRITE, READ], within_s=1.6)
            assert outcome.problem is not None
            assert outcome.problem.status is LinkStatus.TIMEOUT

    await steps(1000)
    tasks = len(asyncio.all_tasks())
    gc.collect()
    tracemalloc.start()
    try:
        await steps(1000)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        await steps(38_000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(asyncio.all_tasks()) == tasks
    assert after - before < 10_000
    assert loop.time() == pytest.approx(40_000)  # one time-out a step


@pytest.mark.parametrize(
    ("given", "status", "waited_s"),
    [
        (Answer(WriteReply(), 0.3), None, 0.3),
        (Answer(WriteReply(), 5.0), LinkStatus.TIMEOUT, 1.0),
        (Answer(WriteReply(), 0.3, Manner.LATE), None, 0.3),
        (Answer(WriteReply(), manner=Manner.STALE), LinkStatus.ERROR, 0.0),
        (Answer(None, 0.2, Manner.CLOSE), LinkStatus.ERROR, 0.2),
        (Answer(None, manner=Manner.RESET), LinkStatus.ERROR, 0.0),
        (Answer(None, manner=Manner.REFUSE), LinkStatus.REFUSED, 0.0),
        (Answer(WriteReply(), unit_id=9), LinkStatus.ERROR, 0.0),
    ],
)
async def test_an_odd_answer_is_what_it_would_be_over_a_wire(
    given: Answer, status: LinkStatus | None, waited_s: float
) -> None:
    link = MemoryLink(lambda _: given, timeout_s=1.0)

    outcome = await link.exchange([WRITE], within_s=1.6)

    assert (outcome.problem and outcome.problem.status) == status
    assert asyncio.get_running_loop().time() == pytest.approx(waited_s)


async def test_slow_answers_end_the_exchange_in_its_time() -> None:
    link = MemoryLink(lambda _: Answer(WriteReply(), 0.7), timeout_s=1.0)

    outcome = await link.exchange([WRITE] * 3, within_s=1.6)

    assert len(outcome.responses) == 2
    assert outcome.problem is not None
    assert outcome.problem.status == LinkStatus.TIMEOUT
    assert asyncio.get_running_loop().time() == pytest.approx(1.6)
