"""What may be asked of a running engine and its files: Protocols, and the values they give."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from hil.domain.commands import Command, CommandKind
from hil.domain.downsample import Buckets, Grid
from hil.domain.faults import Fault, FaultKind
from hil.domain.feasibility import Forecast
from hil.domain.log_line import LogLevel, LogPage
from hil.domain.plant import PlantId
from hil.domain.schedule import EffectivePoint, Schedule, Series, Signal
from hil.domain.session import Session
from hil.domain.smoke_report import Reading, SmokeReport
from hil.domain.snapshot import Alarm, ScheduleApiState, Snapshot
from hil.ports import PlantLink


@dataclass(frozen=True, slots=True)
class Versioned:
    """A manual schedule and the version that `If-Match` compares."""

    schedule: Schedule
    etag: str


@dataclass(frozen=True, slots=True)
class VersionedOverride:
    """An override of one signal and its version; without points there is none.

    `is_active`: it replaces the base schedule at this moment.
    """

    series: Series
    etag: str
    is_active: bool


class EngineApi(Protocol):
    """What the web and the command line may ask of a running engine.

    Plants are named by their id; an unknown one raises `NotFound`.
    """

    def snapshot(self) -> Snapshot:
        """The present picture, from memory."""
        ...

    async def changed(self, after_seq: int) -> None:
        """Return once the picture is newer than `after_seq`."""
        ...

    def submit(
        self,
        kind: CommandKind,
        plant: PlantId | None,
        *,
        by: str,
        asked: dict[str, Any] | None = None,
    ) -> Command:
        """Queue a command and return it at once.

        Args:
            asked: What comes with it, as in `Command.asked`.

        Raises:
            Impossible: It contradicts the present state.
            QueueFull: The plant's queue is full.
        """
        ...

    def command(self, command_id: str) -> Command:
        """The present state of one command; raises `NotFound`."""
        ...

    def commands(self) -> tuple[Command, ...]:
        """The audit trail, newest first."""
        ...

    def effective_schedule(
        self, plant: PlantId, start: datetime, end: datetime
    ) -> tuple[EffectivePoint, ...]:
        """What would be dispatched in `[start, end)`, one point a change."""
        ...

    def manual_schedule(self, plant: PlantId) -> Versioned:
        """The manual schedule in force."""
        ...

    async def put_manual_schedule(
        self, plant: PlantId, schedule: Schedule, *, by: str, if_match: str | None = None
    ) -> Versioned:
        """Replace the manual schedule at once and whole; raises `EditConflict`.

        In force at once; returns when it is durable, or after a second when it cannot be.
        """
        ...

    def override(self, plant: PlantId, signal: Signal) -> VersionedOverride:
        """The override of a signal."""
        ...

    async def put_override(
        self,
        plant: PlantId,
        signal: Signal,
        series: Series,
        *,
        by: str,
        if_match: str | None = None,
    ) -> VersionedOverride:
        """Replace the override of a signal (no points: remove it), as `put_manual_schedule`."""
        ...

    def api_schedule(self, plant: PlantId) -> Schedule:
        """The market's plan of a plant, as much of it as has come."""
        ...

    async def connect_schedule_api(self, password: str | None, *, by: str) -> ScheduleApiState:
        """Connect to the market API, with the password held in memory when none is given.

        Raises:
            Impossible: There is no market API, or the log-in failed; it is wanted from now on.
        """
        ...

    async def disconnect_schedule_api(self, *, by: str) -> ScheduleApiState:
        """Disconnect and forget the password; raises `Impossible` without a market API."""
        ...

    async def acknowledge(self, alarm_id: str, *, by: str, note: str | None) -> Alarm:
        """Acknowledge an alarm; raises `NotFound`."""
        ...

    async def set_fault(
        self, plant: PlantId, faults: Sequence[Fault], *, by: str
    ) -> tuple[Fault, ...]:
        """Let the emulated plant show these too; all that are active now.

        Raises:
            Impossible: The transport is not local, or nothing is emulated.
            HilError: The emulated plant cannot be reached.
        """
        ...

    async def clear_fault(
        self, plant: PlantId, kinds: Sequence[FaultKind], *, by: str
    ) -> tuple[Fault, ...]:
        """End these faults of the emulated plant, as `set_fault`."""
        ...


class FeasibilityApi(Protocol):
    """What will become of schedules; it changes nothing, and any may ask."""

    async def check(
        self, plant: PlantId, schedule: Schedule | None, *, soc_pu: float | None
    ) -> Forecast:
        """Forecast a schedule, off the loop.

        From its first point or now, whichever is later, to where nothing holds any more, and for
        48 h at most.

        Args:
            schedule: Checked by itself. None: what would be dispatched from now on.
            soc_pu: The state of charge at the beginning, 0..1. None: the one measured now.

        Raises:
            InvalidInput: The schedule has ended, or has no points.
            Impossible: The state of charge is not known.
            QueueFull: Too many others are checking.
        """
        ...


