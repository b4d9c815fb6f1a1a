"""The one place where tasks are started, restarted and stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hil.engine.cadence import NS_PER_S, Bell
from hil.ports import Clock

log = logging.getLogger(__name__)

# A task that fails again and again is a bug: it is started anew a second later, for ever, because
# a plant without its owner cannot be brought to zero.
RESTART_AFTER_S = 1.0


class Supervisor:
    """Runs named tasks; one that fails is reported, mended by its `on_failure` and started anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []

    def start(
        self,
        name: str,
        run: Callable[[], Coroutine[Any, Any, None]],
        on_failure: Callable[[Exception], None] | None = None,
    ) -> asyncio.Task[None]:
        """Start a task that runs until it returns or the supervisor stops it."""
        task = asyncio.get_running_loop().create_task(self._keep(name, run, on_failure), name=name)
        self._tasks = [*(other for other in self._tasks if not other.done()), task]
        return task

    async def _keep(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        on_failure: Callable[[Exception], None] | None,
    ) -> None:
        while True:
            try:
                return await run()
            except Exception as error:
                log.exception("task=%s failed and is started anew", name)
                _tell(on_failure, error)
            await Bell(self._clock).wait_until(
                self._clock.monotonic_ns() + int(RESTART_AFTER_S * NS_PER_S)
            )

    async def stop(self) -> None:
        """Stop every task, one by one, the newest first."""
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            await asyncio.wait([task])


def _tell(on_failure: Callable[[Exception], None] | None, error: Exception) -> None:
    """A second defect in what mends the first must not end the task for good."""
    try:
        if on_failure is not None:
            on_failure(error)
    except Exception:
        log.exception("mending failed")
