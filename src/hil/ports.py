"""The seams of the engine: Protocols only, and the values that cross them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from hil.domain.commands import Command, CommandKind
from hil.domain.downsample import Buckets, Grid
from hil.domain.faults import Fault, FaultKind
from hil.domain.modbus_pdu import Request, Response
from hil.domain.plant import PlantId
from hil.domain.schedule import EffectivePoint, Schedule, Series, Signal
from hil.domain.signals import Row
from hil.domain.smoke_report import Reading, SmokeReport
from hil.domain.snapshot import Alarm, LinkStatus, Snapshot


class Clock(Protocol):
    """Reads time; nobody waits on it."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back, of no meaning by themselves."""
        ...

    def now(self) -> datetime:
        """The wall clock: an aware UTC datetime, which may step."""
        ...


@dataclass(frozen=True, slots=True)
class LinkProblem:
    """Why an exchange ended early: timeout, refused (no TCP connection) or error, and in words."""

    status: LinkStatus
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of an exchange: one response a request, in order, as far as it got.

    `problem` None: every request was answered (an answer may be a `Refusal`). Otherwise
    `responses` is shorter than the requests; what was under way is unknown, not failed. `took_ns`
    is how long the device had it, where that is less than the caller waited.
    """

    responses: tuple[Response, ...]
    problem: LinkProblem | None = None
    took_ns: int | None = None


class PlantLink(Protocol):
    """One connection to one device, used by its owner task alone."""

    async def exchange(self, requests: Sequence[Request], *, within_s: float) -> Exchange:
        """Ask one request after the other; the first time-out ends the exchange.

        Args:
            within_s: Seconds for the whole exchange, connecting included; greater than 0.
        """
        ...

    async def close(self) -> None:
        """Drop the connection; the next exchange makes a new one."""
        ...


class RowSink(Protocol):
    """Where recorded rows go; one owner, the recorder."""

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        """Make the rows durable, in order; raises OSError and then has written whole rows only."""
        ...

    def file_name(self, plant: PlantId, at: datetime) -> str:
        """The name of the file that a row of this instant belongs to."""
        ...

    async def newest_soc_pu(self, plant: PlantId) -> float | None:
        """The last recorded state of charge of the plant; None when there is none."""
        ...

    async def close(self) -> None:
        """Close every file."""
        ...


class StateStore(Protocol):
    """What must survive a restart: documents by key, opened by one engine alone."""

    async def load(self) -> dict[str, bytes]:
        """Every document; raises HilError when the store cannot be used."""
        ...

    async def write(self, documents: Mapping[str, bytes | None]) -> None:
        """Replace these documents (None removes one), all or none, durably; raises OSError."""
        ...

    async def close(self) -> None:
        """Close the store."""
        ...


class Manner(StrEnum):
    """How a device that is out of order answers, or ends the connection instead."""

    IN_TURN = "in_turn"
    LATE = "late"  # answers to later requests may overtake it
    STALE = "stale"  # the answer before once more
    CLOSE = "close"
    RESET = "reset"
    REFUSE = "refuse"  # closes, and takes no new connection


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is not just a response at once.

    `response` None: the connection ends. `unit_id` None: that of the request.
    """

    response: Response | None
    after_s: float = 0.0
    manner: Manner = Manner.IN_TURN
    unit_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a device takes connections.

    Connections beyond `places` (None: no matter how many) are closed at once; a place stays
    taken for `hold_s` after its connection has ended. For `silent_s` after connecting nothing
    is answered.
    """

    refuses: bool = False
    places: int | None = None
    hold_s: float = 0.0
    silent_s: float = 0.0


class EmulatorControl(Protocol):
    """The control port of the emulated plants (local transport only)."""

    async def set_fault(self, plant: PlantId, fault: Fault) -> None:
        """Show a fault from now on, in place of another of its kind; raises `HilError`."""
        ...

    async def clear_fault(self, plant: PlantId, kind: FaultKind | None) -> None:
        """End a fault, or all of them (None); one that is not active is no error."""
        ...

    async def faults(self, plant: PlantId) -> tuple[Fault, ...]:
        """The active faults; `for_s` is what is left of it."""
        ...

    async def set_soc(self, plant: PlantId, soc_pu: float) -> None:
        """Set the state of charge of an idle plant; raises `HilError` when it cannot."""
        ...


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


class Lender(Protocol):
    """A running engine as who checks its plants sees it."""

    def snapshot(self) -> Snapshot:
        """The present picture, from memory."""
        ...

    def lend(self, plant: PlantId) -> PlantLink:
        """The link to the plant, used between its owner's exchanges; raises `NotFound`.

        What stops the plant waits for one lent exchange at most; a write is carried out only while
        the plant is stopped.
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

    async def smoke(self, plant: PlantId, *, write_zero: bool, trace: bool) -> SmokeReport:
        """The smoke check of the plant's present endpoint.

        Raises:
            Impossible: Zero shall be written and the plant is not stopped, or a check of it is
                under way.
        """
        ...
