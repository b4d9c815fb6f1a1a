"""Async tests run on virtual time, unless marked `real_time`; leaked tasks are failures."""

import asyncio
import functools
import inspect
import os

import pytest
from hypothesis import settings

from hil.virtual.loop import VirtualLoop

# CI draws the same examples every time; at a desk they are new in every run.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

REAL_TIME_LIMIT_S = 20.0
VIRTUAL_LIMIT_S = 30 * 86_400.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test to its end on a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    live = pyfuncitem.get_closest_marker("real_time") is not None
    kwargs = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def run() -> None:
        # A limit as a timer would hide a deadlock, so that virtual time has its own.
        async with asyncio.timeout(REAL_TIME_LIMIT_S if live else None):
            await pyfuncitem.obj(**kwargs)
        left = sorted(
            task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()
        )
        assert not left, f"leaked tasks: {left}"

    factory = (
        asyncio.SelectorEventLoop
        if live
        else functools.partial(VirtualLoop, limit_s=VIRTUAL_LIMIT_S, real_limit_s=60.0)
    )
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
    return True
