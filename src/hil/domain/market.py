"""The market API as the engine sees it: days of a plan, samples to post, why a call failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from hil.domain.errors import HilError
from hil.domain.plant import PlantId
from hil.domain.schedule import Series
from hil.domain.site_day import day_range, site_day

# What a source gives: setpoints in kW by plant and by the UTC start of their delivery period.
Setpoints = Mapping[PlantId, Mapping[datetime, float]]
Range = tuple[datetime, datetime]


class Failure(StrEnum):
    """What a failed call means for the next one."""

    LOG_IN_REFUSED = "log_in_refused"  # not repeated before the error back-off: accounts are locked
    TRANSIENT = "transient"  # time-out, 5xx, 429, no connection, no sense: try again later
    HOPELESS = "hopeless"  # the same call can't succeed


class CallFailed(HilError):
    """A call to the market API that brought nothing; the text is for a person.

    Args:
        retry_after_s: What the service asks to wait, if it asks.
    """

    def __init__(self, text: str, failure: Failure, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.failure = failure
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement to post: `value` in the API's unit (kWh, W, var or V) at the POI."""

    plant: PlantId
    series: int
    at: datetime
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDays:
    """The site days of a market: how long a delivery period is, and when a day is asked for.

    Args:
        period: Length of a delivery period; it divides every hour.
        tomorrow_from: Site time from which tomorrow is asked for.
    """

    zone: ZoneInfo
    period: timedelta
    tomorrow_from: time

    def periods(self, day: date) -> tuple[datetime, ...]:
        """The UTC starts of a day's delivery periods: 92, 96 or 100 of a quarter of an hour."""
        return _periods(day, self.zone, self.period)

    def today(self, now: datetime) -> date:
        """The site day of an instant."""
        return site_day(now, self.zone)

    def tomorrow(self, now: datetime) -> date:
        """The site day after it."""
        return self.today(now) + timedelta(days=1)

    def wanted(self, now: datetime) -> tuple[date, ...]:
        """The days whose plan is wanted by now: today, and tomorrow from its time on."""
        if now.astimezone(self.zone).time() >= self.tomorrow_from:
            return self.today(now), self.tomorrow(now)
        return (self.today(now),)

    def missing(self, day: date, setpoints: Mapping[datetime, float]) -> tuple[Range, ...]:
        """The ranges `[start, end)` of a day without a setpoint, neighbours merged."""
        ranges: list[Range] = []
        for start in self.periods(day):
            if start in setpoints:
                continue
            is_next = bool(ranges) and ranges[-1][1] == start
            begin = ranges.pop()[0] if is_next else start
            ranges.append((begin, start + self.period))
        return tuple(ranges)


@lru_cache(maxsize=16)
def _periods(day: date, zone: ZoneInfo, period: timedelta) -> tuple[datetime, ...]:
    start, end = day_range(day, zone)
    return tuple(start + k * period for k in range(-((start - end) // period)))


def merged(held: Setpoints, come: Setpoints) -> dict[PlantId, dict[datetime, float]]:
    """What is held with what has come laid over it: a period that is not told again stays."""
    plants = dict.fromkeys([*held, *come])
    return {plant: {**held.get(plant, {}), **come.get(plant, {})} for plant in plants}


def as_series(setpoints: Iterable[Mapping[datetime, float]]) -> Series:
    """The setpoints of several days as one step function; of a period told twice the later one."""
    points = sorted({at: value for day in setpoints for at, value in day.items()}.items())
    return Series(tuple(at for at, _ in points), tuple(value for _, value in points))
