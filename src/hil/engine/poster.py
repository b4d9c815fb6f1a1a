"""Takes the newest measurements at each posting period and sends what waits, oldest first."""

import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hil.domain.market import CallFailed, Failure, Sample
from hil.domain.plant import PlantId, Transport
from hil.domain.signals import COLUMNS, Row
from hil.domain.snapshot import PostingPlant, PostingState
from hil.engine.cadence import NS_PER_S, Bell, period_ns, wall_ns
from hil.engine.journal import Journal
from hil.engine.outbox import Batch, Outbox
from hil.ports import Clock

log = logging.getLogger(__name__)

BATCH_MAX = 500
# Refused one by one in a row: it is the series that is refused, and all that waits of the batch.
REFUSED_ONE_BY_ONE_MAX = 10
# An acknowledged sample is off the disk before the next call; a disk that hangs is waited for so.
DURABLE_WITHIN_S = 1.0
# The bell needs an instant: it is rung when something changes.
IDLE_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingPolicy:
    """When measurements are posted, and how failures are waited out; times in seconds."""

    transports: frozenset[Transport]
    period_s: float
    retry_initial_s: float
    retry_max_s: float
    error_backoff_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantSeries:
    """The API's series of a plant (None: not posted) and what SoC is a share of."""

    soc: int | None
    p: int | None
    q: int | None
    v: int | None
    capacity_kwh: float

    def samples(self, plant: PlantId, row: Row) -> tuple[Sample, ...]:
        """What is known of a measured row in the API's units: kWh, W, var and V of the POI."""
        measured = dict(zip(COLUMNS, row.values or (), strict=False))
        posted = (
            (self.soc, measured.get("soc_pu"), self.capacity_kwh),
            (self.p, measured.get("p_poi_kw"), 1000.0),
            (self.q, measured.get("q_poi_kvar"), 1000.0),
            (self.v, measured.get("v_poi_kV"), 1000.0),
        )
        return tuple(
            # To the nano of the unit: what is beyond is noise of binary fractions.
            Sample(plant=plant, series=series, at=row.at, value=round(value * scale, 9))
            for series, value, scale in posted
            if series is not None and value is not None
        )


@dataclass(slots=True)
class _Life:
    """What happened to one plant's samples in this run."""

    taken_at: datetime | None = None
    last_attempt: datetime | None = None
    last_success: datetime | None = None
    last_error: str | None = None


