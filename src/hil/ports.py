"""The seams of the engine: Protocols only, and the values that cross them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from hil.domain.faults import Fault, FaultKind
from hil.domain.market import Sample, Setpoints
from hil.domain.modbus_pdu import Request, Response
from hil.domain.plant import Device, PlantId
from hil.domain.session import NewestRow, Session
from hil.domain.signals import Row
from hil.domain.snapshot import LinkStatus


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


class Tap(Protocol):
    """Gets the bytes of an exchange, as they go over the wire."""

    def sent(self, data: bytes) -> None:
        """A whole frame, as it is sent."""
        ...

    def got(self, data: bytes) -> None:
        """A segment, as it comes in: a part of a frame, several frames, or garbage."""
        ...


class PlantLink(Protocol):
    """One connection to one device, used by its owner task alone."""

    async def exchange(
        self, requests: Sequence[Request], *, within_s: float, tap: Tap | None = None
    ) -> Exchange:
        """Ask one request after the other; the first time-out ends the exchange.

        Args:
            within_s: Seconds for the whole exchange, connecting included; greater than 0.
            tap: Is told what goes over the wire; a link without a wire tells nothing.
        """
        ...

    async def close(self) -> None:
        """Drop the connection; the next exchange makes a new one."""
        ...


class DeviceLocks(Protocol):
    """The right to write to devices: one process of this machine has it of a device."""

    def hold(self, devices: Collection[Device]) -> None:
        """Hold the locks of these devices, and let go of all others.

        Raises:
            Impossible: Another process holds one of them; all is held as before.
            HilError: A lock cannot be had for another reason; all is held as before.
        """
        ...


class RowsNotDurable(OSError):
    """The rows of these plants are not durable yet; those of all others are."""

    def __init__(self, text: str, plants: frozenset[PlantId]) -> None:
        super().__init__(text)
        self.plants = plants


class RowSink(Protocol):
    """Where recorded rows and the documents of sessions go; one owner, the recorder."""

    async def append(self, batch: Mapping[PlantId, Sequence[Row]]) -> None:
        """Make the rows durable, in order; raises OSError and then has written whole rows only.

        Of the plants that `RowsNotDurable` does not name, all is written.
        """
        ...

    async def save_sessions(self, sessions: Mapping[str, Session]) -> None:
        """Replace the documents, by uid, each of them whole; raises OSError."""
        ...

    async def newest(self, plant: PlantId) -> NewestRow | None:
        """The last row of the plant on disk; None when there is none. Raises OSError."""
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


@runtime_checkable
class ScheduleSource(Protocol):
    """Where the plan of a site day comes from; every call is bounded in time.

    All calls raise `CallFailed`, whose kind says what to do next.
    """

    async def log_in(self, password: str | None) -> None:
        """Make the connection; None: without a password, where the source needs none.

        The password is held in memory until `log_out`.
        """
        ...

    async def log_out(self) -> None:
        """Forget the connection and the password."""
        ...

    async def setpoints(self, periods: Sequence[datetime]) -> Setpoints:
        """What there is for these delivery periods, of every plant; what is absent is missing.

        Args:
            periods: The UTC starts of the delivery periods of one site day.
        """
        ...

    async def close(self) -> None:
        """Drop every connection."""
        ...


@runtime_checkable
class MeasurementSink(Protocol):
    """A `ScheduleSource` that takes measurements, too."""

    async def post(self, series: int, samples: Sequence[Sample]) -> None:
        """Hand over samples of one series, oldest first; returns when they are acknowledged.

        A time-out leaves unknown whether they have come (`CallFailed`, transient).
        """
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
