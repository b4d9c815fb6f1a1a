"""The plans that have come from the market API: today's and tomorrow's, kept over a restart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from hil.domain.market import DeliveryDays, Setpoints, as_series, merged
from hil.domain.plant import PlantId
from hil.domain.schedule import MAX_POWER, Schedule, Series
from hil.domain.snapshot import ScheduleDay
from hil.engine.journal import Journal

_PREFIX = "plan/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPoint:
    """One setpoint of a plan."""

    at: datetime
    p_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """What has come of one site day."""

    day: date
    points: dict[PlantId, tuple[StoredPoint, ...]]


class MarketPlans:
    """Setpoints of every plant by site day; what has come is dispatched, complete or not."""

    def __init__(self, plants: Sequence[PlantId], days: DeliveryDays, journal: Journal) -> None:
        self._plants = tuple(plants)
        self._days = days
        self._journal = journal
        self._setpoints: dict[date, dict[PlantId, dict[datetime, float]]] = {
            stored.day: {
                plant: {point.at: point.p_kw for point in points}
                for plant, points in stored.points.items()
            }
            for stored in journal.all(_PREFIX, StoredPlan).values()
        }
        # What follows from the setpoints, until they change.
        self._bases: dict[PlantId, Schedule] = {}
        self._shown: dict[date, ScheduleDay] = {}

    def base(self, plant: PlantId) -> Schedule:
        """The plan of a plant; reactive power is not scheduled by the market: it is 0."""
        found = self._bases.get(plant)
        if found is None:
            days = [self._setpoints[day].get(plant, {}) for day in sorted(self._setpoints)]
            p = as_series(days)
            found = self._bases[plant] = Schedule(p=p, q=Series(p.times, (0.0,) * len(p.times)))
        return found

    def lay(self, day: date, come: Setpoints) -> None:
        """Take up what has come of a day: finite setpoints of its own periods."""
        periods = set(self._days.periods(day))
        own = {
            plant: {
                at: value
                for at, value in come.get(plant, {}).items()
                if at in periods and abs(value) <= MAX_POWER  # nor is NaN
            }
            for plant in self._plants
        }
        held = self._setpoints.get(day, {})
        laid = merged(held, own)
        if laid == held:
            return
        self._setpoints[day] = laid
        self._forget_what_follows()
        points = {
            plant: tuple(StoredPoint(at=at, p_kw=p_kw) for at, p_kw in sorted(values.items()))
            for plant, values in laid.items()
        }
        self._journal.put(f"{_PREFIX}{day}", StoredPlan(day=day, points=points))

    def drop_before(self, day: date) -> None:
        """Forget the days before this one."""
        for past in [held for held in self._setpoints if held < day]:
            del self._setpoints[past]
            self._forget_what_follows()
            self._journal.remove(f"{_PREFIX}{past}")

    def is_complete(self, day: date) -> bool:
        """Whether every period of every plant has come."""
        return self.shown(day).complete

    def shown(self, day: date) -> ScheduleDay:
        """How much of a day has come."""
        if day not in self._shown:
            self._shown[day] = self._looked_at(day)
        return self._shown[day]

    def _looked_at(self, day: date) -> ScheduleDay:
        periods = self._days.periods(day)
        held = self._setpoints.get(day, {})
        known = {plant: held.get(plant, {}) for plant in self._plants}
        missing = {plant: self._days.missing(day, own) for plant, own in known.items()}
        lacking = {plant: ranges for plant, ranges in missing.items() if ranges}
        return ScheduleDay(
            date=day,
            points=sum(all(at in own for own in known.values()) for at in periods),
            expected=len(periods),
            complete=not lacking,
            missing=lacking if any(known.values()) else {},
        )

    def _forget_what_follows(self) -> None:
        self._bases.clear()
        self._shown.clear()
