"""A market whose calls are answered by script, on virtual time."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from hil.domain.market import CallFailed, DeliveryDays, Failure, Sample, Setpoints
from hil.domain.plant import PlantId, Transport
from hil.engine.fetcher import FetchPolicy
from hil.engine.market import MarketAccess, MarketSettings
from hil.engine.poster import PlantSeries, PostingPolicy

ANSWERS_AFTER_S = 0.3
LIB = PlantId("lib")
DAYS = DeliveryDays(
    zone=ZoneInfo("Europe/Madrid"), period=timedelta(minutes=15), tomorrow_from=time(15)
)
MARKET = MarketSettings(
    fetch=FetchPolicy(days=DAYS, poll_period_s=120, error_backoff_s=30),
    posting=PostingPolicy(
        transports=frozenset({Transport.LOCAL}),
        period_s=60,
        retry_initial_s=2,
        retry_max_s=60,
        error_backoff_s=30,
    ),
    queue_max=1000,
    series={LIB: PlantSeries(soc=4, p=6, q=7, v=8, capacity_kwh=500)},
    connects_at_start=True,
)


class FakeSource:
    """Implements `ScheduleSource` and `MeasurementSink`.

    `plan` is what there is; of `failures`, one is raised by each call, in order, before any call
    succeeds. `refuses` are sample values that are never taken.
    """

    def __init__(self) -> None:
        self.plan: dict[str, Mapping[datetime, float]] = {}
        self.failures: list[CallFailed] = []
        self.refuses: set[float] = set()
        self.asked: list[tuple[float, datetime]] = []
        self.posted: list[tuple[float, int, int]] = []
        self.taken: list[Sample] = []
        self.passwords: list[str | None] = []

    async def _answer(self) -> None:
        await asyncio.sleep(ANSWERS_AFTER_S)
        if self.failures:
            raise self.failures.pop(0)

    async def log_in(self, password: str | None) -> None:
        self.passwords.append(password)
        await self._answer()

    async def log_out(self) -> None:
        self.passwords.clear()

    async def setpoints(self, periods: Sequence[datetime]) -> Setpoints:
        self.asked.append((_now_s(), periods[0]))
        await self._answer()
        return {
            PlantId(plant): {at: values[at] for at in periods if at in values}
            for plant, values in self.plan.items()
        }

    async def post(self, series: int, samples: Sequence[Sample]) -> None:
        self.posted.append((_now_s(), series, len(samples)))
        await self._answer()
        if any(sample.value in self.refuses for sample in samples):
            raise CallFailed("422: not a measurement", Failure.HOPELESS)
        self.taken += samples

    async def close(self) -> None:
        """Nothing is open."""


def market_access(source: FakeSource, settings: MarketSettings = MARKET) -> MarketAccess:
    return MarketAccess(settings=settings, source=source, draw=random.Random(1))


def transient(retry_after_s: float | None = None) -> CallFailed:
    return CallFailed("503: try again", Failure.TRANSIENT, retry_after_s=retry_after_s)


def log_in_refused() -> CallFailed:
    return CallFailed("the password is wrong", Failure.LOG_IN_REFUSED)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
