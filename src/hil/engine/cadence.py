"""Steps at whole multiples of a period since the UTC epoch, waited for on the monotonic clock."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hil.ports import Clock

NS_PER_S = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The wall clock may be slewed by less than this without the steps taking notice.
JUMP_NS = NS_PER_S // 2


def wall_ns(instant: datetime) -> int:
    """Nanoseconds since the UTC epoch, exact to the microsecond."""
    since = instant - EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def instant(ns: int) -> datetime:
    """The aware UTC datetime of these nanoseconds since the epoch, cut to the microsecond."""
    return EPOCH + timedelta(microseconds=ns // 1_000)


def period_ns(period_s: float) -> int:
    """A configured period as a whole number of nanoseconds."""
    return round(period_s * 1_000) * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What falls due now.

    `dispatch_at` and `measure_at` are the wall times of the steps (None: not due), `due_ns` the
    earlier of the two on the monotonic clock, `missed` the dispatch steps passed over.
    """

    due_ns: int
    dispatch_at: datetime | None
    measure_at: datetime | None
    missed: int


class Cadence:
    """The dispatch and measurement steps of one plant.

    At most one attempt a step; after a late wake-up the newest due step is taken and the older
    ones are counted as missed. The pair that maps wall time to the monotonic clock stays until
    `anchor` is called again, whatever the wall clock does.

    Args:
        phase_ns: Shift of all steps, so that many plants do not ask at the same instant.
    """

    def __init__(
        self, clock: Clock, *, dispatch_ns: int, measurement_ns: int, phase_ns: int = 0
    ) -> None:
        self._clock = clock
        self._dispatch = _Grid(dispatch_ns, phase_ns)
        self._measurement = _Grid(measurement_ns, phase_ns)
        self.dispatch_ns = dispatch_ns
        self.measurement_ns = measurement_ns
        self.anchor()

    def anchor(self) -> None:
        """Take the present pair of wall and monotonic time; steps before now are not made up."""
        mono_ns = self._clock.monotonic_ns()
        self._offset_ns = wall_ns(self._clock.now()) - mono_ns
        for grid in (self._dispatch, self._measurement):
            grid.start(mono_ns + self._offset_ns)

    def jump_ns(self) -> int:
        """How far the wall clock is from the anchored pair; 0 within what slewing does."""
        drift_ns = wall_ns(self._clock.now()) - (self._clock.monotonic_ns() + self._offset_ns)
        return drift_ns if abs(drift_ns) > JUMP_NS else 0

    def next_due_ns(self) -> int:
        """The monotonic instant of the next step."""
        return min(self._dispatch.next_ns, self._measurement.next_ns) - self._offset_ns

    def take(self) -> Step | None:
        """What is due; None when it is too early."""
        now_ns = self._clock.monotonic_ns() + self._offset_ns
        dispatch = self._dispatch.take(now_ns)
        measure = self._measurement.take(now_ns)
        if dispatch is None and measure is None:
            return None
        due_ns = min(taken[0] for taken in (dispatch, measure) if taken is not None)
        return Step(
            due_ns=due_ns - self._offset_ns,
            dispatch_at=None if dispatch is None else instant(dispatch[0]),
            measure_at=None if measure is None else instant(measure[0]),
            missed=0 if dispatch is None else dispatch[1],
        )


class _Grid:
    """Whole multiples of one period; all in wall nanoseconds of the anchored pair."""

    def __init__(self, period_ns: int, phase_ns: int) -> None:
        assert period_ns > 0, period_ns
        self._period_ns = period_ns
        self._phase_ns = phase_ns % period_ns
        self.next_ns = 0

    def start(self, now_ns: int) -> None:
        """The first step is the first one at or after now."""
        self.next_ns = self._floor(now_ns - 1) + self._period_ns

    def take(self, now_ns: int) -> tuple[int, int] | None:
        """The newest due step and how many older ones were passed over."""
        if now_ns < self.next_ns:
            return None
        newest_ns = self._floor(now_ns)
        missed = (newest_ns - self.next_ns) // self._period_ns
        self.next_ns = newest_ns + self._period_ns
        return newest_ns, missed

    def _floor(self, at_ns: int) -> int:
        return (at_ns - self._phase_ns) // self._period_ns * self._period_ns + self._phase_ns


class Bell:
    """Wakes its one waiter at an instant, or earlier when it is rung."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the waiter now, or the next one at once."""
        self._rung = True
        self._wake()

    async def wait_until(self, due_ns: int) -> None:
        """Return at this monotonic instant, or when the bell is rung."""
        if not self._rung and (wait_ns := due_ns - self._clock.monotonic_ns()) > 0:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(wait_ns / NS_PER_S, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._rung = False

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
