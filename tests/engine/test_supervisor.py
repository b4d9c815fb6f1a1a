"""Tasks that fail are started anew; all are stopped in reverse order."""

import asyncio
import logging
from functools import partial

import pytest

from hil.engine.supervisor import RESTART_AFTER_S, Supervisor
from hil.virtual.clock import VirtualClock
from hil.virtual.loop import VirtualLoop
from rig import START


def supervisor() -> Supervisor:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return Supervisor(VirtualClock(loop, START))


async def test_failed_task_is_reported_mended_and_started_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began: list[float] = []
    seen: list[Exception] = []

    async def fails_twice() -> None:
        began.append(asyncio.get_running_loop().time())
        if len(began) < 3:
            raise ValueError("a defect")
        await asyncio.Event().wait()

    tasks = supervisor()
    tasks.start("owner", fails_twice, seen.append)
    await asyncio.sleep(10)
    await tasks.stop()

    assert began == pytest.approx([0, RESTART_AFTER_S, 2 * RESTART_AFTER_S])
    assert [str(error) for error in seen] == ["a defect"] * 2
    assert [r.levelno for r in caplog.records] == [logging.ERROR] * 2
    assert "task=owner failed" in caplog.text


async def test_tasks_are_stopped_one_by_one_the_newest_first() -> None:
    ended: list[str] = []

    async def run(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            ended.append(name)

    tasks = supervisor()
    for name in ("first", "second", "third"):
        tasks.start(name, partial(run, name))
    await asyncio.sleep(1)
    await tasks.stop()

    assert ended == ["third", "second", "first"]
