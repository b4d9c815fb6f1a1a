"""What callers pass in paths, queries and bodies, checked and in the domain's types."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema
from pydantic.dataclasses import dataclass as checked_dataclass

from hil.domain.errors import InvalidInput, Problem
from hil.domain.log_line import LogLevel
from hil.domain.plant import PlantId, Source, Transport
from hil.domain.schedule import MAX_POWER, Schedule, SchedulePoint, Series
from hil.web.guard import CALLER
from hil.web.problem import Refused
from hil.web.stream import Selection

# Instants outside are mistakes, and near the ends of the calendar their arithmetic overflows.
YEARS = range(1970, 2201)
# A leap year; more is asked for in parts.
MAX_RANGE = timedelta(days=366)
MAX_BUCKETS = 20_000
MAX_DURATION_H = 24 * 31
MAX_SEED = 2**53 - 1  # what JSON clients hold exactly
MAX_PASSWORD = 1000
MAX_NOTE = 500  # a few sentences; it is kept with the audit trail and shown in a list

_SPACE_FOR_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


def instant(value: Any) -> datetime:
    """An ISO 8601 time with an offset as UTC; raises ValueError with what to do."""
    if not isinstance(value, str):
        raise ValueError("write a time as text, such as 2026-01-15T12:00:00Z")
    try:
        # "+" arrives as a space from a query that was not encoded.
        time = datetime.fromisoformat(_SPACE_FOR_PLUS.sub("+", value))
    except ValueError:
        raise ValueError(f"{value[:40]!r} is no time, such as 2026-01-15T12:00:00Z") from None
    if time.tzinfo is None:
        raise ValueError(f"{value[:40]!r} has no offset; add Z or one such as +01:00")
    if time.year not in YEARS[1:-1]:
        raise ValueError(f"{value[:40]!r} is not within {YEARS[1]} to {YEARS[-2]}")
    return time.astimezone(UTC)


Instant = Annotated[
    datetime,
    PlainValidator(instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-15T12:00:00Z"]}),
]


def calendar_day(value: Any) -> date:
    """A date such as 2026-01-15; raises ValueError with what to do."""
    try:
        if isinstance(value, str) and len(value) == len("2026-01-15"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError(f"{str(value)[:40]!r} is no date, such as 2026-01-15")


Day = Annotated[
    date,
    PlainValidator(calendar_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-01-15"]}),
]
Power = Annotated[float, Field(ge=-MAX_POWER, le=MAX_POWER, allow_inf_nan=False)]

CHECKED = ConfigDict(extra="forbid")


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class PointBody:
    """From `time` on these setpoints hold; null is no setpoint of that signal."""

    time: Instant
    p_kw: Power | None = None
    q_kvar: Power | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class ManualBody:
    """A manual schedule; after `end` there is no setpoint, null: the last point holds on."""

    points: list[PointBody]
    end: Instant | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class RandomBody:
    """A random schedule: the same seed gives the same points."""

    start: Instant
    duration_h: Annotated[float, Field(gt=0, le=MAX_DURATION_H, allow_inf_nan=False)]
    resolution_min: Annotated[float, Field(gt=0, le=MAX_DURATION_H * 60, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]


Note = Annotated[str, Field(max_length=MAX_NOTE)]


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class OverridePointBody:
    """From `time` on this value holds, in kW or kvar."""

    time: Instant
    value: Power


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class OverrideBody:
    """An override of one signal until `end`; null: until it is removed.

    `active` is accepted, so that an answer can be sent back, and ignored: the points decide.
    """

    points: list[OverridePointBody]
    end: Instant | None = None
    active: bool | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class SourceBody:
    """Where the base schedule shall come from."""

    source: Source


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class TransportBody:
    """Which endpoints shall be spoken to; `force`: also when a safe stop fails."""

    transport: Transport
    force: bool = False


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class PostingBody:
    """Whether measurements shall be posted."""

    enabled: bool


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class ConnectionBody:
    """The password of the market API, held in memory only; null: the one that is held."""

    password: Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)] | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class ServiceBody:
    """Whether the plant shall be in service, and why."""

    in_service: bool
    note: Note | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class AckBody:
    """What the person who acknowledges has to say."""

    note: Note | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class SmokeBody:
    """Whether zero is written and read back, and whether the frames are shown.

    `device` is the further device to check; null: the plant's own server.
    """

    write_zero: bool = False
    trace: bool = False
    device: str | None = None


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class LogLevelBody:
    """The least severe level that shall be logged."""

    level: LogLevel


MANUAL_BODY = TypeAdapter(ManualBody)
RANDOM_BODY = TypeAdapter(RandomBody)
OVERRIDE_BODY = TypeAdapter(OverrideBody)
SOURCE_BODY = TypeAdapter(SourceBody)
TRANSPORT_BODY = TypeAdapter(TransportBody)
POSTING_BODY = TypeAdapter(PostingBody)
CONNECTION_BODY = TypeAdapter(ConnectionBody)
SERVICE_BODY = TypeAdapter(ServiceBody)
ACK_BODY = TypeAdapter(AckBody)
SMOKE_BODY = TypeAdapter(SmokeBody)
LOG_LEVEL_BODY = TypeAdapter(LogLevelBody)


def schedule_of(body: ManualBody) -> Schedule:
    """The schedule asked for; raises `InvalidInput` for times that coincide or pass the end."""
    return schedule_of_points(body.points, body.end)


def schedule_of_points(given: Sequence[PointBody], end: datetime | None) -> Schedule:
    """The schedule of these points, as `schedule_of`."""
    _check_times([point.time for point in given], end, "schedule")
    points = (SchedulePoint(time=p.time, p_kw=p.p_kw, q_kvar=p.q_kvar) for p in given)
    return Schedule.from_points(points, end=end)


def override_of(body: OverrideBody) -> Series:
    """The override asked for; raises `InvalidInput` for times that coincide or pass the end."""
    _check_times([point.time for point in body.points], body.end, "override")
    rows: list[tuple[datetime, float | None]] = sorted((p.time, p.value) for p in body.points)
    if rows and body.end is not None:
        rows.append((body.end, None))
    return Series(tuple(time for time, _ in rows), tuple(value for _, value in rows))


def _check_times(times: list[datetime], end: datetime | None, name: str) -> None:
    problems = []
    seen: set[datetime] = set()
    for index, time in enumerate(times):
        where = f"points.{index}.time"
        if time in seen:
            problems.append(Problem(where=where, why="the same time as an earlier point"))
        if end is not None and time >= end:
            problems.append(Problem(where=where, why="not before the end"))
        seen.add(time)
    if problems:
        raise InvalidInput(f"The points of the {name} contradict each other.", problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualSchedule:
    """A manual schedule; after `end` there is no setpoint, null: the last point holds on."""

    points: tuple[SchedulePoint, ...]
    end: datetime | None

    @classmethod
    def of(cls, schedule: Schedule) -> "ManualSchedule":
        """The schedule as it is shown; its closing point, where nothing holds, becomes `end`."""
        points = schedule.points()
        if points and points[-1].p_kw is None and points[-1].q_kvar is None:
            return cls(points=points[:-1], end=points[-1].time)
        return cls(points=points, end=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSchedule:
    """A manual schedule as it is after loading; `notes` are sentences on what was loaded."""

    points: tuple[SchedulePoint, ...]
    end: datetime | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, schedule: ManualSchedule, notes: tuple[str, ...]) -> "LoadedSchedule":
        """The schedule with these notes."""
        return cls(points=schedule.points, end=schedule.end, notes=notes)


async def caller(request: Request) -> str:
    """Who is asking, as the guard found."""
    name = request.scope[CALLER]
    assert isinstance(name, str)
    return name


async def selection(
    plants: Annotated[str | None, Query(description="Ids with commas between; all by default.")] = (
        None
    ),
) -> Selection:
    """The plants named in the query; None is all of them."""
    if plants is None:
        return None
    return frozenset(PlantId(name.strip()) for name in plants.split(",") if name.strip()) or None


@dataclass(frozen=True, slots=True)
class Range:
    """Instants from `start` on and before `end`."""

    start: datetime
    end: datetime


async def time_range(start: Annotated[Instant, Query()], end: Annotated[Instant, Query()]) -> Range:
    """The range of a query; raises `InvalidInput` when it is empty or too long."""
    if start >= end:
        raise InvalidInput("The end must be after the start.")
    if end - start > MAX_RANGE:
        raise InvalidInput(f"Ask for at most {MAX_RANGE.days} days at a time.")
    return Range(start, end)


def if_match(request: Request, present: str) -> str | None:
    """The version that the caller wants to replace; None when any will do.

    A list that names the present version means that one, else its first is sure to conflict.

    Args:
        present: The ETag of the version in force.
    """
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = [tag.strip() for tag in header.split(",")]
    if not all(re.fullmatch(r'"[\x21\x23-\x7e\x80-\xff]*"', tag) for tag in tags):
        raise Refused(400, 'If-Match must be "*" or an ETag in quotes, as a GET gives it.')
    bare = [tag.strip('"') for tag in tags]
    return present if present in bare else bare[0]


# Coroutines: an ordinary function would be called in a thread, and have the loop wait for it.
Caller = Annotated[str, Depends(caller)]
Plants = Annotated[Selection, Depends(selection)]
TimeRange = Annotated[Range, Depends(time_range)]
