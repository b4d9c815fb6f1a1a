"""Schedules as step functions of time."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hil.domain.plant import Source
from hil.domain.snapshot import Origin

# 10 GW or Gvar: beyond any plant, so that more is a slip of the pen; sums of squares stay finite.
MAX_POWER = 1e7


class Signal(StrEnum):
    """The two signals of a setpoint: active and reactive power."""

    P = "p"
    Q = "q"


@dataclass(frozen=True, slots=True)
class Series:
    """One signal over time: a value holds until the next; None is no setpoint from there on.

    `times` are aware UTC instants that strictly increase; before the first there is no setpoint.
    """

    times: tuple[datetime, ...] = ()
    values: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.times) == len(self.values), "one value a time"
        assert all(a < b for a, b in zip(self.times, self.times[1:], strict=False)), "times rise"

    def at(self, instant: datetime) -> float | None:
        """The value in force at the instant."""
        index = bisect_right(self.times, instant)
        return self.values[index - 1] if index else None

    def since(self, instant: datetime) -> datetime | None:
        """When the value in force at the instant began to hold."""
        index = bisect_right(self.times, instant)
        return self.times[index - 1] if index else None

    def next_change(self, instant: datetime) -> tuple[datetime, float | None] | None:
        """The first point after the instant."""
        index = bisect_right(self.times, instant)
        return (self.times[index], self.values[index]) if index < len(self.times) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePoint:
    """From `time` on these setpoints hold; None is no setpoint of that signal."""

    time: datetime
    p_kw: float | None
    q_kvar: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivePoint:
    """From `time` on these setpoints would be dispatched, and what they come from."""

    time: datetime
    p_kw: float
    q_kvar: float
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Active power in kW and reactive power in kvar, each with its own points."""

    p: Series = Series()
    q: Series = Series()

    def points(self) -> tuple[SchedulePoint, ...]:
        """Both signals on the union of their times."""
        times = sorted({*self.p.times, *self.q.times})
        return tuple(
            SchedulePoint(time=time, p_kw=self.p.at(time), q_kvar=self.q.at(time)) for time in times
        )

    @classmethod
    def from_points(
        cls, points: Iterable[SchedulePoint], *, end: datetime | None = None
    ) -> "Schedule":
        """The schedule with these points, in any order; after `end` there is no setpoint.

        The times must differ, and lie before `end`.
        """
        rows = sorted(points, key=lambda point: point.time)
        times = [row.time for row in rows]
        p: list[float | None] = [row.p_kw for row in rows]
        q: list[float | None] = [row.q_kvar for row in rows]
        if end is not None and rows:
            times, p, q = [*times, end], [*p, None], [*q, None]
        return cls(p=_without_repeats(times, p), q=_without_repeats(times, q))


def _without_repeats(times: list[datetime], values: list[float | None]) -> Series:
    kept: list[tuple[datetime, float | None]] = []
    for time, value in zip(times, values, strict=True):
        if value is not None or (kept and kept[-1][1] is not None):
            kept.append((time, value))
    return Series(tuple(time for time, _ in kept), tuple(value for _, value in kept))


def effective_points(
    base: Schedule,
    overrides: Mapping[Signal, Series],
    source: Source,
    *,
    start: datetime,
    end: datetime,
    stale_after_s: float | None = None,
) -> tuple[EffectivePoint, ...]:
    """What is asked for in `[start, end)`: one point at the start and one a change.

    An override replaces its signal where it has a value.

    Args:
        stale_after_s: A setpoint of the base holds no longer than this; None: until the next.
    """
    if stale_after_s is not None:
        base = Schedule(p=_expiring(base.p, stale_after_s), q=_expiring(base.q, stale_after_s))
    series = (base.p, base.q, *overrides.values())
    times = {start, *(time for one in series for time in one.times if start < time < end)}
    planned = Origin.API if source is Source.API else Origin.MANUAL
    points: list[EffectivePoint] = []
    for time in sorted(times):
        over = {signal: one.at(time) for signal, one in overrides.items()}
        p_kw = base.p.at(time) if over.get(Signal.P) is None else over[Signal.P]
        q_kvar = base.q.at(time) if over.get(Signal.Q) is None else over[Signal.Q]
        origin = planned
        if any(value is not None for value in over.values()):
            origin = Origin.OVERRIDE
        elif p_kw is None and q_kvar is None:
            origin = Origin.NONE if source is Source.MANUAL else Origin.STALE
        point = EffectivePoint(time=time, p_kw=p_kw or 0.0, q_kvar=q_kvar or 0.0, origin=origin)
        if not points or replace(points[-1], time=time) != point:
            points.append(point)
    return tuple(points)


def _expiring(series: Series, after_s: float) -> Series:
    """The series with an end after each point that no other one follows in time."""
    after = timedelta(seconds=after_s)
    points: list[tuple[datetime, float | None]] = []
    for index, (time, value) in enumerate(zip(series.times, series.values, strict=True)):
        points.append((time, value))
        is_last = index + 1 == len(series.times)
        if value is not None and (is_last or series.times[index + 1] > time + after):
            points.append((time + after, None))
    return Series(tuple(time for time, _ in points), tuple(value for _, value in points))
