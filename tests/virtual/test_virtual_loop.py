"""Virtual time passes only when every task waits, and never runs away."""

import asyncio
import sqlite3
import subprocess
import sys
from functools import partial

import pytest

from hil.virtual.loop import Deadlock, RanTooLong, VirtualLoop


def virtual_s() -> float:
    return asyncio.get_running_loop().time()


async def test_a_day_of_waiting_takes_no_time() -> None:
    await asyncio.sleep(86_400)

    assert virtual_s() == pytest.approx(86_400)


async def test_time_outs_fire_at_their_virtual_second() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await asyncio.Event().wait()

    assert virtual_s() == pytest.approx(1.5)


async def test_tasks_wake_in_the_order_of_their_time() -> None:
    woken: list[int] = []

    async def wake(after_s: int) -> None:
        await asyncio.sleep(after_s)
        woken.append(after_s)

    async with asyncio.TaskGroup() as group:
        for after_s in (3, 1, 2):
            group.create_task(wake(after_s))

    assert woken == [1, 2, 3]


async def test_executor_calls_run_inline_and_hand_over_their_errors() -> None:
    loop = asyncio.get_running_loop()
    connection = await loop.run_in_executor(None, sqlite3.connect, ":memory:")

    assert (await asyncio.to_thread(connection.execute, "select 1")).fetchone() == (1,)
    connection.close()
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(None, lambda: 1 // 0)


async def test_sockets_are_refused() -> None:
    with pytest.raises(RuntimeError, match="no sockets"):
        await asyncio.open_connection("127.0.0.1", 1)


def test_deadlock_names_the_tasks_that_wait() -> None:
    async def waits_for_nothing() -> None:
        await asyncio.Event().wait()

    with (
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
        pytest.raises(Deadlock, match=r"test_virtual_loop\.py"),
    ):
        runner.run(waits_for_nothing())


def test_virtual_limit_stops_a_runaway() -> None:
    async def runs_away() -> None:
        while True:
            await asyncio.sleep(10)

    with (
        asyncio.Runner(loop_factory=partial(VirtualLoop, limit_s=3600)) as runner,
        pytest.raises(RanTooLong, match="stopped at virtual second 36"),
    ):
        runner.run(runs_away())


RACE = """
import asyncio
from hil.virtual.loop import VirtualLoop
trace = []
async def wait(k):
    try:
        await asyncio.Event().wait()
    finally:
        trace.append(k)
async def main():
    tasks = [asyncio.get_running_loop().create_task(wait(k)) for k in range(40)]
    await asyncio.sleep(1)
    try:
        async with asyncio.TaskGroup() as group:
            for k in range(100, 140):
                group.create_task(wait(k))
            await asyncio.sleep(1)
            raise ValueError
    except* ValueError:
        pass
    for task in set(tasks):
        task.cancel()
    await asyncio.wait(tasks)
with asyncio.Runner(loop_factory=VirtualLoop) as runner:
    runner.run(main())
print(trace)
"""


def test_order_is_the_same_in_every_process() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", RACE],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }

    assert len(traces) == 1