class Poster:
    """Fills and empties the outbox; dispatch and sampling never wait for it.

    Args:
        series: What is posted of which plant.
        post: Hands samples of one series to the API; raises `CallFailed`.
        measured: The newest row of a plant, as it is recorded.
        why_not: Why nothing is posted now; None when posting is in effect.
        draw: Gives the jitter of the back-off.
        on_change: Told when what `state` shows has changed.
    """

    def __init__(
        self,
        policy: PostingPolicy,
        series: Mapping[PlantId, PlantSeries],
        outbox: Outbox,
        journal: Journal,
        clock: Clock,
        *,
        post: Callable[[int, tuple[Sample, ...]], Awaitable[None]],
        measured: Callable[[PlantId], Row | None],
        why_not: Callable[[], str | None],
        draw: random.Random,
        on_change: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._series = series
        self._outbox = outbox
        self._journal = journal
        self._clock = clock
        self._post = post
        self._measured = measured
        self._why_not = why_not
        self._draw = draw
        self._on_change = on_change
        self._bell = Bell(clock)
        self._lives = {plant: _Life() for plant in series}
        self._not_before_ns = clock.monotonic_ns()
        self._wait_s = 0.0
        self._most: dict[int, int] = {}
        self._refused_one_by_one: dict[int, int] = {}

    def look_again(self) -> None:
        """Something that posting depends on has changed: a switch, or the connection."""
        self._bell.ring()

    def send_now(self) -> None:
        """Somebody has connected: no wait is left."""
        self._not_before_ns = self._clock.monotonic_ns()
        self._bell.ring()

    def state(self, *, enabled: bool) -> PostingState:
        """What is shown of posting."""
        why_not = self._why_not()
        return PostingState(
            enabled=enabled,
            effective=why_not is None,
            why_not=why_not,
            plants={plant: self._plant_state(plant) for plant in self._series},
        )

    def _plant_state(self, plant: PlantId) -> PostingPlant:
        life, counts = self._lives[plant], self._outbox.counts(plant)
        oldest_at = self._outbox.oldest_at(plant)
        age = None if oldest_at is None else (self._clock.now() - oldest_at).total_seconds()
        return PostingPlant(
            pending=self._outbox.pending(plant),
            oldest_age_s=None if age is None else max(age, 0.0),
            last_attempt=life.last_attempt,
            last_success=life.last_success,
            last_error=life.last_error,
            sent=counts.sent,
            dropped=counts.dropped,
            set_aside=counts.set_aside,
        )

    async def sample(self) -> None:
        """Take what is new at each whole multiple of the period, until cancelled."""
        bell = Bell(self._clock)
        period = period_ns(self._policy.period_s)
        while True:
            to_next_ns = period - wall_ns(self._clock.now()) % period
            await bell.wait_until(self._clock.monotonic_ns() + to_next_ns)
            if self._why_not() is None:
                self._take_new()

    def _take_new(self) -> None:
        samples: list[Sample] = []
        for plant, series in self._series.items():
            row, life = self._measured(plant), self._lives[plant]
            if row is not None and row.at != life.taken_at:
                life.taken_at = row.at
                samples += series.samples(plant, row)
        if samples:
            self._outbox.put(samples)
            self._bell.ring()
            self._on_change()

    async def send(self) -> None:
        """Send what waits while posting is in effect, until cancelled."""
        while True:
            now_ns = self._clock.monotonic_ns()
            if self._why_not() is not None or not self._outbox:
                await self._bell.wait_until(now_ns + int(IDLE_S * NS_PER_S))
            elif now_ns < self._not_before_ns:
                await self._bell.wait_until(self._not_before_ns)
            else:
                await self._send_oldest()
                self._on_change()

    async def _send_oldest(self) -> None:
        batch = self._outbox.oldest(most=lambda series: self._most.get(series, BATCH_MAX))
        assert batch is not None, "nothing waits"
        life = self._lives.setdefault(batch.samples[0].plant, _Life())
        life.last_attempt = self._clock.now()
        try:
            await self._post(batch.series, batch.samples)
        except CallFailed as failed:
            life.last_error = str(failed)
            if failed.failure is Failure.HOPELESS:
                self._narrow_down(batch, str(failed))
            else:
                self._back_off(failed)
            return
        life.last_success, life.last_error = self._clock.now(), None
        self._wait_s = 0.0
        self._refused_one_by_one.pop(batch.series, None)
        if batch.series in self._most:
            self._most[batch.series] = min(2 * self._most[batch.series], BATCH_MAX)
        self._outbox.acknowledge(batch)
        await self._journal.flush(DURABLE_WITHIN_S)

    def _back_off(self, failed: CallFailed) -> None:
        policy = self._policy
        doubled_s = max(2 * self._wait_s, policy.retry_initial_s)
        self._wait_s = min(doubled_s, policy.retry_max_s)
        # Half of the wait is drawn, so that many sites do not come back at the same instant.
        wait_s = self._wait_s * (0.5 + 0.5 * self._draw.random())
        if failed.failure is Failure.LOG_IN_REFUSED:
            wait_s = max(wait_s, policy.error_backoff_s)
        wait_s = max(wait_s, failed.retry_after_s or 0.0)
        self._not_before_ns = self._clock.monotonic_ns() + int(wait_s * NS_PER_S)
        log.warning("posting failed: %s; next attempt in %.0f s", failed, wait_s)

    def _narrow_down(self, batch: Batch, reason: str) -> None:
        """Send less of a refused batch next, until the sample that is refused stands alone."""
        series = batch.series
        if len(batch.samples) > 1 and self._refused_one_by_one.get(series, 0) == 0:
            self._most[series] = len(batch.samples) // 2
            return
        self._outbox.set_aside(batch, reason)
        log.error("posting: %d samples of series %d set aside: %s", len(batch.keys), series, reason)
        refused = self._refused_one_by_one.get(series, 0) + 1
        self._refused_one_by_one[series] = refused
        self._most[series] = 1 if refused < REFUSED_ONE_BY_ONE_MAX else BATCH_MAX
