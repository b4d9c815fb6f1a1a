"""The clock of a virtual loop: wall time that starts where one likes and may be stepped."""

from datetime import datetime, timedelta

from hil.virtual.loop import VirtualLoop


class VirtualClock:
    """Monotonic time of a `VirtualLoop`, wall time from `start` on; implements `Clock`."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start - timedelta(microseconds=loop.monotonic_ns() // 1_000)

    def monotonic_ns(self) -> int:
        return self._loop.monotonic_ns()

    def now(self) -> datetime:
        return self._start + timedelta(microseconds=self._loop.monotonic_ns() // 1_000)

    def step(self, by: timedelta) -> None:
        """Step the wall clock; the monotonic time goes on."""
        self._start += by
