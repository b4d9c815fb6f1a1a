"""Recording sessions: who recorded what, from when to when, how it ended, what was noted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hil.domain.plant import PlantId, Source, Transport
from hil.domain.signals import Row
from hil.domain.snapshot import LatencyState

CONTINUED = ", continued"


class ExitStatus(StrEnum):
    """How a session ended; an emergency stop outlasts whatever ends the session after it."""

    DONE = "done"  # somebody ended it, or it goes on in another session
    ESTOP = "estop"
    ABORTED = "aborted"  # the engine was shut down meanwhile
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A note at an instant of the session."""

    at: datetime
    text: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """Rows with values: taken, not left out by compression, and of these never written."""

    measured: int = 0
    kept: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The document of a recording session.

    `file` holds its first row. `who` began it and `ended_by` ended it, for `reason`. `end` None: it
    is under way, or its last rows are not on disk yet. `exit_status` is known before the end when
    an emergency stop or a shutdown came. `first` and `last` are the times of rows, None before
    there are any. `latency_ms` is of the setpoints written meanwhile, None before the end and after
    a crash. `continues` is the uid of the session before a step of the clock or a restart.
    """

    uid: str
    name: str
    note: str | None = None
    plant: PlantId
    file: str
    source: Source
    transport: Transport
    config_hash: str
    version: str
    who: str
    start: datetime
    end: datetime | None = None
    exit_status: ExitStatus | None = None
    reason: str | None = None
    ended_by: str | None = None
    continues: str | None = None
    first: datetime | None = None
    last: datetime | None = None
    counts: RowCounts = field(default_factory=RowCounts)
    latency_ms: LatencyState | None = None
    markers: tuple[Marker, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What is known of a session when it begins."""

    name: str
    source: Source
    transport: Transport
    who: str
    continues: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why a session ends, in one sentence, and who ended it."""

    status: ExitStatus
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRows:
    """What would be lost of an open session with the process: kept beside its document.

    `held` is the row that compression holds back. `period_s` is the time between two rows.
    """

    period_s: float
    counts: RowCounts
    first: datetime | None
    last: datetime | None
    held: Row | None


@dataclass(frozen=True, slots=True)
class NewestRow:
    """The last row of a plant's recordings."""

    at: datetime
    is_boundary: bool


def continued(name: str) -> str:
    """The name of the session that goes on where one of this name was cut."""
    return name if name.endswith(CONTINUED) else name + CONTINUED


def ended(session: Session, ending: Ending) -> Session:
    """The session with how it ended; an emergency stop before stays its status and reason."""
    if session.exit_status is ExitStatus.ESTOP:
        return session
    return replace(session, exit_status=ending.status, reason=ending.reason, ended_by=ending.by)


def closing_rows(
    newest: NewestRow | None, held: Row | None, *, gap: timedelta, before: datetime | None
) -> Sequence[Row]:
    """What is to be appended to close a session that was left open: held row and boundary.

    Args:
        newest: What the files end with.
        gap: Between the last row and its boundary.
        before: The first row after the session, None where there is none: the boundary is not
            later.
    """
    rows: list[Row] = []
    if held is not None and (newest is None or newest.at < held.at):
        rows.append(held)
        newest = NewestRow(held.at, is_boundary=False)
    if newest is not None and not newest.is_boundary:
        at = newest.at + gap
        rows.append(Row(at if before is None else min(at, before), None))
    return rows


def closed(
    session: Session, rows: OpenRows | None, added: Sequence[Row], newest: NewestRow | None
) -> Session:
    """The document of a session that was left open, ended with its last row.

    Args:
        rows: How it stood when that was last kept.
        added: What is appended to close it.
        newest: What the files ended with before.
    """
    times = [row.at for row in added if row.values is not None]
    if newest is not None and not newest.is_boundary and newest.at >= session.start:
        times.append(newest.at)
    if rows is not None and rows.last is not None:
        times.append(rows.last)
    counts = session.counts if rows is None else rows.counts
    held = sum(row.values is not None for row in added)
    return replace(
        session,
        end=max([session.start, *times]),
        first=None if rows is None else rows.first,
        last=max(times, default=None),
        counts=replace(counts, kept=counts.kept + held),
    )