class Recent(Protocol):
    """What was measured lately, in memory; every plant is known."""

    def since(self, plant: PlantId) -> datetime | None:
        """From when on everything that was measured is here; None when nothing is."""
        ...

    def count(self, plant: PlantId, start: datetime, end: datetime) -> tuple[int, int]:
        """How many rows and how many gaps `[start, end)` has."""
        ...

    def cut(
        self, plant: PlantId, start: datetime, end: datetime, grid: Grid
    ) -> Callable[[], Buckets]:
        """What makes the buckets of `[start, end)`, of a copy and so in any thread."""
        ...


class ExportForm(StrEnum):
    """The kinds of file that a range can be had as."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way to a client; `length` None: not known before its end."""

    name: str
    media_type: str
    length: int | None
    chunks: AsyncIterator[bytes]


class HistoryApi(Protocol):
    """What was measured and recorded; an unknown plant raises `NotFound`.

    What has to be read and cannot be, or takes too long, raises HilError; `QueueFull` when too
    many ask at once.
    """

    async def measurements(
        self, plant: PlantId, start: datetime, end: datetime, *, points: int
    ) -> bytes:
        """The signals of `[start, end)` in at most `points` buckets: `Buckets` as JSON.

        Raises:
            InvalidInput: Fewer than 2 points, or a range that is empty.
        """
        ...

    async def recordings(
        self, plant: PlantId | None, first: date | None, last: date | None
    ) -> bytes:
        """The daily files of a plant, None: of all, and of the days `[first, last]`, as JSON."""
        ...

    async def recording(self, name: str) -> Download:
        """One daily file as it is; raises `NotFound`."""
        ...

    async def export(
        self, plant: PlantId, start: datetime, end: datetime, form: ExportForm, *, is_numeric: bool
    ) -> Download:
        """The recorded rows of `[start, end)`, as many as there are.

        Args:
            is_numeric: Of a CSV: with a leading column of the seconds since the epoch.
        """
        ...


class SessionsApi(Protocol):
    """The documents of recording sessions; an unknown uid raises `NotFound`."""

    def listed(self, plant: PlantId | None, limit: int) -> tuple[Session, ...]:
        """The newest sessions, newest first; of all plants with None."""
        ...

    def session(self, uid: str) -> Session:
        """One document, its counts as of the last flush."""
        ...

    async def edit(self, uid: str, *, name: str, note: str | None, by: str) -> Session:
        """Replace name and note; returns when that is durable, or after a second."""
        ...

    async def mark(self, uid: str, text: str, *, by: str) -> Session:
        """Add a marker at this moment, as `edit`; raises `Impossible` after the end."""
        ...


class Lender(Protocol):
    """A running engine as who checks its plants sees it."""

    def snapshot(self) -> Snapshot:
        """The present picture, from memory."""
        ...

    def lend(self, plant: PlantId, device: str | None = None) -> PlantLink:
        """The link to the plant, used between its owner's exchanges; raises `NotFound`.

        What stops the plant waits for one lent exchange at most; a write is carried out only while
        the plant is stopped.

        Args:
            device: A further device of the plant's present endpoint; None: its own server.
        """
        ...


class CheckupApi(Protocol):
    """What may be looked at through a running engine; an unknown plant raises `NotFound`."""

    async def registers(self, plant: PlantId, points: Sequence[str]) -> tuple[Reading, ...]:
        """These points of the plant (none: all that can be read), read now.

        Raises:
            InvalidInput: There is no such point, or it cannot be read.
            QueueFull: Too many others are reading.
        """
        ...

    async def smoke(
        self, plant: PlantId, *, device: str | None = None, write_zero: bool, trace: bool
    ) -> SmokeReport:
        """The smoke check of the plant's present endpoint, or of a further device there.

        Raises:
            InvalidInput: There is no such device.
            Impossible: Zero shall be written and the plant is not stopped, or a check of it is
                under way.
        """
        ...


class LogApi(Protocol):
    """The log of the engine's process."""

    @property
    def level(self) -> LogLevel:
        """The least severe level that is logged."""
        ...

    def set_level(self, level: LogLevel, *, by: str) -> None:
        """Log this level and those above it from now on, until the process ends."""
        ...

    async def page(
        self, day: date | None, *, tail: int, level: LogLevel | None, text: str
    ) -> LogPage:
        """The end of the log of a site day (None: today).

        Args:
            tail: How many lines at most; greater than 0.
            level: Lines of this level and above; None: all.
            text: What each line contains, in whatever case.

        Raises:
            NotFound: There is no log of that day.
            QueueFull: Too many others are reading.
            HilError: The file cannot be read.
        """
        ...
